"""The job's account on the MLflow server, from a secret of Secrets Manager that is read when the job runs.
Its name travels in the job's environment; its content is nowhere but in this process and its children."""

import json
from collections.abc import MutableMapping
from typing import Any

from failure import TrainingError

SECRET_VARIABLE = "MLFLOW_SECRET_ARN"  # noqa: S105 (a name, not a secret)
# A VPC without a way to Secrets Manager answers nothing: three attempts of ten seconds, not ten minutes.
_CONNECT_SECONDS = 10
_ATTEMPTS = 3


def take_account(environment: MutableMapping[str, str]) -> None:
    """Set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD from the secret that MLFLOW_SECRET_ARN names, if any.

    The secret is JSON with the keys `username` and `password`. Raises TrainingError when it cannot be read or is of
    another form; what is in it is never repeated.
    """
    arn = environment.get(SECRET_VARIABLE, "")
    if not arn:
        return
    content = _read(arn)
    environment["MLFLOW_TRACKING_USERNAME"] = content["username"]
    environment["MLFLOW_TRACKING_PASSWORD"] = content["password"]


def _read(arn: str) -> dict[str, str]:
    # Only a job whose server asks for an account waits for this import.
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    parts = arn.split(":")
    if len(parts) < 7 or parts[2] != "secretsmanager":
        raise TrainingError(f"{SECRET_VARIABLE} is {arn!r}, which is not the ARN of a secret of Secrets Manager.")
    patience = Config(
        connect_timeout=_CONNECT_SECONDS, read_timeout=_CONNECT_SECONDS, retries={"total_max_attempts": _ATTEMPTS}
    )
    secrets = boto3.client("secretsmanager", region_name=parts[3], config=patience)
    try:
        text = secrets.get_secret_value(SecretId=arn).get("SecretString", "")
    except ClientError as error:
        raise TrainingError(_refusal(arn, error.response["Error"])) from error
    except BotoCoreError as error:
        raise TrainingError(
            f"Secrets Manager cannot be asked for the secret {arn} ({type(error).__name__}). Check the job's network: "
            "in a VPC it needs a way out, or an endpoint for Secrets Manager."
        ) from error
    return _parsed(arn, text)


def _refusal(arn: str, error: dict[str, Any]) -> str:
    code, message = error.get("Code", ""), error.get("Message", "")
    if code.startswith("AccessDenied"):
        return (
            f"The job's role may not read the secret {arn}: {message} Allow secretsmanager:GetSecretValue on it, and "
            "kms:Decrypt if it has a key of its own."
        )
    if code == "ResourceNotFoundException":
        return f"There is no secret {arn}, which should hold the job's MLflow account: create it, or name another."
    return f"Secrets Manager does not give the secret {arn} out: {message} ({code})."


def _parsed(arn: str, text: str) -> dict[str, str]:
    try:
        content = json.loads(text)
        account = {key: content[key] for key in ("username", "password")}
    except (ValueError, KeyError, TypeError):
        account = {}
    if not account or not all(isinstance(value, str) and value for value in account.values()):
        # From None: the error of the JSON parser holds the text it could not read.
        raise TrainingError(
            f'The secret {arn} is not of the form {{"username": "...", "password": "..."}}: write it anew.'
        ) from None
    return account
