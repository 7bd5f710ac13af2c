"""AWS::EC2: flow logs, in which nothing is ever logged here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from local_aws.cloudformation.absence import may_be_gone
from local_aws.cloudformation.api_request import api_request
from local_aws.cloudformation.refusals import ResourceFailed
from local_aws.cloudformation.resource_type import Wanted, resource_type
from local_aws.cloudformation.resources.ec2.network_resource import NetworkResource, retag, tag_specifications


@resource_type
class FlowLog(NetworkResource):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ec2-flowlog.html"""

    type_name = "AWS::EC2::FlowLog"
    properties = frozenset(
        {
            "DeliverCrossAccountRole",
            "DeliverLogsPermissionArn",
            "DestinationOptions",
            "LogDestination",
            "LogDestinationType",
            "LogFormat",
            "LogGroupName",
            "MaxAggregationInterval",
            "ResourceId",
            "ResourceType",
            "TagFieldSpecifications",
            "Tags",
            "TrafficType",
        }
    )
    required = frozenset({"ResourceId", "ResourceType"})
    replacing = properties - {"Tags"}
    recorded = frozenset({"DeliverCrossAccountRole", "DestinationOptions", "TagFieldSpecifications"})
    attribute_names = frozenset({"Id"})

    def create(self, wanted: Wanted) -> str:
        given = {**wanted.properties, "ResourceIds": [wanted.properties["ResourceId"]]}
        request = api_request(
            "ec2", "CreateFlowLogs", given, *(self.properties - self.recorded - {"Tags"}), "ResourceIds"
        )
        tags = tag_specifications(wanted.properties, "vpc-flow-log")
        made = wanted.client("ec2").create_flow_logs(**request, **tags)
        for failed in made.get("Unsuccessful", []):
            raise ResourceFailed(str(failed["Error"]["Message"]))
        return str(made["FlowLogIds"][0])

    def update(self, wanted: Wanted, physical_id: str, before: Mapping[str, Any]) -> None:
        retag(wanted, physical_id, before)

    def delete(self, wanted: Wanted, physical_id: str) -> None:
        with may_be_gone():
            wanted.client("ec2").delete_flow_logs(FlowLogIds=[physical_id])

    def attributes(self, wanted: Wanted, physical_id: str) -> dict[str, Any]:
        return {"Id": physical_id}
