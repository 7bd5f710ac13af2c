"""What every job has in common: its hosts' containers, its processes, and the four ways in which it can end."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shutil
import signal
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local_aws.cloud import Cloud
from local_aws.containers import Container
from local_aws.errors import validation_error
from local_aws.images import Image
from local_aws.logs import Forwarder, OnLine, tail
from local_aws.principal import Principal, acting_as
from local_aws.processes.keeper import Running
from local_aws.store import now

_LOG = logging.getLogger(__name__)
# https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_StopTrainingJob.html
_STOP_SECONDS = 120
_TICK_SECONDS = 0.1
_LOOK_SECONDS = 1.0
_AGAIN_SECONDS = 1.0
REASON = 1024
_OPEN = ("InProgress", "Stopping")
_DISK_RESERVE = 256 * 1024**2

DISK_FULL_REASON = (
    "ClientError: the disk of the job is full: it has written more than VolumeSizeInGB, or this machine has less than "
    f"{_DISK_RESERVE // 1024**2} MB left"
)
EXITED, STOPPED, TIMED_OUT, DISK_FULL = "exited", "stopped", "timed out", "disk full"


@dataclass(frozen=True)
class Limits:
    """What a job may use: seconds of run time, and bytes of disk for each of its hosts."""

    seconds: int
    disk: int


@dataclass(frozen=True)
class Host:
    """One instance of a job: `algo-1`, its container and its log."""

    name: str
    container: Container
    log: Path


class Job:
    """A job while it runs. `kind` is its kind in the store, `hosts` one container for each instance.

    What it does, it does as `role`.
    """

    def __init__(self, cloud: Cloud, kind: str, name: str, image: Image, instances: int, role: Principal) -> None:
        self.cloud, self.kind, self.name, self.role = cloud, kind, name, role
        self._stop = threading.Event()
        self.folder = cloud.settings.home / "jobs" / kind / name
        shutil.rmtree(self.folder, ignore_errors=True)
        logs = cloud.settings.home / "logs" / kind / name
        shutil.rmtree(logs, ignore_errors=True)
        self.hosts = [
            Host(
                f"algo-{number}",
                Container(cloud, image, self.folder / f"algo-{number}", role),
                logs / f"algo-{number}.log",
            )
            for number in range(1, instances + 1)
        ]
        self.failed_host = self.hosts[0]

    def update(self, **changes: Any) -> None:
        """Write changes of the job's description, with the time of the change."""
        self.cloud.store.update(self.kind, self.name, {"LastModifiedTime": now(), **changes})

    def configure(self, name: str, content: Any) -> None:
        """Write `/opt/ml/input/config/<name>` (or another folder under /opt/ml/) for every host."""
        for host in self.hosts:
            described = content(host) if callable(content) else content
            path = host.container.path(f"/opt/ml/{name}")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(described))

    def resource_config(self, host: Host, instance_type: str) -> dict[str, Any]:
        """`resourceconfig.json`: https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-training-algo-running-container.html"""
        names = [each.name for each in self.hosts]
        return {
            "current_host": host.name,
            "current_instance_type": instance_type,
            "current_group_name": "homogeneousCluster",
            "hosts": names,
            "instance_groups": [
                {"instance_group_name": "homogeneousCluster", "instance_type": instance_type, "hosts": names}
            ],
            "network_interface_name": "lo",
        }

    def stop(self) -> None:
        """Ask the job to end; it does so in `run`."""
        self._stop.set()

    @property
    def stopping(self) -> bool:
        return self._stop.is_set()

    def run(
        self, group: str, start: Callable[[Host], Running], limits: Limits, on_line: OnLine | None = None
    ) -> tuple[str, int]:
        """Start every host's process, follow the logs and wait; answers how it ended and the first bad exit code."""
        if self.stopping:
            return STOPPED, 0
        running: list[Running] = []
        forwarders: list[Forwarder] = []
        stamp = int(time.time())
        try:
            for host in self.hosts:
                running.append(start(host))
                stream = f"{self.name}/{host.name}-{stamp}"
                forwarders.append(Forwarder(self.cloud, group, stream, host.log, on_line).start())
            return self._wait(running, limits)
        finally:
            # However this ends, nothing of the job runs on after it.
            self._end([process for process in running if process.wait(0) is None], 0)
            for forwarder in forwarders:
                forwarder.finish()

    def _wait(self, running: list[Running], limits: Limits) -> tuple[str, int]:
        deadline = time.monotonic() + limits.seconds
        next_look = 0.0
        while True:
            codes = [process.wait(0) for process in running]
            failed = next((index for index, code in enumerate(codes) if code), None)
            if failed is not None:
                self.failed_host = self.hosts[failed]
                return EXITED, codes[failed] or 0
            alive = [process for process, code in zip(running, codes, strict=True) if code is None]
            if not alive:
                return EXITED, 0
            if self.stopping or time.monotonic() >= deadline:
                self._end(alive, _STOP_SECONDS)
                return (STOPPED if self.stopping else TIMED_OUT), 0
            if time.monotonic() >= next_look:
                if self._disk_is_full(limits):
                    return DISK_FULL, 0
                next_look = time.monotonic() + _LOOK_SECONDS
            alive[0].wait(_TICK_SECONDS)

    def _end(self, alive: list[Running], patience: float) -> None:
        """SIGTERM, `patience` seconds to heed it, SIGKILL."""
        if patience:
            deadline = time.monotonic() + patience
            for process in alive:
                process.signal(signal.SIGTERM)
            for process in alive:
                process.wait(max(0.0, deadline - time.monotonic()))
        for process in alive:
            if process.wait(0) is None:
                process.kill()
        for process in alive:
            process.wait()

    def _disk_is_full(self, limits: Limits) -> bool:
        if shutil.disk_usage(self.folder).free < _DISK_RESERVE:
            return True
        return any(_size(host.container.folder) + _size(host.log) > limits.disk for host in self.hosts)

    def remove(self) -> None:
        """Delete what the job wrote; a tree that is too deep for Python is `rm`'s to delete."""
        try:
            shutil.rmtree(self.folder)
        except (OSError, RecursionError):
            subprocess.run(["rm", "-rf", "--", self.folder], stderr=subprocess.DEVNULL, check=False)


class Jobs:
    """The jobs of one kind that run now, by name."""

    def __init__(self) -> None:
        self._running: dict[tuple[int, str], Job] = {}

    def start(self, job: Job, body: Callable[[Job], None]) -> None:
        """Run `body` in a thread of its own; the job can be stopped from then on."""
        key = (id(job.cloud), job.name)
        self._running[key] = job

        def live() -> None:
            reason = ""
            try:
                with acting_as(job.role):
                    body(job)
            except sqlite3.OperationalError as error:
                reason = f"{DISK_FULL_REASON} ({error})"
            except Exception as error:
                _LOG.exception("%s %s", job.kind, job.name)
                reason = f"InternalServerError: {type(error).__name__}: {error}"
            job.remove()
            if reason:
                _fail(job, reason)
            self._running.pop(key, None)

        threading.Thread(target=live, name=f"{job.kind} {job.name}", daemon=True).start()

    def stop(self, cloud: Cloud, name: str) -> None:
        """Pass a stop on to the job, when it runs."""
        job = self._running.get((id(cloud), name))
        if job is not None:
            job.stop()


def _fail(job: Job, reason: str) -> None:
    """Write down that a job has failed, as soon as there is room to write it."""
    word = "".join(part.capitalize() for part in job.kind.split("_"))
    status = f"{word}Status"
    changes = {status: "Failed", "FailureReason": reason[:REASON], f"{word.removesuffix('Job')}EndTime": now()}
    if word == "TrainingJob":
        changes["SecondaryStatus"] = "Failed"
    while not job.cloud.stopping.is_set():
        try:
            job.cloud.store.update(job.kind, job.name, lambda row: {**row, **changes} if row[status] in _OPEN else None)
        except sqlite3.OperationalError:
            job.cloud.stopping.wait(_AGAIN_SECONDS)
        else:
            return


def describe(cloud: Cloud, kind: str, name: str, noun: str) -> dict[str, Any]:
    """A job's description without what is private to this cloud; raises `AwsError` for a missing one."""
    body = cloud.store.find(kind, name)
    if body is None:
        raise validation_error(
            f"Could not find {noun} with name {name}" if noun != "training job" else "Requested resource not found."
        )
    return {key: value for key, value in body.items() if not key.startswith("_")}


def command_failed(host: Host, code: int, command: list[str]) -> str:
    """The reason why a script ended badly: its last line of output, as the training toolkit would report it."""
    lines = [line for line in _last_lines(host.log) if line.strip()]
    message = lines[-1].strip() if lines else ""
    if code < 0:
        message = f"ended by signal {signal.Signals(-code).name}. {message}".strip()
    return f'ExecuteUserScriptError: ExitCode {code} ErrorMessage "{message}" Command "{" ".join(command)}"'


def _last_lines(log: Path) -> list[str]:
    return tail(log, 5).splitlines()


def _size(path: Path) -> int:
    """The bytes below a path, as far as they can be seen: a job may create and delete while this looks."""
    if not path.is_dir():
        return path.stat().st_size if path.is_file() else 0
    total = 0
    for folder, _, names in os.walk(path):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.lstat(f"{folder}/{name}").st_size
    return total
