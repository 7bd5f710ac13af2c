"""Deployments: an endpoint configuration becomes a fleet in service, and one fleet takes over from another.
The fleet in service keeps answering until the next one does, and again if that one is rolled back.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

from local_aws import images
from local_aws.cloud import Cloud
from local_aws.errors import AwsError
from local_aws.sagemaker import endpoint_configs, models
from local_aws.sagemaker.alarms import in_alarm
from local_aws.sagemaker.data_capture import CaptureConfig
from local_aws.sagemaker.fleet import Fleet
from local_aws.sagemaker.hosting import KIND, LiveEndpoint, hosting
from local_aws.sagemaker.model_data import ModelData
from local_aws.sagemaker.models import ServedModel
from local_aws.sagemaker.serving_process import StartFailed, Variant
from local_aws.sagemaker.traffic_shift import TrafficShift
from local_aws.store import Missing, now

_LOG = logging.getLogger(__name__)
# "8 minutes after startup": https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html
_STARTUP_SECONDS = 480.0
_ALARM_SECONDS = 0.5
_REASON_CHARACTERS = 1024

Body = dict[str, Any]


class RolledBack(Exception):
    """An update that was given up while its traffic moved; the message is a FailureReason."""


def plan(cloud: Cloud, config_name: str) -> Body:
    """What an endpoint of this configuration runs, complete in itself: configuration and models may be deleted later.

    Raises `AwsError` when the configuration, a model or an image is missing.
    """
    config = endpoint_configs.find(cloud, config_name)
    variants = []
    for variant in config["ProductionVariants"]:
        model = models.served(cloud, variant["ModelName"])
        image = images.resolve(cloud, model.image)
        variants.append(
            {
                "name": variant["VariantName"],
                "model": asdict(replace(model, image=image.pinned)),
                "specified_image": model.image,
                "instances": variant["InitialInstanceCount"],
                "weight": variant["InitialVariantWeight"],
                "startup_seconds": variant.get("ContainerStartupHealthCheckTimeoutInSeconds", _STARTUP_SECONDS),
            }
        )
    return {"config": config_name, "variants": variants, "capture": config.get("DataCaptureConfig")}


def create(cloud: Cloud, name: str) -> None:
    """Bring a new endpoint into service, in a thread of its own."""
    _in_thread(cloud, name, "Failed", _create)


def update(cloud: Cloud, name: str) -> None:
    """Have the pending plan of an endpoint take over from the one in service, in a thread of its own."""
    _in_thread(cloud, name, "InService", _update)


def restore(cloud: Cloud, name: str) -> None:
    """Bring an endpoint back into service after a restart of the cloud, and go on with an update that it had begun."""
    _in_thread(cloud, name, "OutOfService", _restore)


def fleet(cloud: Cloud, name: str, planned: Body) -> Fleet:
    """The fleet that a plan describes, not yet started."""
    return Fleet(
        cloud, name, [_variant(variant) for variant in planned["variants"]], CaptureConfig.of(planned["capture"])
    )


def rendered(planned: Body) -> list[Body]:
    """The variants of a plan as DescribeEndpoint answers them."""
    return [
        {
            "VariantName": variant["name"],
            "DeployedImages": [
                {
                    "SpecifiedImage": variant["specified_image"],
                    "ResolvedImage": variant["model"]["image"],
                    "ResolutionTime": now(),
                }
            ],
            "CurrentWeight": variant["weight"],
            "DesiredWeight": variant["weight"],
            "CurrentInstanceCount": variant["instances"],
            "DesiredInstanceCount": variant["instances"],
        }
        for variant in planned["variants"]
    ]


def in_service(planned: Body, reason: str | None = None) -> Body:
    """The fields of an endpoint that serves a plan; `reason` says why the last update did not come to be."""
    return {
        "EndpointStatus": "InService",
        "EndpointConfigName": planned["config"],
        "ProductionVariants": rendered(planned),
        "DataCaptureConfig": _capture_summary(planned["capture"]),
        "FailureReason": reason[:_REASON_CHARACTERS] if reason else None,
        "LastModifiedTime": now(),
        "PendingDeploymentSummary": None,
        "_deployed": planned,
        "_pending": None,
    }


def _create(cloud: Cloud, name: str) -> None:
    planned = cloud.store.get(KIND, name)["_pending"]
    first = fleet(cloud, name, planned)
    first.start()
    hosting(cloud).open(name).route((first, 1.0))
    cloud.store.update(KIND, name, in_service(planned))


def _update(cloud: Cloud, name: str) -> None:
    body = cloud.store.get(KIND, name)
    planned, deployed = body["_pending"], body["_deployed"]
    live = hosting(cloud).open(name)
    old = live.fleets
    next_fleet = fleet(cloud, name, planned)
    shift = TrafficShift.of(
        body.get("LastDeploymentConfig"), sum(variant["instances"] for variant in planned["variants"])
    )
    try:
        next_fleet.start()
        _move(cloud, name, live, old[0] if old else None, next_fleet, shift)
    except (StartFailed, RolledBack, AwsError) as error:
        cloud.store.update(KIND, name, {"EndpointStatus": "RollingBack", "LastModifiedTime": now()})
        if old:
            live.route((old[0], 1.0))
        next_fleet.stop()
        cloud.store.update(KIND, name, in_service(deployed, str(error)))
        return
    cloud.store.update(KIND, name, in_service(planned))
    cloud.stopping.wait(shift.termination_seconds)
    for gone in old:
        gone.stop()


def _restore(cloud: Cloud, name: str) -> None:
    deployed = cloud.store.get(KIND, name)["_deployed"]
    again = fleet(cloud, name, deployed)
    again.start()
    hosting(cloud).open(name).route((again, 1.0))
    body = cloud.store.get(KIND, name)
    if body["_pending"] is not None:
        _update(cloud, name)


def _move(cloud: Cloud, name: str, live: LiveEndpoint, old: Fleet | None, new: Fleet, shift: TrafficShift) -> None:
    """Take the traffic from one fleet to the next step by step; raises `RolledBack` as soon as an alarm goes off."""
    for step in shift.steps:
        if old is None or step.share >= 1.0:
            live.route((new, 1.0))
        else:
            live.route((old, 1.0 - step.share), (new, step.share))
        deadline = time.monotonic() + step.bake_seconds
        while True:
            ringing = in_alarm(cloud, shift.alarms)
            if ringing:
                raise RolledBack(
                    f"The update was rolled back: {', '.join(ringing)} went into ALARM while it was carried out."
                )
            pause = _ALARM_SECONDS if shift.alarms else step.bake_seconds
            if time.monotonic() >= deadline or cloud.stopping.wait(pause):
                break


def _in_thread(cloud: Cloud, name: str, failed_status: str, act: Callable[[Cloud, str], None]) -> None:
    def run() -> None:
        try:
            act(cloud, name)
        except Missing:
            _LOG.info("endpoint %s is gone", name)
        except (StartFailed, AwsError) as error:
            _fail(cloud, name, failed_status, str(error))
        except Exception as error:
            _LOG.exception("deployment of endpoint %s", name)
            _fail(cloud, name, failed_status, f"Internal failure: {type(error).__name__}: {error}")

    threading.Thread(target=run, name=f"deployment of {name}", daemon=True).start()


def _fail(cloud: Cloud, name: str, status: str, reason: str) -> None:
    if cloud.stopping.is_set():
        return
    if status != "InService":
        hosting(cloud).close(name)
    change = {"EndpointStatus": status, "FailureReason": reason[:_REASON_CHARACTERS], "LastModifiedTime": now()}
    cloud.store.update(KIND, name, {**change, "_pending": None, "PendingDeploymentSummary": None})


def _variant(variant: Body) -> Variant:
    model = variant["model"]
    data = ModelData(**model["data"]) if model["data"] else None
    return Variant(
        name=variant["name"],
        model=ServedModel(model["name"], model["image"], data, model["environment"], model.get("role")),
        instances=variant["instances"],
        weight=variant["weight"],
        startup_seconds=variant["startup_seconds"],
    )


def _capture_summary(config: Body | None) -> Body | None:
    """https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_DataCaptureConfigSummary.html"""
    if config is None:
        return None
    enabled = config.get("EnableCapture", True)
    return {
        "EnableCapture": enabled,
        "CaptureStatus": "Started" if enabled else "Stopped",
        "CurrentSamplingPercentage": config["InitialSamplingPercentage"],
        "DestinationS3Uri": config["DestinationS3Uri"],
        "KmsKeyId": config.get("KmsKeyId", ""),
    }
