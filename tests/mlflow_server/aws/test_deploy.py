"""`deploy`, `build-image`, `tunnel` and `destroy` against a cloud: what is asked, made, refused, kept and removed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from mlflow_server.aws.plan import Action, Change, Kind, Plan
from mlflow_server.errors import ServerError

HOST = "mlflow.example.com"
OTHER = ("--replace", "ArtifactBucket")


@pytest.fixture(scope="module")
def certificate(deployed: Any) -> str:
    """A certificate of the server's name."""
    return str(deployed.client("acm").request_certificate(DomainName=HOST)["CertificateArn"])


@pytest.fixture(scope="module")
def public(deployed: Any, certificate: str) -> Any:
    """A large server on the internet with MySQL that may pause, HTTPS and an identity provider; not yet its service."""
    secret = deployed.client("secretsmanager").create_secret(
        Name=f"oidc-{deployed.name}", SecretString=json.dumps({"client_secret": "between us"})
    )
    team = type(deployed)(deployed.cloud, f"{deployed.name}p", deployed.bundle_url)
    done = team.deploy(
        *("--yes", "--without-service", "--size", "large", "--egress", "nat-per-zone"),
        *("--database-engine", "mysql", "--pause-after-seconds", "600"),
        *("--access", "internet-facing", "--client-cidr", "203.0.113.0/24"),
        *("--certificate-arn", certificate, "--domain-name", HOST),
        *("--oidc-issuer", "https://id.example.com", "--oidc-client-id", "mlflow"),
        *("--oidc-authorization-endpoint", "https://id.example.com/authorize"),
        *("--oidc-token-endpoint", "https://id.example.com/token"),
        *("--oidc-user-info-endpoint", "https://id.example.com/user"),
        *("--oidc-client-secret-arn", secret["ARN"]),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return team


def test_nothing_is_deployed_where_nobody_can_say_yes(team: Any) -> None:
    done = team.deploy()
    assert done.returncode == 1
    assert "AWS::RDS::DBCluster" in done.stdout
    assert "Then the image mlflow-" in done.stdout
    assert "small (chosen)" in done.stdout
    assert "together" in done.stdout
    assert "give --yes" in done.stderr
    assert team.status() is None


def test_a_second_deployment_changes_nothing_and_the_image_is_built_once(deployed: Any) -> None:
    again = deployed.deploy("--yes")
    assert again.returncode == 0, again.stderr
    assert "nothing to change" in again.stdout
    assert "Building" not in again.stdout
    built = deployed.run_process("build-image")
    assert "is there already" in built.stdout
    assert built.stdout.splitlines()[-1].startswith(f"{deployed.outputs()['RepositoryUri']}:mlflow-")


def test_a_change_that_would_leave_the_runs_behind_is_refused(deployed: Any, tmp_path: Path) -> None:
    file = tmp_path / "server.yaml"
    file.write_text("database_engine: mysql\n")
    for options in (("--database-engine", "mysql", *OTHER), ("--parameters", str(file))):
        done = deployed.run("deploy", "--yes", *options)
        assert done.returncode == 1
        assert "This would take data away: Database (replaced)" in done.stderr
        assert "give --replace Database, if it is to go" in done.stderr
        assert deployed.status() == "UPDATE_COMPLETE"


@pytest.mark.parametrize("kind", [Kind.MAYBE_REPLACED, Kind.REPLACED, Kind.REMOVED])
@pytest.mark.parametrize(
    "type_", ["AWS::RDS::DBCluster", "AWS::S3::Bucket", "AWS::KMS::Key", "AWS::SecretsManager::Secret"]
)
def test_what_holds_or_opens_data_goes_only_by_its_name(kind: Kind, type_: str) -> None:
    plan = Plan(Action.UPDATE, (Change(kind, "Held", type_), Change(Kind.REPLACED, "Task", "AWS::ECS::TaskDefinition")))
    for named in ((), ("Task", "held")):
        with pytest.raises(ServerError, match=f"data away: Held \\({kind}\\).*give --replace Held, if"):
            plan.refuse_losses(named)
    plan.refuse_losses(("Held",))


def test_what_is_changed_in_place_is_not_lost() -> None:
    Plan(Action.UPDATE, (Change(Kind.CHANGED, "Database", "AWS::RDS::DBCluster"),)).refuse_losses(())


def test_a_first_deployment_that_fails_says_why_and_is_taken_back(team: Any) -> None:
    certificate = "arn:aws:acm:us-east-1:123456789012:certificate/0a1b2c3d"
    done = team.deploy("--yes", "--without-service", "--certificate-arn", certificate, "--domain-name", HOST)
    assert done.returncode == 1
    assert "could not be deployed: Listener: " in done.stderr
    assert "certificate was not found" in done.stderr
    assert "What was made of it is removed again" in done.stderr
    assert team.status() is None
    assert not [each for each in team.client("s3").list_buckets()["Buckets"] if each["Name"].startswith(team.name)]


def test_an_image_that_is_not_there_is_not_deployed(deployed: Any, team: Any) -> None:
    done = deployed.run("deploy", "--yes", "--image-tag", "yesterday")
    assert done.returncode == 1
    assert f"There is no image yesterday in {deployed.outputs()['RepositoryUri']}" in done.stderr
    assert deployed.status() == "UPDATE_COMPLETE"
    new = team.run("deploy", "--yes", "--image-tag", "yesterday")
    assert "deploy without --image-tag first" in new.stderr


def test_what_is_asked_of_a_server_that_is_not_there_says_how_to_deploy_it(team: Any) -> None:
    for command in ("outputs", "tunnel"):
        done = team.run(command)
        assert done.returncode == 1
        assert f"There is no stack {team.stack} in this account and region: deploy it" in done.stderr
    gone = team.run("destroy", "--yes")
    assert (gone.returncode, gone.stdout.strip()) == (0, f"There is no stack {team.stack}: nothing to remove")


def test_a_tunnel_needs_a_task_that_runs(deployed: Any) -> None:
    done = deployed.run_process("tunnel", "--print")
    assert done.returncode == 1
    assert f"No task of the service server in the cluster {deployed.name} runs" in done.stderr


# ---- on the internet ----------------------------------------------------------------------------------------------


def test_browsers_log_in_to_the_identity_provider_and_api_clients_to_mlflow(public: Any, certificate: str) -> None:
    elbv2, resources = public.client("elbv2"), public.resources()
    listeners = elbv2.describe_listeners(LoadBalancerArn=resources["LoadBalancer"])["Listeners"]
    by_port = {each["Port"]: each for each in listeners}
    assert set(by_port) == {80, 443}
    https = by_port[443]
    assert (https["Protocol"], https["Certificates"][0]["CertificateArn"]) == ("HTTPS", certificate)
    assert "TLS13" in https["SslPolicy"]
    actions = sorted(https["DefaultActions"], key=lambda action: action["Order"])
    assert [action["Type"] for action in actions] == ["authenticate-oidc", "forward"]
    assert by_port[80]["DefaultActions"][0]["Type"] == "redirect"
    assert by_port[80]["DefaultActions"][0]["RedirectConfig"]["Protocol"] == "HTTPS"
    rules = elbv2.describe_rules(ListenerArn=https["ListenerArn"])["Rules"]
    rule = next(each for each in rules if each["Priority"] == "1")
    assert rule["Conditions"][0]["HttpHeaderConfig"] == {"HttpHeaderName": "Authorization", "Values": ["Basic *"]}
    assert [action["Type"] for action in rule["Actions"]] == ["forward"]
    balancer = elbv2.describe_load_balancers(LoadBalancerArns=[resources["LoadBalancer"]])["LoadBalancers"][0]
    assert balancer["Scheme"] == "internet-facing"
    assert {zone["SubnetId"] for zone in balancer["AvailabilityZones"]} == {
        resources["PublicSubnetA"],
        resources["PublicSubnetB"],
    }
    assert public.outputs()["TrackingUri"] == f"https://{HOST}"


def test_a_server_on_the_internet_admits_only_the_addresses_it_was_told(public: Any) -> None:
    group = public.client("ec2").describe_security_groups(GroupIds=[public.resources()["LoadBalancerGroup"]])
    admitted = group["SecurityGroups"][0]["IpPermissions"]
    assert {rule["FromPort"] for rule in admitted} == {80, 443}
    assert {each["CidrIp"] for rule in admitted for each in rule["IpRanges"]} == {"203.0.113.0/24"}


def test_a_large_database_has_a_replica_and_one_that_may_pause_goes_down_to_nothing(public: Any) -> None:
    rds, outputs = public.client("rds"), public.outputs()
    cluster = rds.describe_db_clusters(DBClusterIdentifier=outputs["DatabaseCluster"])["DBClusters"][0]
    assert cluster["Engine"] == "aurora-mysql"
    scaling = cluster["ServerlessV2ScalingConfiguration"]
    assert (scaling["MinCapacity"], scaling["MaxCapacity"]) == (0, 32)
    assert scaling["SecondsUntilAutoPause"] == 600
    assert outputs["DatabaseUrl"] == f"mysql+pymysql://mlflow@{outputs['DatabaseEndpoint']}:3306/mlflow"
    assert {"DatabaseWriter", "DatabaseReplica"} <= set(public.resources())
    # A first deployment that fails could not be taken back from behind a protection.
    assert cluster["DeletionProtection"] is False


def test_each_zone_has_a_way_out_of_its_own_where_that_was_asked_for(public: Any) -> None:
    resources = public.resources()
    gateways = public.client("ec2").describe_nat_gateways(
        NatGatewayIds=[resources["NatGatewayA"], resources["NatGatewayB"]]
    )["NatGateways"]
    assert {each["SubnetId"] for each in gateways} == {resources["PublicSubnetA"], resources["PublicSubnetB"]}


def test_a_removal_keeps_artifacts_runs_and_the_key_to_them(public: Any) -> None:
    outputs, s3, rds = public.outputs(), public.client("s3"), public.client("rds")
    s3.put_object(Bucket=outputs["ArtifactBucket"], Key="artifacts/1/model", Body=b"kept")
    mistyped = public.answer(["yes"], "destroy")
    assert mistyped.returncode == 1
    assert f"'yes' is not '{public.name}'" in mistyped.stderr
    assert public.status() == "CREATE_COMPLETE"
    done = public.answer([public.name], "destroy")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"The bucket {outputs['ArtifactBucket']} is kept" in done.stdout
    assert public.status() is None
    assert s3.get_object(Bucket=outputs["ArtifactBucket"], Key="artifacts/1/model")["Body"].read() == b"kept"
    snapshots = rds.describe_db_cluster_snapshots(
        DBClusterIdentifier=outputs["DatabaseCluster"], SnapshotType="manual"
    )["DBClusterSnapshots"]
    assert [f"as the snapshot {each['DBClusterSnapshotIdentifier']}" in done.stdout for each in snapshots] == [True]
    key = public.client("kms").describe_key(KeyId=outputs["KeyArn"])["KeyMetadata"]
    assert key["KeyState"] == "Enabled"
    for name in ("EncryptionSecretArn", "WebhookSecretArn"):
        assert public.client("secretsmanager").get_secret_value(SecretId=outputs[name])["SecretString"]


# ---- without the internet -----------------------------------------------------------------------------------------


def test_a_server_without_a_way_out_is_changed_fails_and_is_removed_with_its_data(team: Any) -> None:
    done = team.deploy("--yes", "--without-service", "--egress", "endpoints")
    assert done.returncode == 0, done.stdout + done.stderr
    resources, ec2 = team.resources(), team.client("ec2")
    assert not {"InternetGateway", "NatGatewayA", "PublicSubnetA"} & set(resources)
    endpoints = ec2.describe_vpc_endpoints(Filters=[{"Name": "vpc-id", "Values": [resources["Vpc"]]}])["VpcEndpoints"]
    services = {each["ServiceName"].removeprefix("com.amazonaws.us-east-1.") for each in endpoints}
    assert services == {"s3", "ecr.api", "ecr.dkr", "logs", "secretsmanager", "ssmmessages"}

    # The bundle of authorities cannot be had: the stack stays as it was, and the log says why.
    broken = team.run("deploy", "--yes", "--certificate-bundle-url", "https://127.0.0.1:9/global-bundle.pem")
    assert broken.returncode == 1
    assert "The image could not be built" in broken.stderr
    assert "stays without a service, and costs money as it is" in broken.stderr
    assert "PRE_BUILD failed" in broken.stderr
    assert "curl" in broken.stderr
    assert team.status() == "CREATE_COMPLETE"

    changed = team.run("deploy", "--yes", "--without-service", "--size", "medium", "--backup-days", "30")
    assert changed.returncode == 0, changed.stderr
    assert "medium (chosen)" in changed.stdout
    assert "Database (BackupRetentionPeriod, ServerlessV2ScalingConfiguration)" in changed.stdout
    assert "DatabaseReplica" in team.resources()
    found = team.described()
    assert {each["ParameterKey"]: each["ParameterValue"] for each in found["Parameters"]}["Egress"] == "endpoints"

    # A database goes when it is named, and leaves a snapshot.
    former = team.outputs()["DatabaseCluster"]
    other = team.run("deploy", "--yes", "--without-service", "--database-engine", "mysql", "--replace", "Database")
    assert other.returncode == 0, other.stdout + other.stderr
    assert team.outputs()["DatabaseCluster"] != former
    kept = team.client("rds").describe_db_cluster_snapshots(DBClusterIdentifier=former, SnapshotType="manual")
    assert len(kept["DBClusterSnapshots"]) == 1

    outputs, s3 = team.outputs(), team.client("s3")
    s3.put_object(Bucket=outputs["ArtifactBucket"], Key="artifacts/1/model", Body=b"first")
    s3.put_object(Bucket=outputs["ArtifactBucket"], Key="artifacts/1/model", Body=b"second")
    once = team.run("destroy", "--yes", "--delete-data")
    assert once.returncode == 1
    assert "deleted only when that was said twice" in once.stderr
    assert team.status() == "UPDATE_COMPLETE"
    mistyped = team.answer([team.name, "yes"], "destroy", "--delete-data")
    assert f"'yes' is not '{outputs['ArtifactBucket']}'" in mistyped.stderr
    assert team.status() == "UPDATE_COMPLETE"

    twice = team.run("destroy", "--yes", "--delete-data", "--delete-data")
    assert twice.returncode == 0, twice.stdout + twice.stderr
    assert team.status() is None
    assert outputs["ArtifactBucket"] not in {each["Name"] for each in s3.list_buckets()["Buckets"]}
    snapshots = team.client("rds").describe_db_cluster_snapshots(
        DBClusterIdentifier=outputs["DatabaseCluster"], SnapshotType="manual"
    )
    assert snapshots["DBClusterSnapshots"] == []
    key = team.client("kms").describe_key(KeyId=outputs["KeyArn"])["KeyMetadata"]
    assert key["KeyState"] == "PendingDeletion"
    for name in ("EncryptionSecretArn", "WebhookSecretArn"):
        assert "DeletedDate" in team.client("secretsmanager").describe_secret(SecretId=outputs[name])
