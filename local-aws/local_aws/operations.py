"""The table of what this cloud can do: each service's operations by name, filled by the modules that carry them out."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from local_aws.cloud import Cloud

Handler = Callable[["Cloud", dict[str, Any]], dict[str, Any] | None]


class Service:
    """One AWS service by its botocore name, and the operations of it that are carried out here.

    A handler gets the cloud and the validated request (names as in the API reference, timestamps as aware datetimes,
    blobs as bytes) and answers the response in the same form, or None where the operation answers nothing. It
    refuses by raising `AwsError`.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.operations: dict[str, Handler] = {}

    def operation(self, name: str) -> Callable[[Handler], Handler]:
        """Register a function as the one that carries out the operation `name`."""

        def register(handler: Handler) -> Handler:
            self.operations[name] = handler
            return handler

        return register


SAGEMAKER = Service("sagemaker")
RUNTIME = Service("sagemaker-runtime")
CLOUDFORMATION = Service("cloudformation")
IAM = Service("iam")
STS = Service("sts")
CODEPIPELINE = Service("codepipeline")
CODEBUILD = Service("codebuild")
CODECOMMIT = Service("codecommit")
CODECONNECTIONS = Service("codeconnections")
CODESTAR_CONNECTIONS = Service("codestar-connections")
