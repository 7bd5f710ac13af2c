"""Which logs a database cluster hands to CloudWatch: moto reads the change of a cluster from a member AWS has not."""

from __future__ import annotations

from typing import Any

from moto.rds.models import DBCluster, RDSBackend


def install() -> None:
    """Have ModifyDBCluster's CloudwatchLogsExportConfiguration change what is exported."""
    modify = RDSBackend.modify_db_cluster

    def modify_with_exports(backend: RDSBackend, changes: dict[str, Any]) -> DBCluster:
        exports = changes.pop("cloudwatch_logs_export_configuration", None)
        return modify(backend, {**changes, "enable_cloudwatch_logs_exports": exports})

    RDSBackend.modify_db_cluster = modify_with_exports  # type: ignore[method-assign, assignment]
