"""Python environments for jobs: the image's own, or one with what a requirements file asks for, kept by content."""

from __future__ import annotations

import hashlib
import importlib.metadata
import shutil
import subprocess
import sys
import threading
import venv
from collections import defaultdict
from pathlib import Path

import uv
from packaging.requirements import InvalidRequirement, Requirement

from local_aws.cloud import Cloud

_INSTALL_SECONDS = 1800
_locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)


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
    return provided(cloud.settings.home, python, requirements)


def provided(home: Path, python: Path, requirements: Path) -> Path:
    """`with_requirements` for a process that knows a cloud's home but runs no cloud."""
    text = requirements.read_text()
    if satisfied(python, text):
        return python
    name = hashlib.sha256(f"{python}\n{text}".encode()).hexdigest()[:16]
    folder = home / "environments" / name
    with _locks[name]:
        if not (folder / ".complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            interpreter = overlay(python, folder)
            result = subprocess.run(
                [uv.find_uv_bin(), "pip", "install", "--quiet", "--python", interpreter, "-r", requirements],
                capture_output=True,
                text=True,
                timeout=_INSTALL_SECONDS,
                check=False,
            )
            if result.returncode != 0:
                shutil.rmtree(folder, ignore_errors=True)
                raise RequirementsRefused(result.stderr.strip()[-2000:])
            (folder / ".complete").touch()
    return folder / "bin" / "python"


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
