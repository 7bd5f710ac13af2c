"""A release: from a pin to endpoints. Staging first; prod only after its smoke test, and when someone approved.
Everything that can be refused is refused before the first change."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from model_deploy.deployment import Deployment, deployment_of
from model_deploy.errors import DeploymentError
from model_deploy.executor import Executor
from model_deploy.expectation import prepare_smoke_test
from model_deploy.image import ServingEnvironment
from model_deploy.logged_model import read_logged_model
from model_deploy.order import Request
from model_deploy.package import Package, build_package
from model_deploy.pin import Pin
from model_deploy.plan import Plan, Stack, plan, plan_back
from model_deploy.registry import Registry
from model_deploy.skew import refuse_skew
from model_deploy.smoke import SmokeResult, SmokeTest, run_smoke_test
from model_deploy.stage import Stage
from model_deploy.stage_record import deployment_tags
from model_deploy.store import ship_package
from model_deploy.version import RegisteredVersion


@dataclass(frozen=True)
class Candidate:
    """A pinned version that may be deployed: its package, and the smoke test its endpoint has to pass."""

    version: RegisteredVersion
    package: Package
    smoke_test: SmokeTest

    @property
    def package_key(self) -> str:
        """Where the package belongs in the artifact bucket."""
        return self.package.key(self.version.model_name)


class Progress(Protocol):
    """Who is told what happens, as it happens."""

    def shipped(self, uri: str, *, uploaded: bool) -> None: ...
    def deploying(self, plan: Plan) -> None: ...
    def deployed(self, plan: Plan, *, changed: bool) -> None: ...
    def taking_back(self, plan: Plan) -> None: ...
    def smoked(self, endpoint_name: str, result: SmokeResult) -> None: ...


def prepare(pin: Pin, registry: Registry, serving: ServingEnvironment, room: Path) -> Candidate:
    """Fetch the pinned version into the directory `room`, and see that it can be served; nothing is changed anywhere.

    Raises:
        DeploymentError: the version cannot be had, does not fit the image, or does not predict its own example.
    """
    version = registry.resolve(pin)
    (room / "download").mkdir()
    model = read_logged_model(registry.download(version, room / "download"))
    refuse_skew(model, serving)
    # Packed before it is loaded: loading may leave compiled bytecode beside a model's own code.
    package = build_package(model.directory, room / "model.tar.gz")
    smoke_test = replace(prepare_smoke_test(model), served_as=version.served_as)
    return Candidate(version, package, smoke_test)


def plan_stages(
    candidate: Candidate, request: Request, stack: Callable[[str], Stack | None], *, ahead: bool = False
) -> list[Plan]:
    """Plan every stage in order; nothing is changed anywhere. `stack` finds a stack by its name.

    Raises:
        DeploymentError: a stage does not take this version, or its stack cannot be updated.
    """
    deployments = [
        deployment_of(candidate.version, candidate.package_key, name, stage, request.ground)
        for name, stage in request.stages.items()
    ]
    return [plan(stack(each.stack_name), each, request.template, ahead=ahead) for each in deployments]


@dataclass(frozen=True)
class Release:
    """The means of a release: where packages go, who deploys, how endpoints are called, who is told."""

    s3: Any
    runtime: Any
    executor: Executor
    registry: Registry
    progress: Progress
    bucket: str
    template: str
    commit: str

    def carry_out(self, candidate: Candidate, plans: list[Plan], stages: Mapping[str, Stage]) -> None:
        """Deploy the stages in order; one that fails, in CloudFormation or in its smoke test, ends the release.

        Raises:
            DeploymentError: a stage failed. It serves what it served before, and those after it are untouched.
        """
        key = candidate.package_key
        uploaded = ship_package(self.s3, self.bucket, key, candidate.package)
        self.progress.shipped(f"s3://{self.bucket}/{key}", uploaded=uploaded)
        for each in plans:
            self._deploy(candidate, each, stages[each.deployment.stage])

    def _deploy(self, candidate: Candidate, stage_plan: Plan, stage: Stage) -> None:
        deployment = stage_plan.deployment
        self.progress.deploying(stage_plan)
        changed = self.executor.carry_out(stage_plan, self.template, self.commit)
        self.progress.deployed(stage_plan, changed=changed)
        bound = stage.smoke_test.latency_milliseconds
        try:
            result = run_smoke_test(self.runtime, deployment.endpoint_name, candidate.smoke_test, bound)
        except DeploymentError as failure:
            if not changed:
                raise
            raise DeploymentError(f"{failure} {self._take_back(stage_plan)}", failure.evidence) from failure
        self.progress.smoked(deployment.endpoint_name, result)
        self._record(candidate.version, deployment, changed=changed)

    def _take_back(self, made: Plan) -> str:
        """Undo an update whose endpoint failed its smoke test; says what became of the stage."""
        name = made.deployment.stack_name
        if made.now is None:
            return (
                f"{name} served nothing before and stays up to be looked at: pin a version that works, or remove it by "
                f"aws cloudformation delete-stack --stack-name {name}."
            )
        self.progress.taking_back(made)
        executor = replace(self.executor, change_set_name=f"{self.executor.change_set_name}-back")
        executor.carry_out(
            plan_back(executor.stack(name), made.deployment.stage, made.now), made.now.template, self.commit
        )
        return f"{name} serves {made.serves_now} again."

    def _record(self, version: RegisteredVersion, deployment: Deployment, *, changed: bool) -> None:
        stage, endpoint, now = deployment.stage, deployment.endpoint_name, datetime.now(UTC)
        tags = deployment_tags(version, stage, endpoint, self.commit, now, changed=changed)
        self.registry.record(version, stage, tags)
