"""Projects with servers of their own on AWS: their stacks, the task that makes their database, and their removal."""

from __future__ import annotations

import importlib.metadata
import json
import re
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import psycopg
import pytest
from botocore.stub import ANY, Stubber
from mlflow_server.aws.projects import DatabaseTask
from mlflow_server.aws.stack import Stack
from mlflow_server.aws.tunnel import Tunnel
from mlflow_server.errors import ServerError
from mlflow_server.stack.postgres import Postgres

from .conftest import Encryption, certificate

SERVER = Stack("s", "s", "CREATE_COMPLETE", {}, {"ClusterName": "mlflow", "UsedSubnetIds": "a,b", "ServerGroupId": "g"})
PROJECT = Stack("p", "p", "CREATE_COMPLETE", {}, {"DatabaseTask": "mlflow-wine-database:1", "Log": "/mlflow/wine"})
TASK = "arn:aws:ecs:us-east-1:123456789012:task/mlflow/0a1b"


def test_a_project_is_deployed_beside_its_server_and_neither_can_touch_the_others_artifacts(deployed: Any) -> None:
    stack = f"{deployed.stack}-project-wine"
    # No task runs in this cloud: the project stops where its database would be made, and says so.
    stopped = deployed.run("deploy-project", "wine", "--yes")
    assert stopped.returncode == 1
    assert "RunTask" in stopped.stderr
    assert "permissions of this role" not in stopped.stderr
    assert f"The stack {stack} stays, without its server" in stopped.stderr
    assert "add --database-is-made; or remove it by `mlflow-server destroy-project`" in stopped.stderr
    assert "Service" not in deployed.resources(stack)
    done = deployed.run_process("deploy-project", "wine", "--yes", "--database-is-made")
    assert done.returncode == 0, done.stdout + done.stderr

    own, server, resources = deployed.outputs(stack), deployed.outputs(), deployed.resources(stack)
    assert own["TrackingUri"] == f"{server['TrackingUri']}:5001"
    assert own["ArtifactRoot"] == f"s3://{server['ArtifactBucket']}/projects/wine/artifacts"
    assert own["DatabaseUrl"].startswith("postgresql+psycopg://project_wine@")
    assert own["DatabaseUrl"].endswith("/project_wine")
    told = deployed.client("ecs").describe_task_definition(taskDefinition=resources["TaskDefinition"])
    container = told["taskDefinition"]["containerDefinitions"][0]
    environment = {each["name"]: each["value"] for each in container["environment"]}
    assert environment["MLFLOW_DATABASE_SECRET_ARN"] == own["DatabaseSecretArn"]
    assert environment["MLFLOW_ARTIFACTS_CONFINED"] == "true"
    keys = {each["name"]: each["valueFrom"] for each in container["secrets"]}
    of_server = {server["EncryptionSecretArn"], server["WebhookSecretArn"]}
    assert {"MLFLOW_CRYPTO_KEK_PASSPHRASE", "MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY"} < set(keys)
    assert not of_server & set(keys.values())
    assert environment["MLFLOW_DATABASE_CERTIFICATES"].endswith(".pem")
    iam = deployed.client("iam")
    role = iam.get_role(RoleName=resources["ServerRole"])["Role"]["Arn"]
    for action, resource, decision in (
        ("s3:GetObject", f"arn:aws:s3:::{server['ArtifactBucket']}/projects/wine/artifacts/1/model", "allowed"),
        ("s3:GetObject", f"arn:aws:s3:::{server['ArtifactBucket']}/projects/beer/artifacts/1/model", "implicitDeny"),
        ("s3:GetObject", f"arn:aws:s3:::{server['ArtifactBucket']}/artifacts/1/model", "implicitDeny"),
        ("secretsmanager:GetSecretValue", own["DatabaseSecretArn"], "allowed"),
        ("secretsmanager:GetSecretValue", server["DatabaseSecretArn"], "implicitDeny"),
    ):
        answer = iam.simulate_principal_policy(PolicySourceArn=role, ActionNames=[action], ResourceArns=[resource])
        assert answer["EvaluationResults"][0]["EvalDecision"] == decision, (action, resource)

    refused = deployed.run("destroy", "--yes")
    assert f"The projects {stack} run on {deployed.stack}" in refused.stderr
    gone = deployed.run_process("destroy-project", "wine", "--yes")
    assert gone.returncode == 0, gone.stderr
    assert "project_wine and s3://" in gone.stdout
    assert deployed.described(stack) is None


@pytest.mark.parametrize("name", ["Wine", "wine_2", "-wine", "w" * 33])
def test_a_malformed_name_is_refused(deployed: Any, name: str) -> None:
    done = deployed.run("deploy-project", "--yes", "--", name)
    assert done.returncode != 0
    assert "Traceback" not in done.stderr


# ---- the task that makes the database -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, tuple[int, Path]]]:
    """A database server as Aurora is to the task: its master may make databases. Its port, and behind TLS with that."""
    folder = tmp_path_factory.mktemp("database")
    postgres = Postgres(folder / "postgres", "masters-password")
    port = postgres.start().port
    encryption = Encryption(port, certificate(folder, "server"))
    yield port, (encryption.port, folder / "server.crt")
    encryption.close()
    postgres.stop()


def prepare(cloud: Any, encrypted: tuple[int, Path], project: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run what the task runs."""
    port, authority = encrypted
    manager = cloud.client("secretsmanager")

    def secret(content: dict[str, str]) -> str:
        made = manager.create_secret(Name=uuid.uuid4().hex, SecretString=json.dumps(content))
        return str(made["ARN"])

    environment = {
        **cloud.environment,
        "MLFLOW_BACKEND_STORE_URI": f"postgresql+psycopg://mlflow@127.0.0.1:{port}/mlflow",
        "MLFLOW_DATABASE_SECRET_ARN": secret({"username": "mlflow", "password": "masters-password"}),
        "MLFLOW_DATABASE_CERTIFICATES": str(authority),
        "MLFLOW_PROJECT_DATABASE_SECRET_ARN": secret(project),
    }
    return subprocess.run(
        [sys.executable, "-m", "mlflow_server", "prepare-database"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def test_the_task_makes_a_database_that_its_own_role_can_open_and_no_other_project(cloud: Any, database: Any) -> None:
    port, behind_tls = database
    for name in ("wine", "beer", "wine"):  # deployed again, it is there already
        done = prepare(cloud, behind_tls, {"username": f"project_{name}", "password": f"password-of-{name}"})
        assert done.returncode == 0, done.stderr
    where = {"host": "127.0.0.1", "port": port, "user": "project_wine", "password": "password-of-wine"}
    with psycopg.connect(**where, dbname="project_wine") as connection:
        connection.execute("CREATE TABLE runs (id int)")
    for other in ("project_beer", "mlflow"):
        with pytest.raises(psycopg.OperationalError, match="permission denied"):
            psycopg.connect(**where, dbname=other)


@pytest.mark.parametrize(
    ("secret", "said"),
    [
        ({"username": "project_wine"}, "no JSON with username and password"),
        ({"username": "w", "password": "a'b"}, "letters, digits"),
    ],
)
def test_the_task_refuses_a_secret_it_cannot_use(cloud: Any, database: Any, secret: dict[str, str], said: str) -> None:
    done = prepare(cloud, database[1], secret)
    assert done.returncode == 1
    assert said in done.stderr
    assert "a'b" not in done.stderr


@pytest.fixture
def ecs() -> Iterator[tuple[Any, Stubber]]:
    """ECS as its service model has it: this cloud keeps descriptions of tasks and runs none."""
    client = boto3.client("ecs", region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
    with Stubber(client) as stubber:
        yield client, stubber


def started(stubber: Stubber, **ended: Any) -> None:
    network = {"subnets": ["a", "b"], "securityGroups": ["g"], "assignPublicIp": "DISABLED"}
    stubber.add_response(
        "run_task",
        {"tasks": [{"taskArn": TASK}], "failures": []},
        {
            "cluster": "mlflow",
            "taskDefinition": "mlflow-wine-database:1",
            "launchType": "FARGATE",
            "networkConfiguration": {"awsvpcConfiguration": network},
        },
    )
    for status in ("PENDING", "RUNNING", "STOPPED"):
        stubber.add_response(
            "describe_tasks",
            {"tasks": [{"lastStatus": status, "containers": [ended if status == "STOPPED" else {}]}]},
            {"cluster": "mlflow", "tasks": ANY},
        )


def test_the_task_is_waited_for(ecs: Any) -> None:
    client, stubber = ecs
    started(stubber, exitCode=0)
    said: list[str] = []
    DatabaseTask(client, None, said.append, sleep=lambda _: None).run(SERVER, PROJECT)
    assert said == ["Making the database (0a1b)"]
    stubber.assert_no_pending_responses()


def test_a_task_that_failed_is_said_with_its_log(ecs: Any, cloud: Any) -> None:
    client, stubber = ecs
    started(stubber, exitCode=1, reason="Essential container exited")
    logs, group = cloud.client("logs"), f"/mlflow/{uuid.uuid4().hex}"
    logs.create_log_group(logGroupName=group)
    logs.create_log_stream(logGroupName=group, logStreamName="database/database/0a1b")
    event = {"timestamp": int(time.time() * 1000), "message": "Error: The database at db lets mlflow make no database"}
    logs.put_log_events(logGroupName=group, logStreamName="database/database/0a1b", logEvents=[event])
    project = Stack("p", "p", "CREATE_COMPLETE", {}, {**PROJECT.outputs, "Log": group})
    with pytest.raises(ServerError, match="exit code 1, Essential container exited") as failed:
        DatabaseTask(client, logs, print, sleep=lambda _: None).run(SERVER, project)
    assert "lets mlflow make no database" in str(failed.value)


def test_a_task_that_does_not_start_says_why(ecs: Any) -> None:
    client, stubber = ecs
    stubber.add_response("run_task", {"tasks": [], "failures": [{"reason": "RESOURCE:FARGATE"}]})
    with pytest.raises(ServerError, match="does not start: RESOURCE:FARGATE"):
        DatabaseTask(client, None, print).run(SERVER, PROJECT)


# ---- the tunnel ---------------------------------------------------------------------------------------------------


def test_a_tunnel_is_a_session_of_the_container_and_to_the_database_one_through_it() -> None:
    target = "ecs:mlflow_0a1b_0a1b-123"
    server = Tunnel(target, 5000, "eu-west-1").command
    assert server[:7] == ["aws", "ssm", "start-session", "--region", "eu-west-1", "--target", target]
    assert server[server.index("--document-name") + 1] == "AWS-StartPortForwardingSession"
    assert json.loads(server[-1]) == {"portNumber": ["5000"], "localPortNumber": ["5000"]}
    database = Tunnel(target, 5433, "eu-west-1", "db.internal", 5432).command
    assert database[database.index("--document-name") + 1] == "AWS-StartPortForwardingSessionToRemoteHost"
    assert json.loads(database[-1]) == {"host": ["db.internal"], "portNumber": ["5432"], "localPortNumber": ["5433"]}


def test_the_sources_of_an_image_make_the_same_archive_every_time(tmp_path: Path) -> None:
    from mlflow_server.aws.image import read_sources

    first, second = read_sources(""), read_sources("")
    assert first.archive() == second.archive()
    assert first.tag == second.tag
    assert read_sources("3.13-slim").tag != first.tag
    assert {"Dockerfile", "image/requirements.lock", "mlflow_server/serve.py", "registry_password.py"} <= set(
        first.files
    )
    # The build that logs in to the registry installs what is locked, and no more than that needs.
    needed, lock = {"boto3"}, first.files["registry_password.lock"].decode()
    for name in needed | {"botocore", "s3transfer"}:
        told = (
            re.split(r"[ <>=!~;(]", each)[0] for each in importlib.metadata.requires(name) or () if "extra" not in each
        )
        needed |= set(told)
    assert set(re.findall(r"(?m)^([a-z0-9-]+)==", lock)) == needed | {"six"}
    assert lock.count("--hash=sha256:") >= len(needed)
    assert not [path for path in first.files if path.endswith((".yaml", ".pyc")) or "examples" in path]
    with pytest.raises(ServerError, match="run this from a checkout"):
        read_sources("", tmp_path)
