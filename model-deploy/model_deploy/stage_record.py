"""What the registry learns of a deployment: the stage's alias moves to the version, and tags say where, when and from
which commit it was deployed."""

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from model_deploy.version import RegisteredVersion


class Recorder(Protocol):
    """Who writes it down."""

    def record(self, version: RegisteredVersion, alias: str, tags: Mapping[str, str]) -> None: ...


def deployment_tags(
    version: RegisteredVersion, stage: str, endpoint_name: str, commit: str, now: datetime, *, changed: bool
) -> dict[str, str]:
    """The tags of a deployment that are to be written.

    What changed nothing is no deployment: its time and commit are those of the one that did.
    """
    tags = {
        f"{stage}_endpoint": endpoint_name,
        f"{stage}_deployed_at": now.isoformat(timespec="seconds"),
        f"{stage}_commit": commit,
    }
    if not changed and stage in version.aliases:
        return {name: value for name, value in tags.items() if name not in version.tags}
    return tags
