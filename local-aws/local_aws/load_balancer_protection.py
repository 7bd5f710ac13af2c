"""Load balancers that are protected from deletion: moto keeps the attribute, and deletes them nevertheless."""

from __future__ import annotations

from moto.elbv2.exceptions import ELBClientError
from moto.elbv2.models import ELBv2Backend


class OperationNotPermittedError(ELBClientError):
    """https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DeleteLoadBalancer.html"""

    def __init__(self, arn: str) -> None:
        message = f"Load balancer '{arn}' cannot be deleted because deletion protection is enabled"
        super().__init__("OperationNotPermitted", message)


def install() -> None:
    """Have a protected load balancer stay."""
    delete = ELBv2Backend.delete_load_balancer

    def delete_unless_protected(backend: ELBv2Backend, arn: str) -> None:
        balancer = backend.load_balancers.get(arn)
        if balancer is not None and str(balancer.attrs.get("deletion_protection.enabled")).lower() == "true":
            raise OperationNotPermittedError(arn)
        delete(backend, arn)

    ELBv2Backend.delete_load_balancer = delete_unless_protected  # type: ignore[method-assign, assignment]
