"""The way to a server inside a VPC from a laptop: a port of a task, forwarded by Session Manager through ECS Exec.
No bastion, no open port: IAM decides who may, by ssm:StartSession on the task.
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-exec.html"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from mlflow_server.errors import ServerError

_CONTAINER, _PORT = "mlflow", 5000


@dataclass(frozen=True)
class Tunnel:
    """A running container of a service, as Session Manager names it, and a port of this machine."""

    target: str
    port: int
    region: str
    host: str | None = None
    host_port: int = _PORT

    @property
    def command(self) -> list[str]:
        """The AWS CLI's command that opens it, with the plugin session-manager-plugin."""
        document = "AWS-StartPortForwardingSession"
        parameters = {"portNumber": [str(self.host_port)], "localPortNumber": [str(self.port)]}
        if self.host:
            document, parameters = f"{document}ToRemoteHost", {"host": [self.host], **parameters}
        return [
            *("aws", "ssm", "start-session", "--region", self.region, "--target", self.target),
            *("--document-name", document, "--parameters", json.dumps(parameters)),
        ]


def find_target(ecs: Any, cluster: str, service: str) -> str:
    """A running container of the service, as `ecs:<cluster>_<task>_<runtime id>`.

    Raises:
        ServerError: no task of the service runs.
    """
    tasks = ecs.list_tasks(cluster=cluster, serviceName=service, desiredStatus="RUNNING")["taskArns"]
    described = ecs.describe_tasks(cluster=cluster, tasks=tasks)["tasks"] if tasks else []
    for task in described:
        for container in task["containers"]:
            if container["name"] == _CONTAINER and container.get("runtimeId"):
                return f"ecs:{cluster}_{task['taskArn'].rpartition('/')[2]}_{container['runtimeId']}"
    raise ServerError(
        f"No task of the service {service} in the cluster {cluster} runs, so there is nothing to tunnel to: see the "
        "service's events in the console."
    )
