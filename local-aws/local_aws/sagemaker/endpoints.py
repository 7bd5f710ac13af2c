"""Endpoints: what CreateEndpoint and its kin ask for, and the states an endpoint goes through.

    Creating -> InService | Failed;  InService -> Updating [-> RollingBack] -> InService;  a settled one -> Deleting

https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_DescribeEndpoint.html
"""

from __future__ import annotations

import copy
import logging
import shutil
import threading
from typing import Any

from local_aws.cloud import Cloud
from local_aws.errors import validation_error
from local_aws.lifecycle import on_start
from local_aws.operations import SAGEMAKER
from local_aws.sagemaker import deployment, listing, tags
from local_aws.sagemaker.data_capture import data_capture
from local_aws.sagemaker.hosting import KIND, hosting
from local_aws.sagemaker.serving_process import StartFailed
from local_aws.sagemaker.traffic_shift import problem
from local_aws.store import Exists, now

_LOG = logging.getLogger(__name__)
_IN_PROGRESS = ("Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting")
# boto3's waiter looks again after 30 s: an answer that comes when all is done saves it that wait.
_DELETION_SECONDS = 3.0

Body = dict[str, Any]


@SAGEMAKER.operation("CreateEndpoint")
def create_endpoint(cloud: Cloud, request: Body) -> Body:
    """https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateEndpoint.html"""
    name, arn = request["EndpointName"], cloud.arn(f"endpoint/{request['EndpointName']}")
    _check(request)
    planned = deployment.plan(cloud, request["EndpointConfigName"])
    body = {
        "EndpointName": name,
        "EndpointArn": arn,
        "EndpointConfigName": request["EndpointConfigName"],
        "EndpointStatus": "Creating",
        "CreationTime": now(),
        "LastModifiedTime": now(),
        "LastDeploymentConfig": request.get("DeploymentConfig"),
        "_deployed": None,
        "_pending": planned,
    }
    try:
        with cloud.store.transaction():
            cloud.store.create(KIND, name, body)
            tags.record(cloud, arn, request)
    except Exists:
        raise validation_error(f'Cannot create already existing endpoint "{arn}".') from None
    deployment.create(cloud, name)
    return {"EndpointArn": arn}


@SAGEMAKER.operation("UpdateEndpoint")
def update_endpoint(cloud: Cloud, request: Body) -> Body:
    """https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_UpdateEndpoint.html"""
    name = request["EndpointName"]
    _check(request)
    with cloud.store.transaction():
        body = _settled(cloud, name)
        if body["EndpointStatus"] != "InService":
            raise validation_error(
                f'Cannot update endpoint "{body["EndpointArn"]}" in status {body["EndpointStatus"]}: delete it and '
                "create it anew."
            )
        planned = deployment.plan(cloud, request["EndpointConfigName"])
        if request.get("RetainAllVariantProperties"):
            excluded = {item["VariantPropertyType"] for item in request.get("ExcludeRetainedVariantProperties", [])}
            planned = _retained(planned, body["_deployed"], excluded)
        config = (
            body.get("LastDeploymentConfig")
            if request.get("RetainDeploymentConfig")
            else request.get("DeploymentConfig")
        )
        summary = {
            "EndpointConfigName": planned["config"],
            "ProductionVariants": deployment.rendered(planned),
            "StartTime": now(),
        }
        change: Body = {"EndpointStatus": "Updating", "FailureReason": None, "LastModifiedTime": now()}
        change |= {"LastDeploymentConfig": config, "PendingDeploymentSummary": summary, "_pending": planned}
        cloud.store.update(KIND, name, change)
    deployment.update(cloud, name)
    return {"EndpointArn": body["EndpointArn"]}


@SAGEMAKER.operation("UpdateEndpointWeightsAndCapacities")
def update_weights_and_capacities(cloud: Cloud, request: Body) -> Body:
    """https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_UpdateEndpointWeightsAndCapacities.html"""
    name = request["EndpointName"]
    with cloud.store.transaction():
        body = _settled(cloud, name)
        planned = copy.deepcopy(body["_deployed"])
        variants = {variant["name"]: variant for variant in planned["variants"]}
        for wanted in request["DesiredWeightsAndCapacities"]:
            if wanted["VariantName"] not in variants:
                raise validation_error(
                    f'Could not find variant "{wanted["VariantName"]}" of endpoint "{body["EndpointArn"]}".'
                )
            if "ServerlessUpdateConfig" in wanted or wanted.get("DesiredInstanceCount") == 0:
                raise validation_error(
                    f"Variant {wanted['VariantName']}: local-aws runs no serverless variants, and none of 0 instances."
                )
            variant = variants[wanted["VariantName"]]
            variant["weight"] = wanted.get("DesiredWeight", variant["weight"])
            variant["instances"] = wanted.get("DesiredInstanceCount", variant["instances"])
        cloud.store.update(KIND, name, {"EndpointStatus": "Updating", "FailureReason": None, "LastModifiedTime": now()})
    threading.Thread(target=_scale, args=(cloud, name, planned), name=f"scaling of {name}", daemon=True).start()
    return {"EndpointArn": body["EndpointArn"]}


@SAGEMAKER.operation("DescribeEndpoint")
def describe_endpoint(cloud: Cloud, request: Body) -> Body:
    body = find(cloud, request["EndpointName"])
    return {key: value for key, value in body.items() if not key.startswith("_") and value is not None}


@SAGEMAKER.operation("ListEndpoints")
def list_endpoints(cloud: Cloud, request: Body) -> Body:
    rows, token = listing.page(cloud.store.all(KIND), request, name_key="EndpointName", status_key="EndpointStatus")
    keys = ("EndpointName", "EndpointArn", "CreationTime", "LastModifiedTime", "EndpointStatus")
    return listing.answer("Endpoints", [{key: row[key] for key in keys} for row in rows], token)


@SAGEMAKER.operation("DeleteEndpoint")
def delete_endpoint(cloud: Cloud, request: Body) -> None:
    """https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_DeleteEndpoint.html"""
    name = request["EndpointName"]
    with cloud.store.transaction():
        _settled(cloud, name)
        cloud.store.update(KIND, name, {"EndpointStatus": "Deleting", "LastModifiedTime": now()})
    thread = threading.Thread(target=_delete, args=(cloud, name), name=f"deletion of {name}", daemon=True)
    thread.start()
    thread.join(_DELETION_SECONDS)


@on_start
def bring_back(cloud: Cloud) -> None:
    """Carry on with what every endpoint was doing when the cloud went down."""
    # What the containers of a cloud that was killed had is of no use: their processes are gone.
    shutil.rmtree(cloud.settings.home / "endpoints", ignore_errors=True)
    for body in cloud.store.all(KIND):
        name, status = body["EndpointName"], body["EndpointStatus"]
        if status == "Creating":
            deployment.create(cloud, name)
        elif status == "Deleting":
            threading.Thread(target=_delete, args=(cloud, name), name=f"deletion of {name}", daemon=True).start()
        elif status != "Failed":
            if body["_pending"] is None:
                cloud.store.update(KIND, name, {"EndpointStatus": "InService"})
            deployment.restore(cloud, name)


def find(cloud: Cloud, name: str) -> Body:
    """An endpoint, with its private fields; raises `AwsError` (ValidationException) when there is none."""
    body = cloud.store.find(KIND, name)
    if body is None:
        raise validation_error(f'Could not find endpoint "{cloud.arn(f"endpoint/{name}")}".')
    return body


def _settled(cloud: Cloud, name: str) -> Body:
    """An endpoint to which nothing happens just now; raises `AwsError` (ValidationException)."""
    body = find(cloud, name)
    if body["EndpointStatus"] in _IN_PROGRESS:
        raise validation_error(f'Cannot update in-progress endpoint "{body["EndpointArn"]}".')
    return body


def _check(request: Body) -> None:
    wrong = problem(request.get("DeploymentConfig"))
    if wrong:
        raise validation_error(wrong)


def _retained(planned: Body, deployed: Body, excluded: set[str]) -> Body:
    """A plan with the weights, instance counts and capture of the one in service, but for what is excluded."""
    before = {variant["name"]: variant for variant in deployed["variants"]}
    kept = [
        key
        for key, kind in (("instances", "DesiredInstanceCount"), ("weight", "DesiredWeight"))
        if kind not in excluded
    ]
    variants = [
        {**variant, **{key: before[variant["name"]][key] for key in kept if variant["name"] in before}}
        for variant in planned["variants"]
    ]
    capture = planned["capture"] if "DataCaptureConfig" in excluded else deployed["capture"]
    return {**planned, "variants": variants, "capture": capture}


def _scale(cloud: Cloud, name: str, planned: Body) -> None:
    reason = None
    for fleet in hosting(cloud).open(name).fleets:
        try:
            for variant in planned["variants"]:
                fleet.weigh(variant["name"], variant["weight"])
                fleet.scale(variant["name"], variant["instances"])
        except StartFailed as error:
            reason = str(error)
    before = cloud.store.get(KIND, name)["_deployed"]
    cloud.store.update(KIND, name, deployment.in_service(before if reason else planned, reason))


def _delete(cloud: Cloud, name: str) -> None:
    live = hosting(cloud).close(name)
    for fleet in live.fleets if live else ():
        fleet.stop()
    data_capture(cloud).flush()
    with cloud.store.transaction():
        body = cloud.store.get(KIND, name)
        cloud.store.delete(KIND, name)
        tags.forget(cloud, body["EndpointArn"])
