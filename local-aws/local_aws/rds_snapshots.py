"""Clusters restored from snapshots: moto fails where RDS kept the password, and protects the copy as the first was."""

from __future__ import annotations

from typing import Any

from moto.rds.models import DBCluster

# Attributes of a cluster that are called otherwise when one is made.
_RENAMED = {
    "_enable_http_endpoint": "enable_http_endpoint",
    "_master_user_password": "master_user_password",
    "_vpc_security_group_ids": "vpc_security_group_ids",
}
# What is of the first cluster and not of what its snapshot holds.
_OWN = ("backend", "deletion_protection", "master_user_secret")


def install() -> None:
    """Have a snapshot be restored whoever keeps the password, and into a cluster that is not protected unless told."""
    DBCluster.get_cfg = _configuration  # type: ignore[method-assign, assignment]


def _configuration(cluster: DBCluster) -> dict[str, Any]:
    return {_RENAMED.get(name, name): value for name, value in vars(cluster).items() if name not in _OWN}
