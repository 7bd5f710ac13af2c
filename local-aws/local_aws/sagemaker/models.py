"""Models: an image with the model artifacts it serves, as CreateModel records them.
A model names one container; its image must be one that this machine can run.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from local_aws import images
from local_aws.cloud import Cloud
from local_aws.errors import AwsError, validation_error
from local_aws.operations import SAGEMAKER
from local_aws.principal import ADMINISTRATOR, acting_as
from local_aws.sagemaker import execution_role, listing, tags
from local_aws.sagemaker.model_data import ModelData
from local_aws.store import Exists, now

KIND = "model"
_DEFAULT_MODE = "SingleModel"


@dataclass(frozen=True)
class ServedModel:
    """What a container that serves a model is started with: an image URI, the model data, environment variables.

    `role` is the ARN of the role as which it reads and writes, None where the model has none.
    """

    name: str
    image: str
    data: ModelData | None
    environment: dict[str, str] = field(default_factory=dict)
    role: str | None = None


@SAGEMAKER.operation("CreateModel")
def create_model(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateModel.html"""
    container = _container(request)
    name = request["ModelName"]
    role = request.get("ExecutionRoleArn")
    if role is not None:
        execution_role.check(cloud, role, cloud.arn(f"model/{name}"))
    if container is not None:
        _check(cloud, container, role)
    arn = cloud.arn(f"model/{name}")
    body = {key: value for key, value in request.items() if key != "Tags"}
    for part in [body.get("PrimaryContainer"), *body.get("Containers", [])]:
        if part is not None:
            part.setdefault("Mode", _DEFAULT_MODE)
    body |= {
        "ModelArn": arn,
        "CreationTime": now(),
        "EnableNetworkIsolation": request.get("EnableNetworkIsolation", False),
    }
    try:
        with cloud.store.transaction():
            cloud.store.create(KIND, name, body)
            tags.record(cloud, arn, request)
    except Exists:
        raise validation_error(f'Cannot create already existing model "{arn}".') from None
    return {"ModelArn": arn}


@SAGEMAKER.operation("DescribeModel")
def describe_model(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    return find(cloud, request["ModelName"])


@SAGEMAKER.operation("ListModels")
def list_models(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    rows, token = listing.page(cloud.store.all(KIND), request, name_key="ModelName")
    summaries = [{key: row[key] for key in ("ModelName", "ModelArn", "CreationTime")} for row in rows]
    return listing.answer("Models", summaries, token)


@SAGEMAKER.operation("DeleteModel")
def delete_model(cloud: Cloud, request: dict[str, Any]) -> None:
    with cloud.store.transaction():
        model = find(cloud, request["ModelName"])
        cloud.store.delete(KIND, request["ModelName"])
        tags.forget(cloud, model["ModelArn"])


def find(cloud: Cloud, name: str) -> dict[str, Any]:
    """A model as DescribeModel answers it; raises `AwsError` (ValidationException) when there is none."""
    body = cloud.store.find(KIND, name)
    if body is None:
        raise validation_error(f'Could not find model "{cloud.arn(f"model/{name}")}".')
    return body


def served(cloud: Cloud, name: str) -> ServedModel:
    """What a container serving this model is started with; raises `AwsError` when there is no such model."""
    model = find(cloud, name)
    container = _container(model)
    if container is None:
        raise validation_error(f'Model "{cloud.arn(f"model/{name}")}" has no container: there is nothing to serve.')
    return _served(cloud, name, container, model.get("ExecutionRoleArn"))


def _served(cloud: Cloud, name: str, container: dict[str, Any], role: str | None) -> ServedModel:
    environment = container.get("Environment", {})
    if "ModelPackageName" in container:
        packaged = _package_container(cloud, container["ModelPackageName"])
        data = ModelData.of(packaged)
        return ServedModel(name, packaged["Image"], data, {**packaged.get("Environment", {}), **environment}, role)
    return ServedModel(name, container["Image"], ModelData.of(container), environment, role)


def _container(model: dict[str, Any]) -> dict[str, Any] | None:
    """The one container of a model, or None for a model that names none (one for inference components)."""
    several = model.get("Containers", [])
    if "PrimaryContainer" in model and several:
        raise validation_error("You can only provide one of PrimaryContainer and Containers.")
    if len(several) > 1:
        raise validation_error(
            f"Containers holds {len(several)} containers: local-aws serves models of one container only."
        )
    return model.get("PrimaryContainer") or (several[0] if several else None)


def _check(cloud: Cloud, container: dict[str, Any], role: str | None) -> None:
    if ("Image" in container) == ("ModelPackageName" in container):
        raise validation_error(
            "You must provide either Image or ModelPackageName of a container, and only one of them."
        )
    if container.get("Mode", _DEFAULT_MODE) != _DEFAULT_MODE:
        raise validation_error(
            "Mode MultiModel is not carried out by local-aws: serve each model from an endpoint of its own."
        )
    for absent in ("AdditionalModelDataSources", "MultiModelConfig"):
        if absent in container:
            raise validation_error(f"{absent} is not carried out by local-aws.")
    model = _served(cloud, "", container, role)
    image = images.resolve(cloud, model.image)
    with acting_as(execution_role.session(role)):
        if model.data is not None:
            model.data.check(cloud)
        try:
            execution_role.pull(cloud, model.image)
        except AwsError as error:
            raise validation_error(f"Role {role} may not pull the image {model.image}: {error.message}") from error
    if image.kind == images.SCIKIT_LEARN:
        raise validation_error(
            f"Image {image.uri} cannot serve here: local-aws runs prebuilt scikit-learn images for jobs only. Build "
            "a serving image from a Dockerfile with local-aws build-image."
        )


def _package_container(cloud: Cloud, package: str) -> dict[str, Any]:
    # SageMaker itself looks at it, whoever asks for a model of it.
    with acting_as(ADMINISTRATOR):
        described = cloud.call("sagemaker", "DescribeModelPackage", {"ModelPackageName": package})
    containers = described.get("InferenceSpecification", {}).get("Containers", [])
    if len(containers) != 1:
        raise validation_error(
            f"Model package {package} has {len(containers)} containers for inference: one can be served."
        )
    return containers[0]
