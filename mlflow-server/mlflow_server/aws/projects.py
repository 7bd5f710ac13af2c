"""A project with a server of its own on the infrastructure of another: a stack, and a task that makes its database.
The server's exports tie the stacks: CloudFormation keeps a server that projects still use."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from mlflow_server.aws.stack import Stack, pauses
from mlflow_server.errors import ServerError

_FIRST_PORT, _LAST_PORT = 5001, 5049
_DRIVERS = {"postgresql": "postgresql+psycopg", "mysql": "mysql+pymysql"}
_LOG_LINES = 12


def stack_name(server: Stack, project: str) -> str:
    """The name of a project's stack."""
    return f"{server.name}-project-{project}"


def parameters(server: Stack, project: str, port: int) -> dict[str, str]:
    """What a project's stack takes from its server.

    Raises:
        ServerError: the server has no image yet, which projects run as well.
    """
    given = server.parameters
    if not given.get("ImageTag"):
        raise ServerError(
            f"The server {server.name} has no image yet, which its projects run too: `mlflow-server deploy` first."
        )
    return {
        "ServerStack": server.name,
        "ServerName": given["ServerName"],
        "ProjectName": project,
        "DatabaseName": f"project_{project.replace('-', '_')}",
        "Driver": _DRIVERS[given["DatabaseEngine"]],
        "ImageTag": given["ImageTag"],
        "Port": str(port),
        "ClientCidr": given["ClientCidr"] or given["VpcCidr"],
        "ClientGroupId": server.outputs["ClientGroupId"],
        "CertificateArn": given["CertificateArn"],
        "DomainName": given["DomainName"],
        "NullPool": "false" if given["PauseAfterSeconds"] == "0" else "true",
    }


def projects_of(cloudformation: Any, server: Stack) -> list[str]:
    """The stacks of the projects that use a server."""
    try:
        pages = cloudformation.get_paginator("list_imports").paginate(ExportName=f"{server.name}-ClusterName")
        return [name for page in pages for name in page["Imports"]]
    except ClientError as error:
        # CloudFormation's way of saying none.
        if "is not imported" in str(error) or "does not exist" in str(error):
            return []
        raise


def free_port(taken: Iterable[str]) -> int:
    """A port of the load balancer that no project has."""
    known = set(taken)
    for port in range(_FIRST_PORT, _LAST_PORT + 1):
        if str(port) not in known:
            return port
    raise ServerError(
        f"The load balancer has a project at each of its ports {_FIRST_PORT} to {_LAST_PORT}: deploy a second server."
    )


@dataclass(frozen=True)
class DatabaseTask:
    """The one-off task that makes a project's database from inside the VPC, and its log; `say` prints a line."""

    ecs: Any
    logs: Any
    say: Callable[[str], None]
    sleep: Callable[[float], None] = time.sleep

    def run(self, server: Stack, project: Stack) -> None:
        """Run the task and wait for its end.

        Raises:
            ServerError: it could not start, or ended with an error; the end of its log follows.
        """
        arn = self._started(server, project)
        self.say(f"Making the database ({arn.rpartition('/')[2]})")
        task = self._ended(server.outputs["ClusterName"], arn)
        code = task["containers"][0].get("exitCode")
        if code == 0:
            return
        why = task["containers"][0].get("reason") or task.get("stoppedReason", "no reason is given")
        raise ServerError(
            "\n  ".join(
                [
                    f"The project's database could not be made: exit code {code}, {why}. {_left(project)} "
                    "The end of the task's log:",
                    *self._log(project.outputs["Log"], f"database/database/{arn.rpartition('/')[2]}"),
                ]
            )
        )

    def _started(self, server: Stack, project: Stack) -> str:
        try:
            told = self._run_task(server, project)
        except ClientError as error:
            raise ServerError(
                f"The task that makes the project's database cannot be run. {str(error).rstrip('.')}. {_left(project)}"
            ) from error
        if not told["tasks"]:
            why = "; ".join(failure.get("reason", "no reason is given") for failure in told["failures"])
            raise ServerError(f"The task that makes the project's database does not start: {why}. {_left(project)}")
        return str(told["tasks"][0]["taskArn"])

    def _run_task(self, server: Stack, project: Stack) -> Mapping[str, Any]:
        told: dict[str, Any] = self.ecs.run_task(
            cluster=server.outputs["ClusterName"],
            taskDefinition=project.outputs["DatabaseTask"],
            launchType="FARGATE",
            networkConfiguration={
                "awsvpcConfiguration": {
                    "subnets": server.outputs["UsedSubnetIds"].split(","),
                    "securityGroups": [server.outputs["ServerGroupId"]],
                    "assignPublicIp": "DISABLED",
                }
            },
        )
        return told

    def _ended(self, cluster: str, arn: str) -> Mapping[str, Any]:
        for _ in pauses(f"The task {arn} has not ended", self.sleep):
            task: dict[str, Any] = self.ecs.describe_tasks(cluster=cluster, tasks=[arn])["tasks"][0]
            if task["lastStatus"] == "STOPPED":
                return task
        raise AssertionError("pauses end by an exception only")

    def _log(self, group: str, stream: str) -> list[str]:
        try:
            found = self.logs.get_log_events(logGroupName=group, logStreamName=stream, limit=50)["events"]
        except ClientError as error:
            return [f"(its log cannot be read: {error})"]
        return [event["message"].rstrip() for event in found][-_LOG_LINES:]


def _left(project: Stack) -> str:
    """What there is of a project without a database, and what to do."""
    return (
        f"The stack {project.name} stays, without its server. Deploy the project again once the cause is gone; where "
        "no task can run, make the database by hand and add --database-is-made; or remove it by "
        "`mlflow-server destroy-project`."
    )
