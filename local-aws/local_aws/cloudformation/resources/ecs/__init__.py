"""AWS::ECS: clusters, task definitions and services as descriptions. No task runs here."""

import local_aws.cloudformation.resources.ecs.clusters
import local_aws.cloudformation.resources.ecs.services
import local_aws.cloudformation.resources.ecs.task_definitions  # noqa: F401
