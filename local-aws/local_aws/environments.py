"""Python environments for jobs: the image's own, or one with what a requirements file asks for, kept by content."""

from __future__ import annotations

import fcntl
import hashlib
import importlib.metadata
import os
import shutil
import signal
import subprocess
import sys
import venv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import uv
from packaging.requirements import InvalidRequirement, Requirement

from local_aws.processes.keeper import ProcessSpec

if TYPE_CHECKING:
    from local_aws.cloud import Cloud

_INSTALL_SECONDS = 1800

Run = Callable[[list[str], Path], int | None]


class RequirementsRefused(Exception):
    """The installer could not provide what a requirements file asks for; the message is its own."""


def satisfied(python: Path, requirements: str) -> bool:
    """Whether this process's environment, when `python` is its interpreter, has all that `requirements` names.

    A line that is more than a plain requirement (an option, a URL, another file) is for the installer to judge.
    """
    if python != Path(sys.executable):
        return False
    for line in requirements.splitlines():
        text = line.split(" #")[0].strip()
        if not text or text.startswith("#"):
            continue
        try:
            wanted = Requirement(text)
            if wanted.marker is not None and not wanted.marker.evaluate():
                continue
            if wanted.url or not wanted.specifier.contains(importlib.metadata.version(wanted.name), prereleases=True):
                return False
        except (InvalidRequirement, importlib.metadata.PackageNotFoundError):
            return False
    return True


def with_requirements(cloud: Cloud, python: Path, requirements: Path) -> Path:
    """An interpreter that has the packages of the image behind `python` and those of a requirements file.

    That is `python` itself where they are there already; otherwise an environment under the cloud's home, named by the
    content of the file and kept for the next job. Raises `RequirementsRefused`.
    """

    def kept(argv: list[str], log: Path) -> int | None:
        # Under the keeper an installer ends with the server, also with one that is killed.
        spec = ProcessSpec(f"environment/{log.stem}", argv, dict(os.environ), str(log.parent), log)
        running = cloud.keeper.start(spec)
        code = running.wait(_INSTALL_SECONDS)
        if code is None:
            running.kill()
            running.wait()
        return code

    return provided(cloud.settings.home, python, requirements, kept)


def _child(argv: list[str], log: Path) -> int | None:
    with log.open("ab") as file:
        try:
            return subprocess.run(argv, stdout=file, stderr=file, timeout=_INSTALL_SECONDS, check=False).returncode
        except subprocess.TimeoutExpired:
            return None


def provided(home: Path, python: Path, requirements: Path, run: Run = _child) -> Path:
    """`with_requirements` for a process that knows a cloud's home but runs no cloud.

    `run` carries out the installer's command with its output in a log; it answers the exit code, or None when it took
    too long and was ended.
    """
    text = requirements.read_text()
    if satisfied(python, text):
        return python
    name = hashlib.sha256(f"{python}\n{text}".encode()).hexdigest()[:16]
    folder = home / "environments" / name
    with _locked(folder):
        if not (folder / ".complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            interpreter = overlay(python, folder)
            install = [uv.find_uv_bin(), "pip", "install", "--quiet", "--python", str(interpreter)]
            log = folder.with_suffix(".log")
            log.unlink(missing_ok=True)
            code = run([*install, "-r", str(requirements.resolve())], log)
            if code != 0:
                shutil.rmtree(folder, ignore_errors=True)
                raise RequirementsRefused(_reason(code, log))
            (folder / ".complete").touch()
    return folder / "bin" / "python"


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """An environment's folder for one thread of one process at a time, by a lock file beside it."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _reason(code: int | None, log: Path) -> str:
    if code is None:
        return f"the installer took longer than {_INSTALL_SECONDS} s and was ended"
    if code < 0:
        return f"the installer was ended by signal {signal.Signals(-code).name}"
    return log.read_text(errors="replace").strip()[-2000:]


def overlay(python: Path, folder: Path) -> Path:
    """A new, empty environment that also sees the packages of `python`; what is installed there stays there."""
    venv.EnvBuilder(symlinks=True, with_pip=False, clear=True).create(folder)
    parent = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    site = next((folder / "lib").glob("python*")) / "site-packages"
    (site / "image.pth").write_text(f"import site; site.addsitedir({parent!r})\n")
    pip = folder / "bin" / "pip"
    pip.write_text(f'#!/bin/sh\nexec "{folder}/bin/python" -m pip "$@"\n')
    pip.chmod(0o755)
    return folder / "bin" / "python"
