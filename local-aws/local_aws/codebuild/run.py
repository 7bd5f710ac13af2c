"""A build while it runs: a thread that leads it through its phases.

https://docs.aws.amazon.com/codebuild/latest/userguide/view-build-details-phases.html: a failed build phase is followed
by post_build, a failed install or pre_build phase by neither, and the artifacts are always attempted. A phase that
failed makes the build fail, also where `on-failure` has it go on.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from local_aws.cloud import Cloud
from local_aws.codebuild import artifacts, daemon, provisioning, reports, room, sources, variables
from local_aws.codebuild.agent import Agent
from local_aws.codebuild.buildspec import PHASES, Buildspec, Phase
from local_aws.codebuild.cache import Cache, CacheRefused, Place
from local_aws.codebuild.failure import PhaseFailed
from local_aws.codebuild.record import FAILED, FAULT, STOPPED, SUCCEEDED, TIMED_OUT, Record
from local_aws.codebuild.runtimes import selected
from local_aws.codebuild.shell import OutOfTime, Shell, Stopped
from local_aws.codebuild.transcript import Transcript
from local_aws.errors import AwsError
from local_aws.iam import sessions
from local_aws.images import ImageFolder
from local_aws.logs import Forwarder
from local_aws.principal import acting_as

_LOG = logging.getLogger(__name__)
SECONDS_OF_A_MINUTE = 60.0
RUNS: dict[str, BuildRun] = {}


class ServerStops(Exception):
    """The server ends, and every process with it: what happens to a build now says nothing of it."""


class BuildRun:
    """The build `name`, whose record is there already."""

    _credentials: sessions.Credentials
    _room: room.Room
    _buildspec: Buildspec
    _source: Path
    _agent: Agent
    _cache: Cache
    _secret: frozenset[str]

    def __init__(self, cloud: Cloud, name: str) -> None:
        self.cloud, self.name = cloud, name
        self.record = Record(cloud, name)
        self.build = self.record.body
        self._folder = cloud.settings.home / "builds" / name.rpartition(":")[2]
        self._folder.mkdir(parents=True)
        log_file(cloud, name).parent.mkdir(parents=True, exist_ok=True)
        self._transcript = Transcript(self._folder / "output", log_file(cloud, name))
        self.say = self._transcript.say
        self._deadline = time.monotonic() + SECONDS_OF_A_MINUTE * self.build["timeoutInMinutes"]
        self._stop = threading.Event()
        self._shells: list[Shell] = []
        self._forwarding = contextlib.ExitStack()
        self._failed = False
        # Members of the record that are known when the build is complete.
        self._finished: dict[str, Any] = {}

    def start(self) -> None:
        """Begin, in a thread of its own."""
        RUNS[self.name] = self
        threading.Thread(target=self._guarded, name=f"build {self.name}", daemon=True).start()

    def stop(self) -> None:
        """Have the build end where it is."""
        self._stop.set()
        for shell in self._shells:
            shell.stop()

    def _guarded(self) -> None:
        try:
            status = self._run()
        except Exception as error:
            if self.cloud.stopping.is_set():
                return
            _LOG.exception("build %s", self.name)
            self.record.end(FAULT, [PhaseFailed("INTERNAL_ERROR", f"{type(error).__name__}: {error}")])
            status = FAULT
        self._close(status)
        RUNS.pop(self.name, None)

    def _run(self) -> str:
        self.record.tell_state()
        self.record.begin("QUEUED")
        try:
            if self._phase("PROVISIONING", self._provision):
                with acting_as(self._principal()):
                    self._build()
        except Stopped:
            self.record.end(STOPPED, [])
            return STOPPED
        except OutOfTime:
            message = f"Build has timed out: it ran longer than its {self.build['timeoutInMinutes']} minutes."
            self.say(message)
            self.record.end(TIMED_OUT, [PhaseFailed("BUILD_TIMED_OUT", message)])
            return TIMED_OUT
        return FAILED if self._failed else SUCCEEDED

    def _build(self) -> None:
        if not self._phase("DOWNLOAD_SOURCE", self._download):
            return
        for name in PHASES:
            phase = self._buildspec.phases.get(name, Phase())
            work = functools.partial(self._agent_carries_out, name.upper(), phase)
            if not self._phase(name.upper(), work) and not _goes_on(name, phase):
                break
        self._phase("UPLOAD_ARTIFACTS", self._upload)
        self._phase("FINALIZING", self._finalize)

    def _phase(self, name: str, work: Callable[[], list[PhaseFailed] | None]) -> bool:
        """Carry out a phase; whether it succeeded. Raises `Stopped` and `OutOfTime`, the phase not having ended."""
        if self._stop.is_set():
            raise Stopped
        self.record.begin(name)
        self.say(f"Entering phase {name}")
        try:
            failures = work() or []
        except PhaseFailed as refused:
            failures = [refused]
        if self.cloud.stopping.is_set():
            raise ServerStops
        self.say(f"Phase complete: {name} State: {FAILED if failures else SUCCEEDED}")
        for context in failures or [PhaseFailed("", "")]:
            self.say(f"Phase context status code: {context.code} Message: {context.message}")
        if failures:
            self._failed = True
            self.record.end(FAILED, failures)
        return not failures

    def _principal(self) -> Any:
        role, session = self.build["serviceRole"], provisioning.session_name(self.name)
        return sessions.principal(self.cloud, role, session, provisioning.SERVICE)

    def _provision(self) -> None:
        environment, logs = self.build["environment"], self.build["logs"]
        role, session = self.build["serviceRole"], provisioning.session_name(self.name)
        try:
            self._credentials = sessions.credentials(self.cloud, role, session, provisioning.SERVICE)
            principal = self._principal()
        except AwsError as error:
            raise PhaseFailed("ACCESS_DENIED", error.message) from error
        if "groupName" in logs:
            group, stream = logs["groupName"], logs["streamName"]
            with acting_as(principal):
                provisioning.make_stream(self.cloud, group, stream)
            forwarder = Forwarder(self.cloud, group, stream, log_file(self.cloud, self.name)).start()
            self._forwarding.callback(forwarder.finish)
        try:
            image = room.image(self.cloud, environment["image"])
        except AwsError as error:
            raise PhaseFailed("BUILD_CONTAINER_UNABLE_TO_PULL_IMAGE", error.message) from error
        self._room = room.Room(self.cloud, image, self._folder, environment.get("privilegedMode", False))
        self.say(f"Running on local-aws: {environment['image']} stands for Python at {image.python.parent.parent}")
        if self.build.get("vpcConfig", {}).get("vpcId"):
            self.say("vpcConfig has no effect: builds of local-aws are in the network of this machine")

    def _download(self) -> None:
        found = [sources.download(self.cloud, source, self._folder, self.say) for source in sources.named(self.build)]
        primary = found[0]
        if primary.resolved and not self.build.get("resolvedSourceVersion"):
            self.record.update(resolvedSourceVersion=primary.resolved)
        self.build = self.record.body
        self._source = primary.folder
        self.say(f"CODEBUILD_SRC_DIR={self._source}")
        source = None if primary.source.type == "NO_SOURCE" else self._source
        place, self._buildspec = provisioning.read_buildspec(
            self.cloud, self.build["source"].get("buildspec", ""), source
        )
        self.say(f"YAML location is {place}")
        self._furnish(found)
        self.say(f"Phases found in YAML: {len(self._buildspec.phases)}")
        for name, phase in self._buildspec.phases.items():
            self.say(f" {name.upper()}: {len(phase.commands)} commands")
        for name, version in self._buildspec.phases.get("install", Phase()).runtimes.items():
            self.say(selected(name, version))

    def _furnish(self, found: list[sources.Downloaded]) -> None:
        """Read the secrets, put the environment together, make the shell and bring back the cache."""
        self.say("Processing environment variables")
        given = variables.resolved(self.cloud, self.build, self._buildspec)
        self._transcript.mask(given.secrets())
        self._secret = given.secret
        environment = {
            **self._room.environment(),
            **self._credentials.environment,
            **variables.cloud_variables(self.cloud),
            **given.values,
            **variables.own(self.cloud, self.build),
            **provisioning.source_variables(self.build, found),
        }
        number = iter(range(1, 1_000_000))
        shell = Shell(
            lambda argv, env, cwd: self._room.start(
                f"build/{self.name}/{next(number)}", argv, env, cwd, self._transcript.pipe
            ),
            shutil.which(self._buildspec.shell) or self._buildspec.shell,
            self._folder / "shell",
            environment,
            self._source,
            self._deadline,
        )
        self._shells.append(shell)
        self._agent = Agent(shell, self.say, self._folder / "expanded")
        place = Place(self._source, self._folder / "home")
        config = self.build.get("cache", {})
        self._cache = Cache(self.cloud, self.build["projectName"], config, self._buildspec.cache, place)
        try:
            self._cache.restore(self._agent.expand, self.say)
        except CacheRefused as error:
            self.say(str(error))

    def _agent_carries_out(self, name: str, phase: Phase) -> None:
        self._agent.carry_out(name, phase, not self._failed)

    def _upload(self) -> list[PhaseFailed]:
        self._finished["exportedEnvironmentVariables"] = self._agent.exported(self._buildspec.exported, self._secret)
        failures: list[PhaseFailed] = []
        for report in self._buildspec.reports:
            try:
                arn = reports.add(self.cloud, self.build, report, self._source, self._agent.expand)
                self._finished.setdefault("reportArns", []).append(arn)
                self.say(f"Report of {report.group}: {arn}")
            except PhaseFailed as refused:
                failures.append(refused)
        for wanted in artifacts.destinations(self.build):
            try:
                uploaded = artifacts.upload(
                    self.cloud, self._buildspec, wanted, self._source, self._agent.expand, self.say
                )
                self._finished.update(uploaded.told(self._finished))
            except PhaseFailed as refused:
                failures.append(refused)
        return failures

    def _finalize(self) -> None:
        if self._failed:
            return
        try:
            self._cache.save(self._agent.expand, self.say)
        except CacheRefused as error:
            self.say(str(error))

    def _close(self, status: str) -> None:
        """End what is left of the build, keep its log whole, then say that it is complete."""
        for shell in self._shells:
            shell.close()
        self._transcript.finish()
        self._forwarding.close()
        ImageFolder(self.cloud.settings.home).forget(daemon.prefix(self.name))
        self.record.complete(status, **self._finished)
        room.remove(self._folder)


def _goes_on(name: str, phase: Phase) -> bool:
    """Whether the next phase is run after this one has failed."""
    if phase.on_failure.action in ("ABORT", "CONTINUE"):
        return phase.on_failure.action == "CONTINUE"
    return name not in ("install", "pre_build")


def log_file(cloud: Cloud, name: str) -> Path:
    """The file that holds the log of a build."""
    return cloud.settings.home / "logs" / "codebuild" / f"{name.rpartition(':')[2]}.log"
