"""Stage settings: what differs between staging and prod, one small YAML file for each in stages/.
SageMaker's own bounds are checked here, so that a slip is found before anything is deployed."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from model_deploy.errors import DeploymentError

# In the order in which a version passes through them.
STAGES = ("staging", "prod")

Seconds = Annotated[int, Field(ge=0, le=3600)]
Percent = Annotated[int, Field(ge=0, le=100)]
# CloudWatch Logs keeps a log for one of these periods only.
# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
RetentionDays = Literal[
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653
]


class _Setting(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Capture(_Setting):
    """Data capture: the share of requests and answers written to S3 (0 switches it off), and the KMS key if any."""

    sampling_percent: Percent = 0
    kms_key_id: Annotated[str, Field(pattern=r"^[a-zA-Z0-9:/_-]*$")] = ""


class Scaling(_Setting):
    """Automatic scaling: instances between two bounds, so that each answers about so many requests a minute."""

    minimum_instances: Annotated[int, Field(ge=1)]
    maximum_instances: Annotated[int, Field(ge=1)]
    invocations_per_instance: Annotated[int, Field(ge=1)]

    @model_validator(mode="after")
    def _bounds_in_order(self) -> "Scaling":
        if self.minimum_instances > self.maximum_instances:
            raise ValueError("minimum_instances is above maximum_instances")
        return self


class Routing(StrEnum):
    """How traffic moves to the new version, in SageMaker's words."""

    ALL_AT_ONCE = "all_at_once"
    CANARY = "canary"
    LINEAR = "linear"
    ROLLING = "rolling"


class Update(_Setting):
    """How an endpoint that serves moves to another version.

    `step_percent` of its capacity moves first (canary), at a time (linear) or in each batch (rolling); after each step
    the alarms are watched for `wait_seconds`. All but rolling keep the old fleet for `keep_old_seconds` after the last.
    https://docs.aws.amazon.com/sagemaker/latest/dg/deployment-guardrails.html
    """

    routing: Annotated[Routing, Field(strict=False)] = Routing.ALL_AT_ONCE
    step_percent: Annotated[int, Field(ge=5, le=50)] = 50
    wait_seconds: Seconds = 0
    keep_old_seconds: Seconds = 0
    timeout_seconds: Annotated[int, Field(ge=600, le=28800)] = 1800

    @model_validator(mode="after")
    def _time_enough(self) -> "Update":
        steps = {Routing.ALL_AT_ONCE: 1, Routing.CANARY: 2}.get(self.routing, -(-100 // self.step_percent))
        waiting = steps * self.wait_seconds + self.keep_old_seconds
        if waiting >= self.timeout_seconds:
            raise ValueError(f"timeout_seconds is {self.timeout_seconds}, but the waits alone take {waiting} seconds")
        return self


class Alarms(_Setting):
    """What rolls an update back: server errors (5xx) a minute, and the 99th percentile of the model's latency."""

    server_errors: Annotated[int, Field(ge=1)] = 1
    latency_milliseconds: Annotated[int, Field(ge=1)] = 1000
    minutes: Annotated[int, Field(ge=1, le=60)] = 1
    topic_arn: Annotated[str, Field(pattern=r"^(arn:aws[a-z-]*:sns:\S+)?$")] = ""


class SmokeTest(_Setting):
    """What the endpoint must do before a deployment counts as done: answer right, and within this median latency."""

    latency_milliseconds: Annotated[int, Field(ge=1)] = 1000


class Stage(_Setting):
    """The settings of one stage. `tiers` lists the quality tiers it takes; an empty list takes any version."""

    instance_type: Annotated[str, Field(pattern=r"^ml\.[a-z0-9.-]+$")]
    instance_count: Annotated[int, Field(ge=1)]
    tiers: tuple[str, ...] = Field(default=(), strict=False)
    capture: Capture = Capture()
    scaling: Scaling | None = None
    update: Update = Update()
    alarms: Alarms = Alarms()
    smoke_test: SmokeTest = SmokeTest()
    log_retention_days: RetentionDays = 30

    @model_validator(mode="after")
    def _instances_to_step_over(self) -> "Stage":
        fewest = self.scaling.minimum_instances if self.scaling else self.instance_count
        if self.update.routing is not Routing.ALL_AT_ONCE and fewest * self.update.step_percent < 100:
            raise ValueError(
                f"{self.update.routing} by {self.update.step_percent} percent of {fewest} instance(s) is less than one "
                "instance: raise step_percent or the number of instances, or use all_at_once"
            )
        if self.scaling and not self.scaling.minimum_instances <= self.instance_count <= self.scaling.maximum_instances:
            raise ValueError("instance_count is not within the bounds of scaling")
        return self


def read_stage(path: Path) -> Stage:
    """Read a stage's file.

    Raises:
        DeploymentError: there is no such file, or a setting in it is unknown, missing or out of bounds; all are named.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        return Stage.model_validate(content)
    except OSError as error:
        raise DeploymentError(
            f"The stage file {path} cannot be read: {error.strerror}. Write one like its neighbours."
        ) from error
    except yaml.YAMLError as error:
        raise DeploymentError(f"The stage file {path} is not YAML: {error}") from error
    except ValidationError as error:
        raise DeploymentError(f"The stage file {path} does not hold: {'; '.join(_faults(error))}.") from error


def _faults(error: ValidationError) -> list[str]:
    faults = []
    for fault in error.errors():
        where = ".".join(str(part) for part in fault["loc"])
        if fault["type"] == "extra_forbidden":
            known = _known_keys(fault["loc"][:-1])
            faults.append(f"{where} is no setting; there are {', '.join(known)}")
        else:
            said = fault["msg"].removeprefix("Value error, ")
            faults.append(f"{where}: {said}" if where else said)
    return faults


def _known_keys(within: tuple[int | str, ...]) -> list[str]:
    model: type[BaseModel] = Stage
    groups: dict[str, type[BaseModel]] = {
        "capture": Capture,
        "scaling": Scaling,
        "update": Update,
        "alarms": Alarms,
        "smoke_test": SmokeTest,
    }
    for part in within:
        model = groups.get(str(part), model)
    return list(model.model_fields)
