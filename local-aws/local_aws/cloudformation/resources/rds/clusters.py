"""AWS::RDS: database clusters, Aurora's above all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from local_aws.cloudformation.absence import may_be_gone
from local_aws.cloudformation.canonical import canonical
from local_aws.cloudformation.refusals import ResourceFailed
from local_aws.cloudformation.resource_type import Wanted, resource_type
from local_aws.cloudformation.resources.rds.cluster_properties import (
    PROPERTIES,
    RECORDED,
    REFUSED,
    REPLACING,
    cluster_request,
)
from local_aws.cloudformation.resources.rds.database_resource import DatabaseResource, retag

# What a change does not name again: RDS takes them when a cluster is made, and refuses or misreads them afterwards.
_ONCE = {"EnableCloudwatchLogsExports", "ManageMasterUserPassword", "MasterUserSecret", "Tags"}


@resource_type
class DbCluster(DatabaseResource):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-rds-dbcluster.html"""

    type_name = "AWS::RDS::DBCluster"
    properties = PROPERTIES
    replacing = REPLACING
    recorded = RECORDED
    name_property = "DBClusterIdentifier"
    takes_snapshots = True
    attribute_names = frozenset(
        {
            "DBClusterArn",
            "DBClusterResourceId",
            "Endpoint.Address",
            "Endpoint.Port",
            "MasterUserSecret.SecretArn",
            "ReadEndpoint.Address",
        }
    )

    def default_deletion_policy(self, properties: Mapping[str, Any]) -> str:
        return "Snapshot"

    def malformed(self, properties: Mapping[str, Any]) -> str | None:
        refused = next((name for name in REFUSED if properties.get(name)), None)
        if refused:
            return f"Property {refused} is not carried out by local-aws: restore a snapshot by SnapshotIdentifier"
        if not properties.get("Engine"):
            return "Property Engine cannot be empty."
        managed = canonical(properties.get("ManageMasterUserPassword")) == "true"
        if managed and properties.get("MasterUserPassword"):
            return "You can't specify MasterUserPassword when ManageMasterUserPassword is true"
        return None

    def create(self, wanted: Wanted) -> str:
        rds, name = wanted.client("rds"), wanted.name("DBClusterIdentifier", 63, lower=True).lower()
        if wanted.properties.get("DBClusterIdentifier") and _is_there(rds, name):
            raise ResourceFailed(f"DB Cluster already exists: {name}")
        snapshot = wanted.properties.get("SnapshotIdentifier")
        if snapshot:
            request = cluster_request("RestoreDBClusterFromSnapshot", wanted.properties)
            rds.restore_db_cluster_from_snapshot(**{**request, "DBClusterIdentifier": name})
        else:
            request = cluster_request("CreateDBCluster", wanted.properties)
            rds.create_db_cluster(**{**request, "DBClusterIdentifier": name})
        return name

    def update(self, wanted: Wanted, physical_id: str, before: Mapping[str, Any]) -> None:
        after = wanted.properties
        changed = {
            name: value
            for name, value in after.items()
            if name not in _ONCE and canonical(value) != canonical(before.get(name))
        }
        request = cluster_request("ModifyDBCluster", changed)
        exported, exports = (set(given.get("EnableCloudwatchLogsExports") or []) for given in (before, after))
        if exported != exports:
            request["CloudwatchLogsExportConfiguration"] = {
                "EnableLogTypes": sorted(exports - exported),
                "DisableLogTypes": sorted(exported - exports),
            }
        managed, manages = (canonical(given.get("ManageMasterUserPassword", False)) for given in (before, after))
        if managed != manages:
            request["ManageMasterUserPassword"] = manages == "true"
            key = (after.get("MasterUserSecret") or {}).get("KmsKeyId")
            request |= {"MasterUserSecretKmsKeyId": key} if key and manages == "true" else {}
        if "DeletionProtection" in before and "DeletionProtection" not in after:
            request["DeletionProtection"] = False
        request |= {"DBClusterIdentifier": physical_id, "ApplyImmediately": True}
        wanted.client("rds").modify_db_cluster(**request)
        retag(wanted, f"cluster:{physical_id}", before)

    def delete(self, wanted: Wanted, physical_id: str) -> None:
        with may_be_gone():
            wanted.client("rds").delete_db_cluster(DBClusterIdentifier=physical_id, SkipFinalSnapshot=True)

    def delete_with_snapshot(self, wanted: Wanted, physical_id: str, snapshot: str) -> None:
        with may_be_gone():
            wanted.client("rds").delete_db_cluster(
                DBClusterIdentifier=physical_id, SkipFinalSnapshot=False, FinalDBSnapshotIdentifier=snapshot
            )

    def attributes(self, wanted: Wanted, physical_id: str) -> dict[str, Any]:
        found = wanted.client("rds").describe_db_clusters(DBClusterIdentifier=physical_id)["DBClusters"][0]
        return {
            "DBClusterArn": found["DBClusterArn"],
            "DBClusterResourceId": found["DbClusterResourceId"],
            "Endpoint.Address": found["Endpoint"],
            "Endpoint.Port": str(found["Port"]),
            "MasterUserSecret.SecretArn": found.get("MasterUserSecret", {}).get("SecretArn", ""),
            "ReadEndpoint.Address": found.get("ReaderEndpoint", ""),
        }


def _is_there(rds: Any, name: str) -> bool:
    """Whether a cluster has the name already: moto would make another in its place."""
    return any(each["DBClusterIdentifier"] == name for each in rds.describe_db_clusters()["DBClusters"])
