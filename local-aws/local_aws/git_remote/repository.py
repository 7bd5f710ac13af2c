"""A bare repository of the git remote: where it lies, and what its branches and commits are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from local_aws.cloud import Cloud


def path(cloud: Cloud, name: str) -> Path:
    """The folder of the bare repository `name` ("owner/name", or a CodeCommit name), whether it is there or not."""
    return cloud.settings.home / "git" / f"{name}.git"


def url(cloud: Cloud, name: str) -> str:
    """What to clone from and to push to."""
    return f"{cloud.settings.endpoint_url}/git/{name}"
