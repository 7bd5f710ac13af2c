"""The properties of a database instance, and what becomes of each here."""

from __future__ import annotations

# https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-rds-dbinstance.html
REPLACING = frozenset(
    {
        "AvailabilityZone",
        "BackupTarget",
        "CharacterSetName",
        "CustomIAMInstanceProfile",
        "DBClusterIdentifier",
        "DBClusterSnapshotIdentifier",
        "DBInstanceIdentifier",
        "DBName",
        "DBSnapshotIdentifier",
        "DBSubnetGroupName",
        "DBSystemId",
        "Engine",
        "KmsKeyId",
        "MasterUsername",
        "NcharCharacterSetName",
        "RestoreTime",
        "SourceDBClusterIdentifier",
        "SourceDBInstanceAutomatedBackupsArn",
        "SourceDBInstanceIdentifier",
        "SourceDbiResourceId",
        "SourceRegion",
        "StorageEncrypted",
        "Timezone",
        "UseLatestRestorableTime",
    }
)
# Ways to begin with what another database holds, none of which is carried out.
REFUSED = (
    "DBClusterSnapshotIdentifier",
    "DBSnapshotIdentifier",
    "RestoreTime",
    "SourceDBClusterIdentifier",
    "SourceDBInstanceAutomatedBackupsArn",
    "SourceDBInstanceIdentifier",
    "SourceDbiResourceId",
    "UseLatestRestorableTime",
)
# Kept nowhere: moto has no place for them.
RECORDED = frozenset(
    {
        "AdditionalStorageVolumes",
        "ApplyImmediately",
        "AssociatedRoles",
        "AutomaticBackupReplicationKmsKeyId",
        "AutomaticBackupReplicationRegion",
        "AutomaticBackupReplicationRetentionPeriod",
        "BackupTarget",
        "CertificateRotationRestart",
        "CustomIAMInstanceProfile",
        "DBSystemId",
        "DatabaseInsightsMode",
        "DedicatedLogVolume",
        "DeleteAutomatedBackups",
        "Domain",
        "DomainAuthSecretArn",
        "DomainDnsIps",
        "DomainFqdn",
        "DomainIAMRoleName",
        "DomainOu",
        "EngineLifecycleSupport",
        "MasterUserAuthenticationType",
        "NcharCharacterSetName",
        "ProcessorFeatures",
        "ReplicaMode",
        "SourceRegion",
        "StorageThroughput",
        "TdeCredentialArn",
        "TdeCredentialPassword",
        "UseDefaultProcessorFeatures",
    }
)
PROPERTIES = (
    REPLACING
    | RECORDED
    | {
        "AllocatedStorage",
        "AllowMajorVersionUpgrade",
        "AutoMinorVersionUpgrade",
        "BackupRetentionPeriod",
        "CACertificateIdentifier",
        "CopyTagsToSnapshot",
        "DBInstanceClass",
        "DBParameterGroupName",
        "DBSecurityGroups",
        "DeletionProtection",
        "EnableCloudwatchLogsExports",
        "EnableIAMDatabaseAuthentication",
        "EnablePerformanceInsights",
        "EngineVersion",
        "Iops",
        "LicenseModel",
        "ManageMasterUserPassword",
        "MasterUserPassword",
        "MasterUserSecret",
        "MaxAllocatedStorage",
        "MonitoringInterval",
        "MonitoringRoleArn",
        "MultiAZ",
        "NetworkType",
        "OptionGroupName",
        "PerformanceInsightsKMSKeyId",
        "PerformanceInsightsRetentionPeriod",
        "Port",
        "PreferredBackupWindow",
        "PreferredMaintenanceWindow",
        "PromotionTier",
        "PubliclyAccessible",
        "StorageType",
        "Tags",
        "VPCSecurityGroups",
    }
)
