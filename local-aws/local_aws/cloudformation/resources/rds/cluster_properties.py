"""The properties of a database cluster: what each is called in RDS's API, and what becomes of it here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from local_aws.cloudformation.api_request import api_request

# Those that the API calls otherwise.
_RENAMED = {"PerformanceInsightsEnabled": "EnablePerformanceInsights"}
# https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-rds-dbcluster.html
REPLACING = frozenset(
    {
        "AvailabilityZones",
        "ClusterScalabilityType",
        "DBClusterIdentifier",
        "DBSubnetGroupName",
        "DBSystemId",
        "DatabaseName",
        "Engine",
        "EngineMode",
        "KmsKeyId",
        "MasterUsername",
        "PubliclyAccessible",
        "RestoreToTime",
        "RestoreType",
        "SnapshotIdentifier",
        "SourceDBClusterIdentifier",
        "SourceDbClusterResourceId",
        "SourceRegion",
        "StorageEncrypted",
        "UseLatestRestorableTime",
    }
)
# Kept nowhere: moto has no place for them.
RECORDED = frozenset(
    {
        "AssociatedRoles",
        "ClusterScalabilityType",
        "DBInstanceParameterGroupName",
        "DBSystemId",
        "DatabaseInsightsMode",
        "DeleteAutomatedBackups",
        "Domain",
        "DomainIAMRoleName",
        "EnableGlobalWriteForwarding",
        "EnableHttpEndpoint",
        "EnableLocalWriteForwarding",
        "EngineLifecycleSupport",
        "MasterUserAuthenticationType",
        "MonitoringInterval",
        "MonitoringRoleArn",
        "PerformanceInsightsEnabled",
        "PerformanceInsightsKmsKeyId",
        "PerformanceInsightsRetentionPeriod",
        "ScalingConfiguration",
        "SourceRegion",
    }
)
# Ways to begin with what another cluster holds that are not carried out. A snapshot is restored.
REFUSED = ("RestoreToTime", "RestoreType", "SourceDBClusterIdentifier", "SourceDbClusterResourceId")
PROPERTIES = (
    REPLACING
    | RECORDED
    | {
        "AllocatedStorage",
        "AutoMinorVersionUpgrade",
        "BacktrackWindow",
        "BackupRetentionPeriod",
        "CopyTagsToSnapshot",
        "DBClusterInstanceClass",
        "DBClusterParameterGroupName",
        "DeletionProtection",
        "EnableCloudwatchLogsExports",
        "EnableIAMDatabaseAuthentication",
        "EngineVersion",
        "GlobalClusterIdentifier",
        "Iops",
        "ManageMasterUserPassword",
        "MasterUserPassword",
        "MasterUserSecret",
        "NetworkType",
        "Port",
        "PreferredBackupWindow",
        "PreferredMaintenanceWindow",
        "ReplicationSourceIdentifier",
        "ServerlessV2ScalingConfiguration",
        "StorageType",
        "Tags",
        "VpcSecurityGroupIds",
    }
)


def cluster_request(operation: str, properties: Mapping[str, Any]) -> dict[str, Any]:
    """The properties as the parameters of an operation upon clusters, less those it does not take."""
    given = {_RENAMED.get(name, name): value for name, value in properties.items() if name != "MasterUserSecret"}
    key = (properties.get("MasterUserSecret") or {}).get("KmsKeyId")
    return api_request("rds", operation, {**given, **({"MasterUserSecretKmsKeyId": key} if key else {})})
