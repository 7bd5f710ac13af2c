"""What this cloud says when it refuses: an AWS error code, a message and an HTTP status."""

from __future__ import annotations


class AwsError(Exception):
    """A refusal as the AWS service itself would word it.

    `code` is the error code of the service's API reference (for instance `ValidationException`), `status` the HTTP
    status it travels with.
    """

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


def validation_error(message: str) -> AwsError:
    """A request that breaks a rule of the API, as SageMaker answers it."""
    return AwsError("ValidationException", message)


def not_found(message: str) -> AwsError:
    """A resource named in a request that does not exist.

    SageMaker answers `ValidationException` with "Could not find ..." for its older resources and `ResourceNotFound`
    for the others: https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_ResourceNotFound.html
    """
    return AwsError("ResourceNotFound", message)


def in_use(message: str) -> AwsError:
    """A name that is taken: https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_ResourceInUse.html"""
    return AwsError("ResourceInUse", message)
