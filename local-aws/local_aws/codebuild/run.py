"""A build while it runs: a thread that leads it through its phases, with its commands in a shell in a room.

https://docs.aws.amazon.com/codebuild/latest/userguide/view-build-details-phases.html: a failed build phase is followed
by post_build, a failed install or pre_build phase by none, and the artifacts are always attempted.
"""

from __future__ import annotations

import functools
import getpass
import logging
import re
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from local_aws.cloud import Cloud
from local_aws.codebuild import artifacts, provisioning, reports, sources, variables
from local_aws.codebuild.buildspec import PHASES, Phase
from local_aws.codebuild.cache import Cache, CacheRefused, Place
from local_aws.codebuild.failure import COMMAND_EXECUTION_ERROR, PhaseFailed
from local_aws.codebuild.record import FAILED, FAULT, STOPPED, SUCCEEDED, TIMED_OUT, Record
from local_aws.codebuild.room import Room, image
from local_aws.codebuild.runtimes import selected
from local_aws.codebuild.shell import OutOfTime, Shell, Stopped
from local_aws.codebuild.transcript import Transcript
from local_aws.errors import AwsError
from local_aws.iam import sessions
from local_aws.logs import Forwarder
from local_aws.principal import acting_as

_LOG = logging.getLogger(__name__)
RUNS: dict[str, BuildRun] = {}


class BuildRun:
    """The build `name`, whose record is there already."""

    def __init__(self, cloud: Cloud, name: str) -> None:
        self.cloud, self.name = cloud, name
        self.record = Record(cloud, name)
        self.build = self.record.body
        self._stop = threading.Event()
        self._failed = False
        self._room: Room | None = None
        self._shell: Shell | None = None
        self._transcript: Transcript | None = None
        self._forwarder: Forwarder | None = None
        self._folder = cloud.settings.home / "builds" / name.rpartition(":")[2]
        self._finished: dict[str, Any] = {}

    def start(self) -> None:
        """Begin, in a thread of its own."""
        RUNS[self.name] = self
        threading.Thread(target=self._guarded, name=f"build {self.name}", daemon=True).start()

    def stop(self) -> None:
        """Have the build end where it is."""
        self._stop.set()
        if self._shell is not None:
            self._shell.stop()

    def say(self, text: str) -> None:
        if self._transcript is not None:
            self._transcript.say(text)

    def _guarded(self) -> None:
        status = FAULT
        try:
            status = self._run()
        except Exception as error:
            _LOG.exception("build %s", self.name)
            self.record.end(FAULT, [PhaseFailed("INTERNAL_ERROR", f"{type(error).__name__}: {error}")])
        finally:
            self._close(status)
            RUNS.pop(self.name, None)

    def _run(self) -> str:
        self.record.tell_state()
        self.record.begin("QUEUED")
        try:
            if not self._phase("PROVISIONING", self._provision):
                return FAILED
            role, session = self.build["serviceRole"], provisioning.session_name(self.name)
            with acting_as(sessions.principal(self.cloud, role, session, provisioning.SERVICE)):
                self._build()
        except Stopped:
            self.record.end(STOPPED, [])
            return STOPPED
        except OutOfTime:
            minutes = self.build["timeoutInMinutes"]
            message = f"Build has timed out: it ran longer than {minutes} minutes (timeoutInMinutes)."
            self.say(message)
            self.record.end(TIMED_OUT, [PhaseFailed("BUILD_TIMED_OUT", message)])
            return TIMED_OUT
        return FAILED if self._failed else SUCCEEDED

    def _build(self) -> None:
        if not self._phase("DOWNLOAD_SOURCE", self._download):
            return
        for name in PHASES:
            phase = self._buildspec.phases.get(name, Phase())
            if not self._phase(name.upper(), functools.partial(self._attempts, name.upper(), phase)):
                if phase.on_failure.action == "ABORT":
                    break
                if phase.on_failure.action != "CONTINUE" and name in ("install", "pre_build"):
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
        except PhaseFailed as failure:
            failures = [failure]
        self.say(f"Phase complete: {name} State: {FAILED if failures else SUCCEEDED}")
        for failure in failures or [PhaseFailed("", "")]:
            self.say(f"Phase context status code: {failure.code} Message: {failure.message}")
        if failures:
            self._failed = True
            self.record.end(FAILED, failures)
        return not failures

    def _provision(self) -> None:
        environment = self.build["environment"]
        self._deadline = time.monotonic() + 60 * self.build["timeoutInMinutes"]
        role, session = self.build["serviceRole"], provisioning.session_name(self.name)
        try:
            self._credentials = sessions.credentials(self.cloud, role, session, provisioning.SERVICE)
            principal = sessions.principal(self.cloud, role, session, provisioning.SERVICE)
        except AwsError as error:
            raise PhaseFailed("ACCESS_DENIED", error.message) from error
        try:
            found = image(self.cloud, environment["image"])
        except AwsError as error:
            raise PhaseFailed("BUILD_CONTAINER_UNABLE_TO_PULL_IMAGE", error.message) from error
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True)
        self._room = Room(self.cloud, found, self._folder, environment.get("privilegedMode", False))
        log = log_file(self.cloud, self.name)
        log.parent.mkdir(parents=True, exist_ok=True)
        self._transcript = Transcript(self._folder / "output", log)
        logs = self.build["logs"]
        if "groupName" in logs:
            with acting_as(principal):
                provisioning.make_stream(self.cloud, logs["groupName"], logs["streamName"])
            self._forwarder = Forwarder(self.cloud, logs["groupName"], logs["streamName"], log).start()
        self.say(f"Running on local-aws, {environment['image']} being Python at {found.python.parent.parent}")

    def _download(self) -> None:
        downloaded = [
            sources.download(self.cloud, source, self._folder, self.say) for source in sources.named(self.build)
        ]
        primary = downloaded[0]
        if primary.resolved and not self.build.get("resolvedSourceVersion"):
            self.record.update(resolvedSourceVersion=primary.resolved)
        self.build = self.record.body
        self._source = primary.folder
        self.say(f"CODEBUILD_SRC_DIR={self._source}")
        has_source = None if primary.source.type == "NO_SOURCE" else self._source
        written = self.build["source"].get("buildspec", "")
        where, self._buildspec = provisioning.read_buildspec(self.cloud, written, has_source)
        self.say(f"YAML location is {where}")
        self._configure(downloaded)
        self.say(f"Phases found in YAML: {len(self._buildspec.phases)}")
        for name, phase in self._buildspec.phases.items():
            self.say(f" {name.upper()}: {len(phase.commands)} commands")
        for name, version in self._buildspec.phases.get("install", Phase()).runtimes.items():
            self.say(selected(name, version))
        if self._buildspec.run_as or any(phase.run_as for phase in self._buildspec.phases.values()):
            self.say(f"Commands run as {getpass.getuser()}")

    def _configure(self, downloaded: list[sources.Downloaded]) -> None:
        """Read the secrets, put the environment together, and bring back the cache."""
        assert self._room is not None and self._transcript is not None
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
            **provisioning.source_variables(self.build, downloaded),
        }
        room, output = self._room, self._transcript.pipe
        turns = iter(range(1, 1_000_000))
        self._shell = Shell(
            lambda argv, env, cwd: room.start(f"build/{self.name}/{next(turns)}", argv, env, cwd, output),
            shutil.which(self._buildspec.shell) or self._buildspec.shell,
            self._folder / "shell",
            environment,
            self._source,
            self._deadline,
        )
        place = Place(self._source, self._folder / "home")
        config = self.build.get("cache", {})
        self._cache = Cache(self.cloud, self.build["projectName"], config, self._buildspec.cache, place)
        try:
            self._cache.restore(self._expand, self.say)
        except CacheRefused as error:
            self.say(str(error))

    def _attempts(self, name: str, phase: Phase) -> None:
        """Run the commands of a phase, again where its `on-failure` says so."""
        if self._failed:
            self._run_silently("export CODEBUILD_BUILD_SUCCEEDING=0")
        for attempt in range(phase.on_failure.retries + 1):
            try:
                self._commands(phase)
                return
            except PhaseFailed as failure:
                left = phase.on_failure.retries - attempt
                if left == 0 or re.search(phase.on_failure.pattern, failure.message) is None:
                    raise
                self.say(f"{failure.message}: the phase {name} is run again ({left} of its retries are left)")

    def _commands(self, phase: Phase) -> None:
        try:
            for command in phase.commands:
                self._command(command)
        except PhaseFailed:
            for command in phase.finally_commands:
                self._command(command)
            raise
        for command in phase.finally_commands:
            self._command(command)

    def _command(self, command: str) -> None:
        self.say(f"Running command {command}")
        status = self._run_silently(command)
        if status != 0:
            self.say(f"Command did not exit successfully {command} exit status {status}")
            raise PhaseFailed(
                COMMAND_EXECUTION_ERROR, f"Error while executing command: {command}. Reason: exit status {status}"
            )

    def _run_silently(self, command: str) -> int:
        assert self._shell is not None
        if self._stop.is_set():
            raise Stopped
        return self._shell.run(command)

    def _expand(self, text: str) -> str:
        """A text with the variables and commands in it replaced, as the build's shell does it."""
        if "$" not in text and "`" not in text:
            return text
        place = self._folder / "expanded"
        quoted = text.replace('"', '\\"')
        self._run_silently(f'printf %s "{quoted}" > "{place}"')
        return place.read_text()

    def _upload(self) -> list[PhaseFailed]:
        assert self._shell is not None
        self._finished["exportedEnvironmentVariables"] = self._exported()
        failures: list[PhaseFailed] = []
        for report in self._buildspec.reports:
            try:
                arn = reports.add(self.cloud, self.build, report, self._source, self._expand)
                self._finished.setdefault("reportArns", []).append(arn)
                self.say(f"Report of {report.group}: {arn}")
            except PhaseFailed as failure:
                failures.append(failure)
        for wanted in artifacts.destinations(self.build):
            try:
                uploaded = artifacts.upload(self.cloud, self._buildspec, wanted, self._source, self._expand, self.say)
                self._uploaded(uploaded)
            except PhaseFailed as failure:
                failures.append(failure)
        return failures

    def _uploaded(self, uploaded: artifacts.Uploaded) -> None:
        told = {"location": uploaded.location, "sha256sum": uploaded.sha256, "md5sum": uploaded.md5}
        told = {name: value for name, value in told.items() if value}
        if uploaded.identifier:
            told["artifactIdentifier"] = uploaded.identifier
            self._finished.setdefault("secondaryArtifacts", []).append(told)
        else:
            self._finished["artifacts"] = told

    def _exported(self) -> list[dict[str, str]]:
        assert self._shell is not None
        left = self._shell.variables
        for name in self._buildspec.exported:
            if name not in left:
                self.say(f"The variable {name} is not set, and not exported")
            elif name in self._secret:
                self.say(f"The variable {name} is a secret, and not exported")
        return [
            {"name": name, "value": left[name]}
            for name in self._buildspec.exported
            if name in left and name not in self._secret
        ]

    def _finalize(self) -> None:
        if self._failed:
            return
        try:
            self._cache.save(self._expand, self.say)
        except CacheRefused as error:
            self.say(str(error))

    def _close(self, status: str) -> None:
        """End what is left of the build, keep its log whole, then say that it is complete."""
        if self._shell is not None:
            self._shell.close()
        if self._transcript is not None:
            self._transcript.finish()
        if self._forwarder is not None:
            self._forwarder.finish()
        self.record.complete(status, **self._finished)
        if self._room is not None:
            self._room.remove()


def log_file(cloud: Cloud, name: str) -> Path:
    """The file that holds the log of a build."""
    return cloud.settings.home / "logs" / "codebuild" / f"{name.rpartition(':')[2]}.log"
