"""What a build is asked to do: one frozen object, read once at the edge and checked there.
Every value has one home here; the pipeline's parameters and the command line are made from it."""

import re
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from model_build.errors import BuildError
from model_build.managed_mlflow import is_managed

# What a parameter says where there is nothing to say.
UNKNOWN = "unknown"
BUILT_IN_DATA = ("iris", "wine", "breast_cancer")

# https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreatePipeline.html, ..._API_CreateModel.html
Name = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}$")]
# SageMaker refuses an empty pipeline parameter.
Text = Annotated[str, StringConstraints(min_length=1, max_length=1024)]
InstanceType = Annotated[str, StringConstraints(pattern=r"^ml\.[a-z0-9-]+\.[a-z0-9]+$")]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Range(_Frozen):
    """The whole numbers from `low` to `high`, both included, that a hyperparameter may take."""

    low: int = Field(ge=1)
    high: int

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low > self.high:
            raise ValueError(f"the range {self.low}:{self.high} is empty")
        return self

    @classmethod
    def parse(cls, text: str) -> "Range":
        """Read `2:8`. Raises BuildError for anything else."""
        match = re.fullmatch(r"(\d+):(\d+)", text.strip())
        if not match:
            raise BuildError(f"A range is written low:high, such as 2:8, not {text!r}.")
        try:
            return cls(low=int(match[1]), high=int(match[2]))
        except ValidationError as error:
            raise BuildError(f"The range {text!r} cannot be searched: {error.errors()[0]['msg']}.") from error


Subnet = Annotated[str, StringConstraints(pattern=r"^subnet-[0-9a-zA-Z]+$")]
SecurityGroup = Annotated[str, StringConstraints(pattern=r"^sg-[0-9a-zA-Z]+$")]


class Network(_Frozen):
    """The subnets and security groups of a VPC in which the jobs run; both empty, they run in SageMaker's own network.

    https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_VpcConfig.html
    """

    subnets: tuple[Subnet, ...] = Field(default=(), max_length=16)
    security_groups: tuple[SecurityGroup, ...] = Field(default=(), max_length=5)

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if bool(self.subnets) != bool(self.security_groups):
            raise ValueError("subnets and security groups belong together: give both, or neither")
        return self


class Platform(_Frozen):
    """Where the jobs run: region, bucket for code and data, role, network, training image, instance types.

    `mlflow_secret_arn` names the secret with the jobs' MLflow account, empty where the server asks for none.
    """

    region: str
    bucket: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")]
    role_arn: Annotated[str, StringConstraints(pattern=r"^arn:aws[a-z-]*:iam::\d{12}:role/.+$")]
    network: Network = Network()
    mlflow_secret_arn: Annotated[str, StringConstraints(pattern=r"^(arn:aws[a-z-]*:secretsmanager:.+)?$")] = ""
    image: str = ""
    prepare_instance_type: InstanceType = "ml.m5.large"
    train_instance_type: InstanceType = "ml.m5.large"


class Search(_Frozen):
    """What the tuning job searches, how often and how many at a time."""

    max_depth: Range = Range(low=2, high=6)
    max_leaf_nodes: Range = Range(low=2, high=10)
    trials: int = Field(default=4, ge=1, le=750)
    parallel: int = Field(default=2, ge=1, le=100)
    strategy: Annotated[str, StringConstraints(pattern="^(Bayesian|Random)$")] = "Bayesian"

    @model_validator(mode="after")
    def _leaves(self) -> Self:
        if self.max_leaf_nodes.low < 2:
            raise ValueError("a tree has at least 2 leaf nodes")
        return self


class Data(_Frozen):
    """The data set: the name of a built-in one or an s3:// location of CSV files, and the column with the classes."""

    location: str = "iris"
    target: Text = "target"

    @model_validator(mode="after")
    def _known(self) -> Self:
        if self.location not in BUILT_IN_DATA and not re.fullmatch(r"s3://[a-z0-9.-]+(/.*)?", self.location):
            raise ValueError(f"{self.location!r} is neither one of {', '.join(BUILT_IN_DATA)} nor an s3:// location")
        if self.location in BUILT_IN_DATA and self.target != "target":
            raise ValueError(
                f"the target column {self.target!r} can be chosen for data in S3 only, not for {self.location}"
            )
        return self


class Source(_Frozen):
    """The commit that is built and what triggered it."""

    commit: Text = UNKNOWN
    trigger: Text = "manual"


class Settings(_Frozen):
    """One build."""

    model_name: Name = "iris"
    tracking_uri: str
    experiment: Annotated[str, StringConstraints(min_length=1, max_length=250)] = "iris"
    platform: Platform
    search: Search = Search()
    data: Data = Data()
    source: Source = Source()
    seed: int = Field(default=42, ge=0, le=2**31 - 1)
    gate: Text = "gate.yaml"
    register_policy: Annotated[str, StringConstraints(pattern="^(every|best)$")] = "every"
    cache: bool = True

    @property
    def pipeline_name(self) -> str:
        return f"{self.model_name}-build"

    @model_validator(mode="after")
    def _address_of_an_mlflow(self) -> Self:
        parts = urlsplit(self.tracking_uri)
        if parts.username or parts.password:
            # It becomes a hyperparameter, which anyone who may describe the job can read.
            raise ValueError("the tracking URI carries credentials: take them out of it")
        if is_managed(self.tracking_uri):
            if self.platform.mlflow_secret_arn:
                raise ValueError(
                    "a managed MLflow lets the jobs in by their role: leave --mlflow-secret (MLFLOW_SECRET_ARN) out"
                )
        elif parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(
                f"the tracking URI {self.tracking_uri!r} is neither http(s)://HOST nor an ARN of a managed MLflow, "
                "arn:aws:sagemaker:REGION:ACCOUNT:mlflow-tracking-server/NAME or ...:mlflow-app/NAME"
            )
        return self


def checked(build: dict[str, object]) -> Settings:
    """Make the settings of a build. Raises BuildError naming each value that is wrong."""
    try:
        return Settings.model_validate(build)
    except ValidationError as error:
        wrong = [f"{_option(each['loc'])}: {_reason(each['msg'])}" for each in error.errors()]
        raise BuildError("These settings cannot be used: " + "; ".join(wrong) + ".") from error


# By what a person sets them.
_OPTIONS = {
    "platform.role_arn": "--role-arn (EXECUTION_ROLE_ARN)",
    "platform.bucket": "--bucket (ARTIFACT_BUCKET)",
    "platform.network": "--subnets (SUBNETS) and --security-groups (SECURITY_GROUPS)",
    "platform.network.subnets": "--subnets (SUBNETS)",
    "platform.network.security_groups": "--security-groups (SECURITY_GROUPS)",
    "platform.mlflow_secret_arn": "--mlflow-secret (MLFLOW_SECRET_ARN)",
    "model_name": "--model-name (MODEL_NAME)",
}


def _option(location: tuple[object, ...]) -> str:
    path = ".".join(part for part in location if isinstance(part, str)) or "settings"
    return _OPTIONS.get(path, path)


def _reason(message: str) -> str:
    return message.removeprefix("Value error, ")
