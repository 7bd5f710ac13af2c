"""Where moto says of a service what is not so: put right when the service is first asked, or refused.

moto is slow to import, service by service, so nothing of it is touched before it is needed.
"""

from __future__ import annotations

import functools
import importlib

# What puts a service right, by the name that the service is signed for. Each module has an `install`.
_MODULES = {
    "ecs": ("local_aws.ecs_services",),
    "elasticloadbalancing": ("local_aws.load_balancer_protection",),
    "rds": ("local_aws.rds_log_exports", "local_aws.rds_secrets", "local_aws.rds_snapshots"),
}
_NO_TASK = "it keeps the descriptions of tasks, and runs none"
# What moto answers as done though nothing happened: an operation, or method and path where a request names none.
_PRETENDED = {
    ("ecs", "RunTask"): _NO_TASK,
    ("ecs", "StartTask"): _NO_TASK,
    ("rds-data", ""): "it keeps the descriptions of databases, and runs none",
}


@functools.cache
def amend(service: str) -> None:
    """Put right what moto makes of a service, once."""
    for module in _MODULES.get(service, ()):
        importlib.import_module(module).install()


def pretended(service: str, operation: str) -> str | None:
    """Why an operation that moto would answer is refused, or None."""
    return _PRETENDED.get((service, operation)) or _PRETENDED.get((service, ""))
