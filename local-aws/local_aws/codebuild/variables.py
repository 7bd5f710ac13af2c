"""The environment variables of a build: where each comes from, who wins, and which values are secrets.

What is given to StartBuild wins over the project's, and that over the buildspec's; CodeBuild's own win over all.
https://docs.aws.amazon.com/codebuild/latest/userguide/build-env-ref-env-vars.html
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from local_aws.cloud import Cloud
from local_aws.codebuild.buildspec import Buildspec
from local_aws.codebuild.failure import CLIENT_ERROR, PhaseFailed
from local_aws.errors import AwsError

PLAINTEXT, PARAMETER_STORE, SECRETS_MANAGER = "PLAINTEXT", "PARAMETER_STORE", "SECRETS_MANAGER"


@dataclass(frozen=True)
class Variables:
    """Names and values, and the names of those whose values must not be seen in a log or leave the build."""

    values: dict[str, str] = field(default_factory=dict)
    secret: frozenset[str] = frozenset()

    def secrets(self) -> list[str]:
        return [self.values[name] for name in self.secret]


def resolved(cloud: Cloud, build: Mapping[str, Any], buildspec: Buildspec) -> Variables:
    """The variables of a build, with the secrets read on behalf of whoever acts now.

    Raises `PhaseFailed` for a parameter or secret that cannot be read, as the agent does before the first phase.
    """
    wanted: dict[str, tuple[str, str]] = {
        **{name: (PLAINTEXT, value) for name, value in buildspec.variables.items()},
        **{name: (PARAMETER_STORE, value) for name, value in buildspec.parameters.items()},
        **{name: (SECRETS_MANAGER, value) for name, value in buildspec.secrets.items()},
        **{
            item["name"]: (item.get("type", PLAINTEXT), item["value"])
            for item in build["environment"].get("environmentVariables", [])
        },
    }
    values = {name: _READERS[kind](cloud, value) for name, (kind, value) in wanted.items()}
    return Variables(values, frozenset(name for name, (kind, _) in wanted.items() if kind != PLAINTEXT))


def _plain(_: Cloud, value: str) -> str:
    return value


def _parameter(cloud: Cloud, name: str) -> str:
    try:
        found = cloud.client("ssm").get_parameter(Name=name, WithDecryption=True)
    except (ClientError, AwsError) as error:
        raise _unreadable("parameter", name, error) from error
    return str(found["Parameter"]["Value"])


def _secret(cloud: Cloud, reference: str) -> str:
    """The value of `secret-id:json-key:version-stage:version-id`, of which all but the first may be left out."""
    secret_id, key, stage, version = split_reference(reference)
    which = {**({"VersionStage": stage} if stage else {}), **({"VersionId": version} if version else {})}
    try:
        found = cloud.client("secretsmanager").get_secret_value(SecretId=secret_id, **which)
    except (ClientError, AwsError) as error:
        raise _unreadable("secret", reference, error) from error
    text = found.get("SecretString")
    if text is None:
        raise PhaseFailed(CLIENT_ERROR, f"Secrets Manager Error Message: {secret_id} has no text (SecretString)")
    if not key:
        return str(text)
    try:
        content = json.loads(text)
        value = content[key]
    except (ValueError, KeyError, TypeError):
        raise PhaseFailed(
            CLIENT_ERROR, f"Secrets Manager Error Message: {secret_id} is no JSON object with the key {key!r}"
        ) from None
    return value if isinstance(value, str) else json.dumps(value)


def split_reference(reference: str) -> tuple[str, str, str, str]:
    """A secret's id, JSON key, version stage and version id; the id may be an ARN, which has colons of its own."""
    parts = reference.split(":")
    width = 7 if parts[0] == "arn" else 1
    rest = [*parts[width:], "", "", ""]
    return ":".join(parts[:width]), rest[0], rest[1], rest[2]


def _unreadable(what: str, name: str, error: ClientError | AwsError) -> PhaseFailed:
    service = {"parameter": "Parameter Store", "secret": "Secrets Manager"}[what]
    if isinstance(error, AwsError):
        code, message = error.code, error.message
    else:
        code, message = error.response["Error"]["Code"], error.response["Error"]["Message"]
    return PhaseFailed(CLIENT_ERROR, f"{service} Error Message: {code}: {message} (asked for {name})")


_READERS: dict[str, Callable[[Cloud, str], str]] = {
    PLAINTEXT: _plain,
    PARAMETER_STORE: _parameter,
    SECRETS_MANAGER: _secret,
}


def cloud_variables(cloud: Cloud) -> dict[str, str]:
    """Where the SDKs of a build find this cloud; a project may set them otherwise."""
    return {
        "AWS_ENDPOINT_URL": cloud.settings.endpoint_url,
        "AWS_REGION": cloud.settings.region,
        "AWS_DEFAULT_REGION": cloud.settings.region,
    }


def own(cloud: Cloud, build: Mapping[str, Any]) -> dict[str, str]:
    """CodeBuild's variables that are known before the sources are there."""
    identifier = build["id"]
    group, stream = build["logs"].get("groupName"), build["logs"].get("streamName", "")
    return {
        "CI": "true",
        "CODEBUILD_BUILD_ARN": build["arn"],
        "CODEBUILD_BUILD_ID": identifier,
        "CODEBUILD_BUILD_IMAGE": build["environment"]["image"],
        "CODEBUILD_BUILD_NUMBER": str(build["buildNumber"]),
        "CODEBUILD_BUILD_SUCCEEDING": "1",
        "CODEBUILD_BUILD_URL": build["logs"]["deepLink"],
        "CODEBUILD_CONTAINER_NAME": "default",
        "CODEBUILD_INITIATOR": build["initiator"],
        "CODEBUILD_KMS_KEY_ID": build["encryptionKey"],
        "CODEBUILD_LOG_PATH": stream,
        "CODEBUILD_PROJECT_ARN": cloud.arn(f"project/{build['projectName']}", "codebuild"),
        "CODEBUILD_PROJECT_UUID": build["_projectUuid"],
        "CODEBUILD_START_TIME": str(int(build["startTime"].timestamp() * 1000)),
        **({"CODEBUILD_LOG_GROUP": group} if group else {}),
    }
