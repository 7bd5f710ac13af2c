"""AWS::CloudFormation: the handle that a stack with nothing in it is often given; nobody waits on it here."""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from local_aws.cloudformation.resource_type import ResourceType, Wanted, resource_type


@resource_type
class WaitConditionHandle(ResourceType):
    """An address to signal to, which is its Ref; no wait condition is carried out, so no signal is awaited.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-cloudformation-waitconditionhandle.html
    """

    type_name = "AWS::CloudFormation::WaitConditionHandle"
    properties = frozenset[str]()

    def create(self, wanted: Wanted) -> str:
        return f"{wanted.cloud.settings.endpoint_url}/_local/wait-handles/{uuid.uuid4()}"

    def update(self, wanted: Wanted, physical_id: str, before: Mapping[str, object]) -> None:
        return

    def delete(self, wanted: Wanted, physical_id: str) -> None:
        return
