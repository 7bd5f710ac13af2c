"""Services of ECS: moto forgets half of what it is told of one, and says that its tasks run once it was changed.

Here no task runs, and none is said to: a service has all its tasks pending, and its deployment is in progress.
"""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult
from moto.core.utils import camelcase_to_underscores, utcnow
from moto.ecs.models import EC2ContainerServiceBackend, Service
from moto.ecs.responses import EC2ContainerServiceResponse

_ASKED = (
    "availabilityZoneRebalancing",
    "capacityProviderStrategy",
    "deploymentConfiguration",
    "enableECSManagedTags",
    "enableExecuteCommand",
    "healthCheckGracePeriodSeconds",
    "placementConstraints",
    "placementStrategy",
)


def install() -> None:
    """Have a service be what was asked for, with no task running."""
    create, update = EC2ContainerServiceResponse.create_service, EC2ContainerServiceBackend.update_service

    def create_all_of_it(response: EC2ContainerServiceResponse) -> ActionResult:
        answer = create(response)
        service: Service = answer.result["service"]  # type: ignore[index]
        for name in _ASKED:
            if (value := response._get_param(name)) is not None:
                setattr(service, _attribute(name), value)
        return answer

    def update_without_running(backend: EC2ContainerServiceBackend, properties: dict[str, Any]) -> Service:
        definition = properties.get("task_definition")
        service = update(backend, properties)
        _await_tasks(backend, service)
        if definition and service.deployments:
            described = backend.describe_task_definition(definition)
            service.task_definition = described.arn
            service.deployments[0] |= {"taskDefinition": described.arn, "updatedAt": utcnow()}
        return service

    EC2ContainerServiceResponse.create_service = create_all_of_it  # type: ignore[method-assign, assignment]
    EC2ContainerServiceBackend.update_service = update_without_running  # type: ignore[method-assign, assignment]


def _attribute(name: str) -> str:
    # moto finds `enableECSManagedTags` under the name it makes of it, whatever that is.
    return camelcase_to_underscores(name)


def _await_tasks(backend: EC2ContainerServiceBackend, service: Service) -> None:
    """Count the tasks of a service as pending, in its cluster too."""
    cluster = backend._get_cluster(service.cluster_arn)
    backend.update_cluster_resources(cluster, -service.running_count, task_state="RUNNING")
    service.running_count, service.pending_count = 0, service.desired_count
    backend.update_cluster_resources(cluster, service.pending_count, task_state="PENDING")
    for deployment in service.deployments[:1]:
        deployment |= {"desiredCount": service.desired_count, "pendingCount": service.desired_count}
        deployment["runningCount"] = 0
