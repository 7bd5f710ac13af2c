"""What every job has in common: its hosts' containers, its processes, and the four ways in which it can end."""

from __future__ import annotations

import json
import shutil
import signal
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
from local_aws.logs import Forwarder, OnLine
from local_aws.processes.keeper import Running
from local_aws.store import now

# https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_StopTrainingJob.html
_STOP_SECONDS = 120
_CHECK_SECONDS = 1.0
_DISK_RESERVE = 256 * 1024**2

DISK_FULL_REASON = (
    "ClientError: the disk of the job is full: it has written more than VolumeSizeInGB, or this machine has less than "
    f"{_DISK_RESERVE // 1024**2} MB left"
)
EXITED, STOPPED, TIMED_OUT, DISK_FULL = "exited", "stopped", "timed out", "disk full"


class JobFailed(Exception):
    """The end of a job that did not succeed; the message becomes its FailureReason."""


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
    """A job while it runs. `kind` is its kind in the store, `hosts` one container for each instance."""

    def __init__(self, cloud: Cloud, kind: str, name: str, image: Image, instances: int) -> None:
        self.cloud, self.kind, self.name = cloud, kind, name
        self._stop = threading.Event()
        self.folder = cloud.settings.home / "jobs" / kind / name
        shutil.rmtree(self.folder, ignore_errors=True)
        logs = cloud.settings.home / "logs" / kind / name
        shutil.rmtree(logs, ignore_errors=True)
        self.hosts = [
            Host(f"algo-{number}", Container(cloud, image, self.folder / f"algo-{number}"), logs / f"algo-{number}.log")
            for number in range(1, instances + 1)
        ]

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
        running = [start(host) for host in self.hosts]
        stamp = int(time.time())
        forwarders = [
            Forwarder(self.cloud, group, f"{self.name}/{host.name}-{stamp}", host.log, on_line).start()
            for host in self.hosts
        ]
        end = self._wait(running, limits)
        for forwarder in forwarders:
            forwarder.finish()
        codes = [process.wait() or 0 for process in running]
        return end, next((code for code in codes if code != 0), 0)

    def _wait(self, running: list[Running], limits: Limits) -> str:
        deadline = time.monotonic() + limits.seconds
        while True:
            alive = [process for process in running if process.wait(0) is None]
            if not alive:
                return EXITED
            if any(process.wait(0) not in (None, 0) for process in running):
                self._end(alive, 0)
                return EXITED
            if self.stopping:
                self._end(alive, _STOP_SECONDS)
                return STOPPED
            if time.monotonic() >= deadline:
                self._end(alive, _STOP_SECONDS)
                return TIMED_OUT
            if self._disk_is_full(limits):
                self._end(alive, 0)
                return DISK_FULL
            alive[0].wait(min(_CHECK_SECONDS, max(0.01, deadline - time.monotonic())))

    def _end(self, alive: list[Running], patience: float) -> None:
        deadline = time.monotonic() + patience
        if patience:
            for process in alive:
                process.signal(signal.SIGTERM)
            for process in alive:
                process.wait(max(0.0, deadline - time.monotonic()))
        for process in alive:
            if process.wait(0) is None:
                process.kill()
            process.wait()

    def _disk_is_full(self, limits: Limits) -> bool:
        if shutil.disk_usage(self.folder).free < _DISK_RESERVE:
            return True
        return any(_size(host.container.folder) + _size(host.log) > limits.disk for host in self.hosts)


class Jobs:
    """The jobs of one kind that run now, by name."""

    def __init__(self) -> None:
        self._running: dict[tuple[int, str], Job] = {}

    def start(self, job: Job, body: Callable[[Job], None]) -> None:
        """Run `body` in a thread of its own; the job can be stopped from then on."""
        key = (id(job.cloud), job.name)
        self._running[key] = job

        def live() -> None:
            try:
                body(job)
            finally:
                self._running.pop(key, None)
                shutil.rmtree(job.folder, ignore_errors=True)

        threading.Thread(target=live, name=f"{job.kind} {job.name}", daemon=True).start()

    def stop(self, cloud: Cloud, name: str) -> None:
        """Pass a stop on to the job, when it runs."""
        job = self._running.get((id(cloud), name))
        if job is not None:
            job.stop()


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
    from local_aws.logs import tail

    return tail(log, 5).splitlines()


def _size(path: Path) -> int:
    try:
        if path.is_file():
            return path.stat().st_size
        return sum(entry.stat(follow_symlinks=False).st_size for entry in path.rglob("*") if not entry.is_dir())
    except FileNotFoundError:
        return 0
