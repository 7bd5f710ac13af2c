"""The server's stack from nothing to a service that answers, and from one version to the next.
A new stack is made without the service, since an image needs the repository first; the service follows the image."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from mlflow_server.aws.deployment import Deployment, Proposal
from mlflow_server.aws.image import ImageBuild, Sources, exists
from mlflow_server.aws.stack import Stack, find_stack
from mlflow_server.errors import ServerError


@dataclass(frozen=True)
class Intention:
    """What a deployment is to reach: parameters, and the image by its tag; `sources` where it may have to be built."""

    values: Mapping[str, str]
    tag: str
    sources: Sources | None

    @property
    def values_with_image(self) -> dict[str, str]:
        return {**self.values, "ImageTag": self.tag}

    @property
    def values_without_image(self) -> dict[str, str]:
        return {**self.values, "ImageTag": ""}


@dataclass(frozen=True)
class Server:
    """The server's stack; `agreed` asks the person who deploys, once, `replaced` are resources whose data may go."""

    deployment: Deployment
    build: ImageBuild
    ecr: Any
    planned: Callable[[Proposal, bool], None]
    agreed: Callable[[], bool]
    replaced: Collection[str] = ()

    def deploy(self, wanted: Intention, *, service: bool = True) -> tuple[Stack, bool]:
        """Deploy what is wanted, up to the repository only without `service`; the stack, and whether it has changed.

        Raises:
            ServerError: nobody agreed, the image is neither there nor can be built, or CloudFormation failed.
        """
        found = find_stack(self.deployment.cloudformation, self.deployment.stack_name)
        new = found is None or "RepositoryUri" not in found.outputs
        if not new and found is not None:
            return self._update(wanted, found, service=service)
        if service and wanted.sources is None:
            raise ServerError(
                f"There is no stack {self.deployment.stack_name} and so no image {wanted.tag}: deploy without "
                "--image-tag first, from a checkout of the repository."
            )
        proposal = self.deployment.propose(wanted.values_without_image)
        if proposal is None:
            raise ServerError(f"CloudFormation would make nothing of the stack {self.deployment.stack_name}.")
        self._ask(proposal, builds=service)
        stack = self.deployment.carry_out(proposal)
        if service:
            self._build(wanted, stack)
            stack = self._straight(wanted.values_with_image) or stack
        return stack, True

    def _update(self, wanted: Intention, stack: Stack, *, service: bool) -> tuple[Stack, bool]:
        values = wanted.values_with_image
        if not service:
            values = {**values, "ImageTag": stack.parameters.get("ImageTag", "")}
        there = not values["ImageTag"] or exists(self.ecr, stack, values["ImageTag"])
        if not there and wanted.sources is None:
            raise ServerError(
                f"There is no image {wanted.tag} in {stack.outputs['RepositoryUri']}: name one that is there, or leave "
                "--image-tag out to build it."
            )
        proposal = self.deployment.propose(values)
        if proposal is None:
            if not there:
                self._build(wanted, stack)
            return stack, not there
        self._ask(proposal, builds=not there)
        if not there:
            try:
                self._build(wanted, stack)
            except BaseException:
                self.deployment.withdraw(proposal)
                raise
        return self.deployment.carry_out(proposal), True

    def _straight(self, values: Mapping[str, str]) -> Stack | None:
        proposal = self.deployment.propose(values)
        if proposal is None:
            return None
        try:
            proposal.plan.refuse_losses(self.replaced)
        except ServerError:
            self.deployment.withdraw(proposal)
            raise
        return self.deployment.carry_out(proposal)

    def _build(self, wanted: Intention, stack: Stack) -> None:
        if wanted.sources is None:
            raise ServerError(f"There are no sources of the image {wanted.tag} here.")
        if not exists(self.ecr, stack, wanted.tag):
            self.build.run(stack, wanted.sources, wanted.values)

    def _ask(self, proposal: Proposal, *, builds: bool) -> None:
        try:
            self.planned(proposal, builds)
            proposal.plan.refuse_losses(self.replaced)
            agreed = self.agreed()
        except BaseException:
            self.deployment.withdraw(proposal)
            raise
        if not agreed:
            self.deployment.withdraw(proposal)
            raise ServerError("Nothing was changed.")
