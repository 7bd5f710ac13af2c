"""AWS::SageMaker: models, endpoint configurations and endpoints. Their Ref is their ARN."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from local_aws.cloudformation.api_request import api_request, tags_removed
from local_aws.cloudformation.refusals import ResourceFailed
from local_aws.cloudformation.resource_type import ResourceType, Wanted, resource_type
from local_aws.store import Missing

_NAME_LIMIT = 63
# How long a change of an endpoint is waited for before the checkpoint is asked again whether to go on.
_PATIENCE = 0.5
_IN_MOTION = {"Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting"}


def _name_of(arn: str) -> str:
    return arn.rpartition("/")[2]


def _update_tags(wanted: Wanted, arn: str, before: Mapping[str, Any]) -> None:
    sagemaker = wanted.client("sagemaker")
    removed = tags_removed(before, wanted.properties)
    if removed:
        sagemaker.delete_tags(ResourceArn=arn, TagKeys=removed)
    if wanted.properties.get("Tags"):
        sagemaker.add_tags(ResourceArn=arn, **api_request("sagemaker", "AddTags", wanted.properties, "Tags"))


def _wait_for_change(wanted: Wanted, endpoint: Mapping[str, Any]) -> None:
    """Sleep until the endpoint's status is another, a moment at most."""
    seen = endpoint["EndpointStatus"]
    try:
        wanted.cloud.store.wait(
            "endpoint", endpoint["EndpointName"], lambda body: body["EndpointStatus"] != seen, _PATIENCE
        )
    except Missing:
        return


def _gone(error: ClientError) -> bool:
    """SageMaker says of a resource that is not there: a ValidationException with "Could not find"."""
    return "could not find" in error.response["Error"].get("Message", "").lower()


@resource_type
class Model(ResourceType):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-sagemaker-model.html"""

    type_name = "AWS::SageMaker::Model"
    properties = frozenset(
        {
            "Containers",
            "EnableNetworkIsolation",
            "ExecutionRoleArn",
            "InferenceExecutionConfig",
            "ModelName",
            "PrimaryContainer",
            "Tags",
            "VpcConfig",
        }
    )
    replacing = properties - {"Tags"}
    # A container here has the network of the machine.
    recorded = frozenset({"EnableNetworkIsolation", "InferenceExecutionConfig", "VpcConfig"})
    name_property = "ModelName"
    attribute_names = frozenset({"Id", "ModelName"})

    def create(self, wanted: Wanted) -> str:
        request = api_request("sagemaker", "CreateModel", wanted.properties)
        name = wanted.name("ModelName", _NAME_LIMIT)
        return str(wanted.client("sagemaker").create_model(**{**request, "ModelName": name})["ModelArn"])

    def update(self, wanted: Wanted, physical_id: str, before: Mapping[str, Any]) -> None:
        _update_tags(wanted, physical_id, before)

    def delete(self, wanted: Wanted, physical_id: str) -> None:
        try:
            wanted.client("sagemaker").delete_model(ModelName=_name_of(physical_id))
        except ClientError as error:
            if not _gone(error):
                raise

    def attributes(self, wanted: Wanted, physical_id: str) -> dict[str, Any]:
        return {"Id": physical_id, "ModelName": _name_of(physical_id)}


@resource_type
class EndpointConfig(ResourceType):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-sagemaker-endpointconfig.html"""

    type_name = "AWS::SageMaker::EndpointConfig"
    properties = frozenset(
        {
            "AsyncInferenceConfig",
            "DataCaptureConfig",
            "EnableNetworkIsolation",
            "EndpointConfigName",
            "ExecutionRoleArn",
            "ExplainerConfig",
            "KmsKeyId",
            "ProductionVariants",
            "ShadowProductionVariants",
            "Tags",
            "VpcConfig",
        }
    )
    required = frozenset({"ProductionVariants"})
    replacing = properties - {"Tags"}
    recorded = frozenset(
        {
            "DataCaptureConfig.KmsKeyId",
            "EnableNetworkIsolation",
            "KmsKeyId",
            "ProductionVariants.AcceleratorType",
            "ProductionVariants.EnableSSMAccess",
            "ProductionVariants.InferenceAmiVersion",
            "ProductionVariants.ModelDataDownloadTimeoutInSeconds",
            "ProductionVariants.RoutingConfig",
            "ProductionVariants.VolumeSizeInGB",
            "VpcConfig",
        }
    )
    name_property = "EndpointConfigName"
    attribute_names = frozenset({"EndpointConfigName", "Id"})

    def create(self, wanted: Wanted) -> str:
        request = api_request("sagemaker", "CreateEndpointConfig", wanted.properties)
        request["EndpointConfigName"] = wanted.name("EndpointConfigName", _NAME_LIMIT)
        return str(wanted.client("sagemaker").create_endpoint_config(**request)["EndpointConfigArn"])

    def update(self, wanted: Wanted, physical_id: str, before: Mapping[str, Any]) -> None:
        _update_tags(wanted, physical_id, before)

    def delete(self, wanted: Wanted, physical_id: str) -> None:
        try:
            wanted.client("sagemaker").delete_endpoint_config(EndpointConfigName=_name_of(physical_id))
        except ClientError as error:
            if not _gone(error):
                raise

    def attributes(self, wanted: Wanted, physical_id: str) -> dict[str, Any]:
        return {"EndpointConfigName": _name_of(physical_id), "Id": physical_id}


@resource_type
class Endpoint(ResourceType):
    """In service before anything that depends on it is made; a new configuration is rolled out by UpdateEndpoint.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-sagemaker-endpoint.html
    """

    type_name = "AWS::SageMaker::Endpoint"
    properties = frozenset(
        {
            "DeploymentConfig",
            "EndpointConfigName",
            "EndpointName",
            "ExcludeRetainedVariantProperties",
            "RetainAllVariantProperties",
            "RetainDeploymentConfig",
            "Tags",
        }
    )
    required = frozenset({"EndpointConfigName"})
    replacing = frozenset({"EndpointName"})
    name_property = "EndpointName"
    attribute_names = frozenset({"EndpointName", "Id"})

    def create(self, wanted: Wanted) -> str:
        # How a later configuration replaces this one says nothing about the first one's start.
        request = api_request("sagemaker", "CreateEndpoint", wanted.properties, "EndpointConfigName", "Tags")
        request["EndpointName"] = wanted.name("EndpointName", _NAME_LIMIT)
        return str(wanted.client("sagemaker").create_endpoint(**request)["EndpointArn"])

    def update(self, wanted: Wanted, physical_id: str, before: Mapping[str, Any]) -> None:
        _update_tags(wanted, physical_id, before)
        at_rest = self._wait(wanted, physical_id)
        serves = at_rest["EndpointStatus"] == "InService"
        if serves and at_rest["EndpointConfigName"] == wanted.properties["EndpointConfigName"]:
            return
        request = api_request("sagemaker", "UpdateEndpoint", wanted.properties)
        wanted.client("sagemaker").update_endpoint(**{**request, "EndpointName": _name_of(physical_id)})

    def settle(self, wanted: Wanted, physical_id: str) -> None:
        found = self._wait(wanted, physical_id)
        status, asked = found["EndpointStatus"], wanted.properties["EndpointConfigName"]
        if status == "InService" and found["EndpointConfigName"] == asked:
            return
        why = found.get("FailureReason") or f"it is {status} with the configuration {found['EndpointConfigName']}"
        raise ResourceFailed(
            f"Resource of type '{self.type_name}' with identifier '{physical_id}' did not stabilize. {why}"
        )

    def _wait(self, wanted: Wanted, physical_id: str) -> dict[str, Any]:
        while True:
            found: dict[str, Any] = wanted.client("sagemaker").describe_endpoint(EndpointName=_name_of(physical_id))
            if found["EndpointStatus"] not in _IN_MOTION:
                return found
            wanted.checkpoint()
            _wait_for_change(wanted, found)

    def delete(self, wanted: Wanted, physical_id: str) -> None:
        sagemaker = wanted.client("sagemaker")
        try:
            # SageMaker deletes no endpoint that is being created or updated.
            self._wait(wanted, physical_id)
            sagemaker.delete_endpoint(EndpointName=_name_of(physical_id))
            self._wait(wanted, physical_id)
        except ClientError as error:
            if not _gone(error):
                raise

    def attributes(self, wanted: Wanted, physical_id: str) -> dict[str, Any]:
        return {"EndpointName": _name_of(physical_id), "Id": physical_id}
