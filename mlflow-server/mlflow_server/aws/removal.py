"""Takes a server away: what goes and what stays is said first, and data only goes when that was said twice.
Runs and models stay as a final snapshot of the database, artifacts in their bucket, both readable by the kept key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from mlflow_server.aws.deployment import Deployment
from mlflow_server.aws.projects import projects_of
from mlflow_server.aws.stack import Stack
from mlflow_server.errors import ServerError

_GONE = frozenset({"NoSuchBucket", "404"})
_KEY_WAITS_DAYS = 30


@dataclass(frozen=True)
class Remains:
    """What there is to take away."""

    stack: Stack
    bucket: str
    cluster: str
    projects: tuple[str, ...]

    @property
    def server(self) -> str:
        return self.stack.parameters.get("ServerName", self.stack.name)


@dataclass(frozen=True)
class Removal:
    """The services that hold what goes; `deployment` deletes the stack."""

    deployment: Deployment
    s3: Any
    rds: Any
    elbv2: Any
    kms: Any
    secrets_manager: Any

    def survey(self, stack: Stack) -> Remains:
        """Find what belongs to a server's stack, and the projects that use it."""
        projects = projects_of(self.deployment.cloudformation, stack)
        return Remains(
            stack, stack.outputs.get("ArtifactBucket", ""), stack.outputs.get("DatabaseCluster", ""), tuple(projects)
        )

    def carry_out(self, remains: Remains, *, data: bool) -> str | None:
        """Delete the stack; with `data` the bucket, the final snapshot and what opens it. The snapshot that is kept.

        Raises:
            ServerError: something of it cannot be deleted.
        """
        before = self._snapshots(remains)
        self._unprotect(remains)
        self.deployment.remove(remains.stack)
        new = [name for name in self._snapshots(remains) if name not in before]
        if not data:
            return new[0] if new else None
        if remains.bucket:
            self._remove_bucket(remains.bucket)
        for snapshot in new:
            self.rds.delete_db_cluster_snapshot(DBClusterSnapshotIdentifier=snapshot)
        for name in ("EncryptionSecretArn", "WebhookSecretArn"):
            if secret := remains.stack.outputs.get(name):
                self.secrets_manager.delete_secret(SecretId=secret, RecoveryWindowInDays=_KEY_WAITS_DAYS)
        key = remains.stack.outputs.get("KeyArn")
        if key:
            self.kms.schedule_key_deletion(KeyId=key.rpartition("/")[2], PendingWindowInDays=_KEY_WAITS_DAYS)
        return None

    def _unprotect(self, remains: Remains) -> None:
        """The protection is against a slip; who has typed the server's name has not slipped."""
        if remains.cluster:
            try:
                self.rds.modify_db_cluster(
                    DBClusterIdentifier=remains.cluster, DeletionProtection=False, ApplyImmediately=True
                )
            except ClientError as error:
                if error.response["Error"]["Code"] != "DBClusterNotFoundFault":
                    raise
        balancer = remains.stack.outputs.get("LoadBalancerArn")
        if balancer:
            try:
                self.elbv2.modify_load_balancer_attributes(
                    LoadBalancerArn=balancer, Attributes=[{"Key": "deletion_protection.enabled", "Value": "false"}]
                )
            except ClientError as error:
                if error.response["Error"]["Code"] != "LoadBalancerNotFound":
                    raise

    def _snapshots(self, remains: Remains) -> list[str]:
        if not remains.cluster:
            return []
        pages = self.rds.get_paginator("describe_db_cluster_snapshots").paginate(
            DBClusterIdentifier=remains.cluster, SnapshotType="manual"
        )
        return [each["DBClusterSnapshotIdentifier"] for page in pages for each in page["DBClusterSnapshots"]]

    def _remove_bucket(self, bucket: str) -> None:
        try:
            for page in self.s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
                listed = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
                doomed = [{"Key": each["Key"], "VersionId": each["VersionId"]} for each in listed]
                if doomed:
                    told = self.s3.delete_objects(Bucket=bucket, Delete={"Objects": doomed, "Quiet": True})
                    for refused in told.get("Errors", []):
                        raise ServerError(
                            f"S3 does not delete s3://{bucket}/{refused['Key']}: {refused.get('Message', '')}"
                        )
            self.s3.delete_bucket(Bucket=bucket)
        except ClientError as error:
            if error.response["Error"]["Code"] not in _GONE:
                raise
