"""Databases of a stack: secrets, snapshots and protections as on AWS, of databases that do not run."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

DATABASE = """
Parameters:
  Protected: {Type: String, Default: "true"}
  Most: {Type: Number, Default: 2}
  Name: {Type: String, Default: mlflow}
  Parameters: {Type: String, Default: "1"}
Resources:
  Vpc: {Type: AWS::EC2::VPC, Properties: {CidrBlock: 10.8.0.0/16}}
  A: {Type: AWS::EC2::Subnet, Properties: {VpcId: !Ref Vpc, CidrBlock: 10.8.0.0/24, AvailabilityZone: us-east-1a}}
  B: {Type: AWS::EC2::Subnet, Properties: {VpcId: !Ref Vpc, CidrBlock: 10.8.1.0/24, AvailabilityZone: us-east-1b}}
  Subnets:
    Type: AWS::RDS::DBSubnetGroup
    Properties: {DBSubnetGroupDescription: two zones, SubnetIds: [!Ref A, !Ref B]}
  Settings:
    Type: AWS::RDS::DBClusterParameterGroup
    Properties: {Description: settings, Family: aurora-postgresql16, Parameters: {rds.force_ssl: !Ref Parameters}}
  Cluster:
    Type: AWS::RDS::DBCluster
    Properties:
      Engine: aurora-postgresql
      EngineVersion: "16.6"
      DatabaseName: !Ref Name
      MasterUsername: keeper
      ManageMasterUserPassword: true
      DBSubnetGroupName: !Ref Subnets
      DBClusterParameterGroupName: !Ref Settings
      DeletionProtection: !Ref Protected
      EnableHttpEndpoint: true
      StorageEncrypted: true
      EnableCloudwatchLogsExports: [postgresql]
      ServerlessV2ScalingConfiguration: {MinCapacity: 0, MaxCapacity: !Ref Most, SecondsUntilAutoPause: 300}
      Tags: [{Key: most, Value: !Ref Most}]
  Writer:
    Type: AWS::RDS::DBInstance
    Properties: {DBClusterIdentifier: !Ref Cluster, DBInstanceClass: db.serverless, Engine: aurora-postgresql}
  Own:
    Type: AWS::SecretsManager::Secret
    Properties: {GenerateSecretString: {SecretStringTemplate: '{"username": "me"}', GenerateStringKey: password}}
  Attached:
    Type: AWS::SecretsManager::SecretTargetAttachment
    Properties: {SecretId: !Ref Own, TargetId: !Ref Cluster, TargetType: AWS::RDS::DBCluster}
  Rotated:
    Type: AWS::SecretsManager::RotationSchedule
    Properties:
      SecretId: !GetAtt Cluster.MasterUserSecret.SecretArn
      RotationRules: {AutomaticallyAfterDays: 7}
      RotateImmediatelyOnUpdate: false
Outputs:
  Address: {Value: !GetAtt Cluster.Endpoint.Address}
  Port: {Value: !GetAtt Cluster.Endpoint.Port}
  Secret: {Value: !GetAtt Cluster.MasterUserSecret.SecretArn}
"""


def test_a_database_is_described_changed_and_kept_as_a_snapshot(stacks: Any, cloud: Any) -> None:
    name = stacks.create(DATABASE)
    assert stacks.status(name) == "CREATE_COMPLETE", stacks.told(name)
    rds, secrets, made, outputs = (
        cloud.client("rds"),
        cloud.client("secretsmanager"),
        stacks.resources(name),
        stacks.outputs(name),
    )
    managed = json.loads(secrets.get_secret_value(SecretId=outputs["Secret"])["SecretString"])
    assert managed["username"] == "keeper"
    assert len(set(managed["password"])) > 8
    assert secrets.describe_secret(SecretId=outputs["Secret"])["RotationRules"] == {"AutomaticallyAfterDays": 7}
    own = json.loads(secrets.get_secret_value(SecretId=made["Own"])["SecretString"])
    assert (own["username"], own["host"], str(own["port"])) == ("me", outputs["Address"], outputs["Port"])
    assert own["dbClusterIdentifier"] == made["Cluster"]
    told = [reason for logical_id, _, reason in stacks.told(name) if logical_id == "Cluster"]
    assert any("it runs no database" in reason for reason in told)
    assert any("property EnableHttpEndpoint is recorded" in reason for reason in told)

    assert stacks.delete(name)["StackStatus"] == "DELETE_FAILED"
    assert "Cannot delete protected Cluster" in stacks.reason(name, "Cluster", "DELETE_FAILED")
    # What the database needs stays with it, down to the VPC.
    assert {"Vpc", "A", "B", "Subnets", "Settings", "Cluster"} <= {
        row["LogicalResourceId"]
        for row in stacks.cloudformation.describe_stack_resources(StackName=name)["StackResources"]
        if row["ResourceStatus"] in ("CREATE_COMPLETE", "DELETE_FAILED")
    }
    rds.modify_db_cluster(DBClusterIdentifier=made["Cluster"], DeletionProtection=False, ApplyImmediately=True)
    assert stacks.delete(name)["StackStatus"] == "DELETE_COMPLETE", stacks.told(name)
    snapshots = rds.describe_db_cluster_snapshots(SnapshotType="manual")["DBClusterSnapshots"]
    kept = [each for each in snapshots if each["DBClusterIdentifier"] == made["Cluster"]]
    assert [each["DBClusterSnapshotIdentifier"].startswith(f"{name}-snapshot-cluster-") for each in kept] == [True]
    with pytest.raises(ClientError, match="can't find the specified secret"):
        secrets.get_secret_value(SecretId=outputs["Secret"])

    snapshot = kept[0]["DBClusterSnapshotIdentifier"]
    properties = f"{{Engine: aurora-postgresql, SnapshotIdentifier: {snapshot}}}"
    restored = stacks.create(
        f"Resources: {{C: {{Type: AWS::RDS::DBCluster, DeletionPolicy: Delete, Properties: {properties}}}}}"
    )
    assert stacks.status(restored) == "CREATE_COMPLETE", stacks.told(restored)
    found = rds.describe_db_clusters(DBClusterIdentifier=stacks.resources(restored)["C"])["DBClusters"][0]
    assert (found["MasterUsername"], found["DatabaseName"], found["EngineVersion"]) == ("keeper", "mlflow", "16.6")
    assert found["MasterUserSecret"]["SecretArn"] != outputs["Secret"]
    assert stacks.delete(restored)["StackStatus"] == "DELETE_COMPLETE"


def test_a_database_changes_in_place_and_gives_way_to_another_where_it_must(stacks: Any, cloud: Any) -> None:
    name = stacks.create(DATABASE, {"Protected": "false"})
    assert stacks.status(name) == "CREATE_COMPLETE", stacks.told(name)
    rds, made = cloud.client("rds"), stacks.resources(name)
    changes = {"Protected": "false", "Most": "8", "Parameters": "0"}
    stacks.update(name, DATABASE.replace("[postgresql]", "[iam-db-auth-error]"), changes)
    assert stacks.status(name) == "UPDATE_COMPLETE", stacks.told(name)
    assert stacks.resources(name)["Cluster"] == made["Cluster"]
    found = rds.describe_db_clusters(DBClusterIdentifier=made["Cluster"])["DBClusters"][0]
    assert found["ServerlessV2ScalingConfiguration"]["MaxCapacity"] == 8
    assert found["DeletionProtection"] is False
    assert found["EnabledCloudwatchLogsExports"] == ["iam-db-auth-error"]
    assert found["TagList"] == [{"Key": "most", "Value": "8"}]

    described = stacks.update(name, DATABASE, {"Protected": "false", "Name": "other"})
    assert described["StackStatus"] == "UPDATE_COMPLETE", stacks.told(name)
    after = stacks.resources(name)
    assert after["Cluster"] != made["Cluster"]
    assert after["Writer"] != made["Writer"]
    left = [each["DBClusterIdentifier"] for each in rds.describe_db_clusters()["DBClusters"]]
    assert made["Cluster"] not in left
    assert after["Cluster"] in left
    policy = DATABASE.replace(
        "    Type: AWS::RDS::DBCluster\n", "    Type: AWS::RDS::DBCluster\n    DeletionPolicy: Delete\n"
    )
    stacks.update(name, policy, {"Protected": "false", "Name": "other", "Most": "4"})
    assert stacks.delete(name)["StackStatus"] == "DELETE_COMPLETE", stacks.told(name)
    snapshots = rds.describe_db_cluster_snapshots(SnapshotType="manual")["DBClusterSnapshots"]
    assert not [each for each in snapshots if each["DBClusterIdentifier"] == after["Cluster"]]


CLUSTER = "Engine: aurora-mysql, MasterUsername: keeper"


@pytest.mark.parametrize(
    ("kind", "properties", "said"),
    [
        ("DBCluster", f"{CLUSTER}, ManageMasterUserPasword: true", "unsupported property ManageMasterUserPasword"),
        ("DBCluster", f"{CLUSTER}, MasterUserPassword: short", "shorter than 8 characters"),
        ("DBCluster", "MasterUsername: keeper", "Property Engine cannot be empty"),
        ("DBCluster", "Engine: oracle, MasterUsername: keeper, MasterUserPassword: longenough", "not supported"),
        (
            "DBCluster",
            f"{CLUSTER}, ManageMasterUserPassword: true, MasterUserPassword: longenough",
            "You can't specify MasterUserPassword",
        ),
        ("DBCluster", f"{CLUSTER}, SourceDBClusterIdentifier: other", "SourceDBClusterIdentifier is not carried out"),
        ("DBInstance", "Engine: mysql", "Property DBInstanceClass cannot be empty"),
        ("DBInstance", "Engine: mysql, DBInstanceClass: db.t4g.small, DBSnapshotIdentifier: s", "is not carried out"),
    ],
)
def test_a_database_that_cannot_be_fails_by_name(stacks: Any, kind: str, properties: str, said: str) -> None:
    name = stacks.create(f"Resources: {{Thing: {{Type: AWS::RDS::{kind}, Properties: {{{properties}}}}}}}")
    assert stacks.status(name) == "ROLLBACK_COMPLETE", stacks.told(name)
    assert said in stacks.reason(name, "Thing", "CREATE_FAILED")


def test_a_name_that_a_cluster_has_already_is_refused(stacks: Any) -> None:
    properties = f"{CLUSTER}, DBClusterIdentifier: {stacks.name()}, MasterUserPassword: longenough"
    template = f"Resources: {{C: {{Type: AWS::RDS::DBCluster, DeletionPolicy: Delete, Properties: {{{properties}}}}}}}"
    first = stacks.create(template)
    assert stacks.status(first) == "CREATE_COMPLETE", stacks.told(first)
    second = stacks.create(template)
    assert "already exists" in stacks.reason(second, "C", "CREATE_FAILED")
    stacks.delete(first)


def test_statements_are_refused_since_no_database_runs_them(cloud: Any) -> None:
    arn = "arn:aws:rds:us-east-1:123456789012:cluster:any"
    with pytest.raises(ClientError, match="keeps the descriptions of databases, and runs none"):
        cloud.client("rds-data").execute_statement(resourceArn=arn, secretArn=arn, sql="CREATE DATABASE a")
