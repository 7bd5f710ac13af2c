"""The server's stack as it is deployed: what is private, encrypted, kept, watched, and what others are told of it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import cfnlint.decode
import pytest
from cryptography.fernet import Fernet
from mlflow_server.aws.template import PROJECT, SERVER, read_template
from mlflow_server.encryption import Encryption

# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
LARGEST_BODY = 51_200


@pytest.fixture(scope="module")
def container(deployed: Any) -> dict[str, Any]:
    """The container of the server's tasks."""
    found = deployed.client("ecs").describe_task_definition(taskDefinition=deployed.resources()["TaskDefinition"])
    return dict(found["taskDefinition"]["containerDefinitions"][0])


def environment(container: dict[str, Any]) -> dict[str, str]:
    return {each["name"]: each["value"] for each in container["environment"]}


def test_the_linter_finds_nothing() -> None:
    linter = Path(sys.executable).with_name("cfn-lint")
    linted = subprocess.run([linter, SERVER, PROJECT], capture_output=True, text=True, check=False, timeout=120)
    assert linted.returncode == 0, linted.stdout


@pytest.mark.parametrize("template", [SERVER, PROJECT], ids=lambda path: path.stem)
def test_what_is_sent_means_what_the_template_says_and_fits_into_a_request(template: Path, tmp_path: Path) -> None:
    sent = tmp_path / "sent.yaml"
    sent.write_text(read_template(template).request_body)
    assert sent.stat().st_size <= LARGEST_BODY
    assert cfnlint.decode.decode(str(sent))[0] == cfnlint.decode.decode(str(template))[0]


def test_nothing_here_knows_of_a_local_mode(room: Path) -> None:
    for path in (*room.rglob("*.py"), *room.glob("*.yaml"), *(room.parent / "commands").glob("a*.py")):
        text = path.read_text()
        for word in ("AWS_ENDPOINT_URL", "endpoint_url", "local_aws", "local-aws"):
            assert word not in text, f"{path.name} knows {word}"


def test_the_outputs_are_what_the_next_person_needs(deployed: Any) -> None:
    outputs = deployed.outputs()
    host, port = outputs["DatabaseEndpoint"], outputs["DatabasePort"]
    assert outputs["TrackingUri"] == f"http://{outputs['LoadBalancerDns']}"
    assert outputs["ArtifactRoot"] == f"s3://{outputs['ArtifactBucket']}/artifacts"
    assert (port, outputs["DatabaseUser"]) == ("5432", "mlflow")
    assert outputs["DatabaseUrl"] == f"postgresql+psycopg://mlflow@{host}:5432/mlflow"
    shown = deployed.run("outputs").stdout
    assert all(f"{name} " in shown and value in shown for name, value in outputs.items())
    assert deployed.run_process("outputs", "TrackingUri").stdout.strip() == outputs["TrackingUri"]


def test_no_secret_is_shown_or_stands_in_a_task(deployed: Any, container: dict[str, Any]) -> None:
    manager, outputs = deployed.client("secretsmanager"), deployed.outputs()
    account = json.loads(manager.get_secret_value(SecretId=outputs["AdministratorSecretArn"])["SecretString"])
    database = json.loads(manager.get_secret_value(SecretId=outputs["DatabaseSecretArn"])["SecretString"])
    assert (account["username"], database["username"]) == ("admin", "mlflow")
    assert len(account["password"]) >= 32
    told = json.dumps([deployed.described(), container], default=str)
    assert account["password"] not in told
    assert database["password"] not in told
    assert {each["name"] for each in container["secrets"]} == {
        "MLFLOW_AUTH_ADMIN_PASSWORD",
        "MLFLOW_FLASK_SERVER_SECRET_KEY",
        "MLFLOW_CRYPTO_KEK_PASSPHRASE",
        "MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY",
    }


def test_what_encrypts_the_secrets_in_the_database_is_generated_and_fits(
    deployed: Any, container: dict[str, Any]
) -> None:
    manager, outputs = deployed.client("secretsmanager"), deployed.outputs()
    passphrase, webhook_key = (
        manager.get_secret_value(SecretId=outputs[name])["SecretString"]
        for name in ("EncryptionSecretArn", "WebhookSecretArn")
    )
    told = Encryption.told(passphrase, webhook_key)
    assert told is not None
    Fernet(told.webhook_key)
    assert len(passphrase) >= 32
    injected = {each["name"]: each["valueFrom"] for each in container["secrets"]}
    assert injected["MLFLOW_CRYPTO_KEK_PASSPHRASE"] == outputs["EncryptionSecretArn"]
    assert injected["MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY"] == outputs["WebhookSecretArn"]
    iam, role = deployed.client("iam"), deployed.resources()["StartRole"]
    for arn in (outputs["EncryptionSecretArn"], outputs["WebhookSecretArn"]):
        answer = iam.simulate_principal_policy(
            PolicySourceArn=iam.get_role(RoleName=role)["Role"]["Arn"],
            ActionNames=["secretsmanager:GetSecretValue"],
            ResourceArns=[arn],
        )
        assert answer["EvaluationResults"][0]["EvalDecision"] == "allowed"


def test_builds_and_jobs_have_an_account_of_their_own(deployed: Any) -> None:
    outputs = deployed.outputs()
    held = deployed.client("secretsmanager").get_secret_value(SecretId=outputs["CicdSecretArn"])["SecretString"]
    assert json.loads(held)["username"] == "cicd"
    assert len(json.loads(held)["password"]) >= 32
    assert outputs["CicdSecretArn"] != outputs["AdministratorSecretArn"]


@pytest.mark.parametrize(
    ("resource", "deleted", "replaced"),
    [
        ("Database", "Snapshot", "Snapshot"),
        ("ArtifactBucket", "RetainExceptOnCreate", "Retain"),
        ("Key", "RetainExceptOnCreate", "Retain"),
        ("EncryptionSecret", "RetainExceptOnCreate", "Retain"),
        ("WebhookSecret", "RetainExceptOnCreate", "Retain"),
    ],
)
def test_what_holds_or_opens_data_outlives_its_removal_and_its_replacement(
    resource: str, deleted: str, replaced: str
) -> None:
    found = read_template().resources[resource]
    assert (found["DeletionPolicy"], found["UpdateReplacePolicy"]) == (deleted, replaced)


def test_credentials_of_another_account_take_nothing_out_by_the_endpoint_of_s3(deployed: Any) -> None:
    endpoints = deployed.client("ec2").describe_vpc_endpoints(VpcEndpointIds=[deployed.resources()["S3Endpoint"]])
    policy = json.loads(endpoints["VpcEndpoints"][0]["PolicyDocument"])
    free = [each for each in policy["Statement"] if "Condition" not in each]
    assert [each["Action"] for each in free] == ["s3:GetObject"]
    (ours,) = (each for each in policy["Statement"] if "Condition" in each)
    assert ours["Condition"] == {"StringEquals": {"aws:PrincipalAccount": "123456789012"}}


def test_a_task_is_told_everything_that_serve_reads(deployed: Any, container: dict[str, Any]) -> None:
    from mlflow_server import serving

    told, outputs = environment(container), deployed.outputs()
    assert told[serving.BACKEND] == outputs["DatabaseUrl"]
    assert told["MLFLOW_DATABASE_SECRET_ARN"] == outputs["DatabaseSecretArn"]
    assert told["MLFLOW_DATABASE_CERTIFICATES"] == "/opt/mlflow-server/rds-certificates.pem"
    assert told[serving.ARTIFACTS] == outputs["ArtifactRoot"]
    assert (told[serving.AUTH], told[serving.PROJECTS], told[serving.ADMIN]) == ("true", "false", "admin")
    assert (told["MLFLOW_HOST"], told["MLFLOW_PORT"], told[serving.WORKERS]) == ("0.0.0.0", "5000", "1")  # noqa: S104
    assert outputs["LoadBalancerDns"] in told[serving.HOSTS].split(",")
    # A tunnel ends at localhost, and Host headers are compared letter by letter.
    assert "localhost:*" in told[serving.HOSTS].split(",")
    assert outputs["LoadBalancerDns"] == outputs["LoadBalancerDns"].lower()
    assert "MLFLOW_SQLALCHEMYSTORE_POOLCLASS" not in told


def test_the_service_keeps_two_tasks_and_goes_back_by_itself(deployed: Any, container: dict[str, Any]) -> None:
    resources = deployed.resources()
    service = deployed.client("ecs").describe_services(cluster=deployed.name, services=[resources["Service"]])
    found = service["services"][0]
    assert found["deploymentConfiguration"]["deploymentCircuitBreaker"] == {"enable": True, "rollback": True}
    assert found["deploymentConfiguration"]["minimumHealthyPercent"] == 100
    assert found["networkConfiguration"]["awsvpcConfiguration"]["assignPublicIp"] == "DISABLED"
    assert found["enableExecuteCommand"] is True
    assert found["desiredCount"] == 2
    assert found["loadBalancers"][0]["targetGroupArn"] == resources["TargetGroup"]
    scaling = deployed.client("application-autoscaling")
    where = {"ServiceNamespace": "ecs", "ResourceIds": [f"service/{deployed.name}/server"]}
    target = scaling.describe_scalable_targets(**where)["ScalableTargets"][0]
    assert (target["MinCapacity"], target["MaxCapacity"]) == (2, 4)
    assert "127.0.0.1:5000/health" in container["healthCheck"]["command"][-1]
    assert container["image"].startswith(f"{deployed.outputs()['RepositoryUri']}:mlflow-")


def test_the_database_is_private_encrypted_backed_up_and_speaks_tls_only(deployed: Any) -> None:
    rds, outputs = deployed.client("rds"), deployed.outputs()
    cluster = rds.describe_db_clusters(DBClusterIdentifier=outputs["DatabaseCluster"])["DBClusters"][0]
    assert cluster["Engine"] == "aurora-postgresql"
    assert (cluster["StorageEncrypted"], cluster["DeletionProtection"]) == (True, True)
    assert cluster["BackupRetentionPeriod"] == 14
    assert cluster["MasterUserSecret"]["SecretArn"] == outputs["DatabaseSecretArn"]
    scaling = cluster["ServerlessV2ScalingConfiguration"]
    assert (scaling["MinCapacity"], scaling["MaxCapacity"]) == (0.5, 2)
    instances = rds.describe_db_instances()["DBInstances"]
    ours = [each for each in instances if each.get("DBClusterIdentifier") == outputs["DatabaseCluster"]]
    assert [each["PubliclyAccessible"] for each in ours] == [False]
    parameters = read_template().resources["DatabaseParameters"]["Properties"]["Parameters"]["Fn::If"]
    assert parameters[1]["rds.force_ssl"] == "1"
    assert parameters[2]["require_secure_transport"] == "ON"


def test_the_load_balancer_is_on_the_inside_and_admits_the_vpc_and_the_group_of_clients(deployed: Any) -> None:
    elbv2, outputs = deployed.client("elbv2"), deployed.outputs()
    balancer = elbv2.describe_load_balancers(LoadBalancerArns=[outputs["LoadBalancerArn"]])["LoadBalancers"][0]
    assert balancer["Scheme"] == "internal"
    assert {zone["SubnetId"] for zone in balancer["AvailabilityZones"]} == set(outputs["UsedSubnetIds"].split(","))
    group = deployed.client("ec2").describe_security_groups(GroupIds=[outputs["LoadBalancerGroupId"]])
    admitted = group["SecurityGroups"][0]["IpPermissions"]
    assert {rule["FromPort"] for rule in admitted} == {80}
    assert {each["CidrIp"] for rule in admitted for each in rule["IpRanges"]} == {"10.42.0.0/16"}
    pairs = {each["GroupId"] for rule in admitted for each in rule["UserIdGroupPairs"]}
    assert pairs == {outputs["ClientGroupId"]}


def test_artifacts_are_private_encrypted_versioned_and_closed_without_tls(deployed: Any) -> None:
    s3, bucket = deployed.client("s3"), deployed.outputs()["ArtifactBucket"]
    assert set(s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"].values()) == {True}
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    denied = json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])["Statement"][0]
    assert (denied["Effect"], denied["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})
    rules = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    # Artifacts themselves never expire.
    assert [rule["Filter"]["Prefix"] for rule in rules if "Expiration" in rule] == ["image/"]


def test_the_server_may_touch_its_artifacts_and_its_own_secret_only(deployed: Any) -> None:
    iam, resources, outputs = deployed.client("iam"), deployed.resources(), deployed.outputs()
    role = iam.get_role(RoleName=resources["ServerRole"])["Role"]["Arn"]
    bucket = f"arn:aws:s3:::{outputs['ArtifactBucket']}"

    def allowed(action: str, resource: str, prefix: str | None = None) -> bool:
        context = [{"ContextKeyName": "s3:prefix", "ContextKeyValues": [prefix], "ContextKeyType": "string"}]
        told = iam.simulate_principal_policy(
            PolicySourceArn=role,
            ActionNames=[action],
            ResourceArns=[resource],
            ContextEntries=context if prefix is not None else [],
        )
        return bool(told["EvaluationResults"][0]["EvalDecision"] == "allowed")

    assert allowed("s3:PutObject", f"{bucket}/artifacts/1/model")
    assert not allowed("s3:GetObject", f"{bucket}/projects/wine/artifacts/1/model")
    assert not allowed("s3:GetObject", f"{bucket}/image/sources.zip")
    assert allowed("secretsmanager:GetSecretValue", outputs["DatabaseSecretArn"])
    assert not allowed("secretsmanager:GetSecretValue", outputs["AdministratorSecretArn"])
    assert not allowed("rds:DeleteDBCluster", "*")
    assert allowed("s3:ListBucket", bucket, "artifacts/1")
    for elsewhere in ("", "image/", "projects/wine/artifacts/", "artifactsof/"):
        assert not allowed("s3:ListBucket", bucket, elsewhere)
    assert not allowed("s3:ListBucket", bucket)


def test_alarms_and_logs_tell_what_went_wrong(deployed: Any) -> None:
    alarms = deployed.client("cloudwatch").describe_alarms()["MetricAlarms"]
    ours = [alarm for alarm in alarms if f"server {deployed.name}" in alarm.get("AlarmDescription", "")]
    assert {alarm["MetricName"] for alarm in ours} == {
        "UnHealthyHostCount",
        "HTTPCode_Target_5XX_Count",
        "TargetResponseTime",
        "ACUUtilization",
    }
    assert all(alarm["AlarmActions"] == [deployed.resources()["NotificationTopic"]] for alarm in ours)
    groups = deployed.client("logs").describe_log_groups(logGroupNamePrefix=f"/mlflow/{deployed.name}/")["logGroups"]
    assert [group["retentionInDays"] for group in groups] == [90, 90]
