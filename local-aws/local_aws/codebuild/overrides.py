"""What a build is made of: the project, and what StartBuild asks for in its place.

https://docs.aws.amazon.com/codebuild/latest/APIReference/API_StartBuild.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from local_aws.codebuild.projects import invalid

Body = dict[str, Any]

# Overrides of a member of the project, and of a member of a member.
_MEMBERS = {
    "secondarySourcesOverride": "secondarySources",
    "secondarySourcesVersionOverride": "secondarySourceVersions",
    "sourceVersion": "sourceVersion",
    "artifactsOverride": "artifacts",
    "secondaryArtifactsOverride": "secondaryArtifacts",
    "cacheOverride": "cache",
    "serviceRoleOverride": "serviceRole",
    "timeoutInMinutesOverride": "timeoutInMinutes",
    "queuedTimeoutInMinutesOverride": "queuedTimeoutInMinutes",
    "encryptionKeyOverride": "encryptionKey",
    "logsConfigOverride": "logsConfig",
}
_INNER = {
    "sourceTypeOverride": ("source", "type"),
    "sourceLocationOverride": ("source", "location"),
    "gitCloneDepthOverride": ("source", "gitCloneDepth"),
    "buildspecOverride": ("source", "buildspec"),
    "environmentTypeOverride": ("environment", "type"),
    "imageOverride": ("environment", "image"),
    "computeTypeOverride": ("environment", "computeType"),
    "privilegedModeOverride": ("environment", "privilegedMode"),
    "imagePullCredentialsTypeOverride": ("environment", "imagePullCredentialsType"),
}
_OWN = {"projectName", "environmentVariablesOverride", "idempotencyToken"}


def applied(project: Mapping[str, Any], request: Mapping[str, Any]) -> Body:
    """The project as this build sees it; raises `AwsError` naming an override that is not carried out here."""
    changed: Body = {**project, "source": {**project["source"]}, "environment": {**project["environment"]}}
    for name, value in request.items():
        if name in _MEMBERS:
            changed[_MEMBERS[name]] = value
        elif name in _INNER:
            member, inner = _INNER[name]
            changed[member][inner] = value
        elif name not in _OWN and value:
            raise invalid(f"{name} is not carried out by local-aws")
    if "sourceTypeOverride" in request and request["sourceTypeOverride"] == "NO_SOURCE":
        changed["source"].pop("location", None)
    changed["environment"]["environmentVariables"] = _merged(
        project["environment"].get("environmentVariables", []), request.get("environmentVariablesOverride", [])
    )
    return changed


def _merged(project: list[Body], given: list[Body]) -> list[Body]:
    """The project's variables with those given in their place, or after them."""
    both = {item["name"]: item for item in (*project, *given)}
    return [{"type": "PLAINTEXT", **item} for item in both.values()]
