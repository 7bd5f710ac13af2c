"""Endpoint configurations: which models an endpoint serves as which variants, and what of its traffic is captured.
What this machine does not carry out is refused when the configuration is made, not when it is deployed.
"""

from __future__ import annotations

from typing import Any

from local_aws.cloud import Cloud
from local_aws.errors import validation_error
from local_aws.operations import SAGEMAKER
from local_aws.sagemaker import listing, models, tags
from local_aws.store import Exists, now

KIND = "endpoint_config"
_NOT_CARRIED_OUT = ("AsyncInferenceConfig", "ExplainerConfig", "ShadowProductionVariants", "CrossRegionTrafficConfig")
_NOT_CARRIED_OUT_IN_VARIANTS = (
    "ServerlessConfig",
    "InstancePools",
    "ManagedInstanceScaling",
    "CapacityReservationConfig",
)


@SAGEMAKER.operation("CreateEndpointConfig")
def create_endpoint_config(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateEndpointConfig.html"""
    _check(cloud, request)
    name = request["EndpointConfigName"]
    arn = cloud.arn(f"endpoint-config/{name}")
    body = {key: value for key, value in request.items() if key != "Tags"}
    for variant in body["ProductionVariants"]:
        variant.setdefault("InitialVariantWeight", 1.0)
    if "DataCaptureConfig" in body:
        body["DataCaptureConfig"].setdefault("EnableCapture", True)
    body |= {
        "EndpointConfigArn": arn,
        "CreationTime": now(),
        "EnableNetworkIsolation": request.get("EnableNetworkIsolation", False),
    }
    try:
        with cloud.store.transaction():
            cloud.store.create(KIND, name, body)
            tags.record(cloud, arn, request)
    except Exists:
        raise validation_error(f'Cannot create already existing endpoint configuration "{arn}".') from None
    return {"EndpointConfigArn": arn}


@SAGEMAKER.operation("DescribeEndpointConfig")
def describe_endpoint_config(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    return find(cloud, request["EndpointConfigName"])


@SAGEMAKER.operation("ListEndpointConfigs")
def list_endpoint_configs(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    rows, token = listing.page(cloud.store.all(KIND), request, name_key="EndpointConfigName")
    keys = ("EndpointConfigName", "EndpointConfigArn", "CreationTime")
    return listing.answer("EndpointConfigs", [{key: row[key] for key in keys} for row in rows], token)


@SAGEMAKER.operation("DeleteEndpointConfig")
def delete_endpoint_config(cloud: Cloud, request: dict[str, Any]) -> None:
    with cloud.store.transaction():
        config = find(cloud, request["EndpointConfigName"])
        cloud.store.delete(KIND, request["EndpointConfigName"])
        tags.forget(cloud, config["EndpointConfigArn"])


def find(cloud: Cloud, name: str) -> dict[str, Any]:
    """A configuration as DescribeEndpointConfig answers it; raises `AwsError` where there is none."""
    body = cloud.store.find(KIND, name)
    if body is None:
        raise validation_error(f'Could not find endpoint configuration "{cloud.arn(f"endpoint-config/{name}")}".')
    return body


def _check(cloud: Cloud, request: dict[str, Any]) -> None:
    absent = [name for name in _NOT_CARRIED_OUT if request.get(name)]
    if absent:
        raise validation_error(f"{', '.join(absent)} is not carried out by local-aws: only real-time endpoints are.")
    variants = request["ProductionVariants"]
    names = [variant["VariantName"] for variant in variants]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise validation_error(f"Duplicate variant names found: {', '.join(twice)}. Variant names must be unique.")
    for variant in variants:
        _check_variant(cloud, variant)
    if sum(variant.get("InitialVariantWeight", 1.0) for variant in variants) <= 0:
        raise validation_error("At least one variant must have an InitialVariantWeight above 0.")


def _check_variant(cloud: Cloud, variant: dict[str, Any]) -> None:
    where = f"Variant {variant['VariantName']}"
    absent = [name for name in _NOT_CARRIED_OUT_IN_VARIANTS if variant.get(name)]
    if absent:
        raise validation_error(
            f"{where}: {', '.join(absent)} is not carried out by local-aws: give InstanceType and InitialInstanceCount."
        )
    if "ModelName" not in variant:
        raise validation_error(
            f"{where} names no model: endpoints of inference components are not carried out by local-aws."
        )
    missing = [name for name in ("InstanceType", "InitialInstanceCount") if name not in variant]
    if missing:
        raise validation_error(f"{where}: {' and '.join(missing)} must be given for a real-time endpoint.")
    models.served(cloud, variant["ModelName"])
