"""AWS::RDS: database instances, alone or of a cluster."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from local_aws.cloudformation.absence import may_be_gone
from local_aws.cloudformation.api_request import api_request
from local_aws.cloudformation.canonical import canonical
from local_aws.cloudformation.resource_type import Wanted, resource_type
from local_aws.cloudformation.resources.rds.database_resource import DatabaseResource, retag
from local_aws.cloudformation.resources.rds.instance_properties import PROPERTIES, RECORDED, REFUSED, REPLACING

_RENAMED = {"VPCSecurityGroups": "VpcSecurityGroupIds"}
_ONCE = {"EnableCloudwatchLogsExports", "ManageMasterUserPassword", "MasterUserSecret", "Tags"}


@resource_type
class DbInstance(DatabaseResource):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-rds-dbinstance.html"""

    type_name = "AWS::RDS::DBInstance"
    properties = PROPERTIES
    replacing = REPLACING
    recorded = RECORDED
    name_property = "DBInstanceIdentifier"
    takes_snapshots = True
    attribute_names = frozenset(
        {
            "DBInstanceArn",
            "DbiResourceId",
            "Endpoint.Address",
            "Endpoint.HostedZoneId",
            "Endpoint.Port",
            "MasterUserSecret.SecretArn",
        }
    )

    def default_deletion_policy(self, properties: Mapping[str, Any]) -> str:
        return "Delete" if "DBClusterIdentifier" in properties else "Snapshot"

    def malformed(self, properties: Mapping[str, Any]) -> str | None:
        refused = next((name for name in REFUSED if properties.get(name)), None)
        if refused:
            return f"Property {refused} is not carried out by local-aws"
        missing = next((name for name in ("DBInstanceClass", "Engine") if not properties.get(name)), None)
        return f"Property {missing} cannot be empty." if missing else None

    def create(self, wanted: Wanted) -> str:
        name = wanted.name("DBInstanceIdentifier", 63, lower=True).lower()
        request = _request("CreateDBInstance", wanted.properties)
        wanted.client("rds").create_db_instance(**{**request, "DBInstanceIdentifier": name})
        return name

    def update(self, wanted: Wanted, physical_id: str, before: Mapping[str, Any]) -> None:
        changed = {
            name: value
            for name, value in wanted.properties.items()
            if name not in _ONCE and canonical(value) != canonical(before.get(name))
        }
        request = {**_request("ModifyDBInstance", changed), "ApplyImmediately": True}
        wanted.client("rds").modify_db_instance(**{**request, "DBInstanceIdentifier": physical_id})
        retag(wanted, f"db:{physical_id}", before)

    def delete(self, wanted: Wanted, physical_id: str) -> None:
        with may_be_gone():
            wanted.client("rds").delete_db_instance(DBInstanceIdentifier=physical_id, SkipFinalSnapshot=True)

    def delete_with_snapshot(self, wanted: Wanted, physical_id: str, snapshot: str) -> None:
        with may_be_gone():
            wanted.client("rds").delete_db_instance(
                DBInstanceIdentifier=physical_id, SkipFinalSnapshot=False, FinalDBSnapshotIdentifier=snapshot
            )

    def attributes(self, wanted: Wanted, physical_id: str) -> dict[str, Any]:
        found = wanted.client("rds").describe_db_instances(DBInstanceIdentifier=physical_id)["DBInstances"][0]
        endpoint = found.get("Endpoint", {})
        return {
            "DBInstanceArn": found["DBInstanceArn"],
            "DbiResourceId": found.get("DbiResourceId", ""),
            "Endpoint.Address": endpoint.get("Address", ""),
            "Endpoint.HostedZoneId": endpoint.get("HostedZoneId", ""),
            "Endpoint.Port": str(endpoint.get("Port", "")),
            "MasterUserSecret.SecretArn": found.get("MasterUserSecret", {}).get("SecretArn", ""),
        }


def _request(operation: str, properties: Mapping[str, Any]) -> dict[str, Any]:
    given = {_RENAMED.get(name, name): value for name, value in properties.items() if name != "MasterUserSecret"}
    key = (properties.get("MasterUserSecret") or {}).get("KmsKeyId")
    return api_request("rds", operation, {**given, **({"MasterUserSecretKmsKeyId": key} if key else {})})
