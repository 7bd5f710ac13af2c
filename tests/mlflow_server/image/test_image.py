"""The container image: packages by hash and as tested, no more rights or files than it needs, a check that checks."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

ROOM = Path(__file__).parents[3] / "mlflow-server"
LOCK = ROOM / "image" / "requirements.lock"
# The repository's lock has these as old as SageMaker's training image needs them.
NEWER_THAN_TESTED = {"protobuf", "opentelemetry-proto"}


def _locked(lock: Path) -> dict[str, set[str]]:
    """The versions of each package in a lock; one package may have several, by marker."""
    found: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([a-z0-9._-]+)==([^\s;]+)", lock.read_text(), re.MULTILINE):
        found.setdefault(name, set()).add(version)
    return found


def test_the_lock_has_what_the_server_asks_for_in_the_versions_that_are_tested() -> None:
    ours, tested = _locked(LOCK), _locked(ROOM.parent / "requirements.lock")
    for text in tomllib.loads((ROOM / "pyproject.toml").read_text())["project"]["dependencies"]:
        asked = Requirement(text)
        assert asked.name in ours, f"run mlflow-server/image/lock.sh: {text} is not in its lock"
        assert all(asked.specifier.contains(version) for version in ours[asked.name]), text
    other = {name: versions for name, versions in ours.items() if versions != tested.get(name)}
    assert set(other) <= NEWER_THAN_TESTED, "run mlflow-server/image/lock.sh after `make lock`"
    assert {"psycopg", "psycopg-binary", "pymysql", "boto3", "uvloop"} <= set(ours)


def test_every_package_is_locked_by_hash_and_from_no_index_in_particular() -> None:
    text = LOCK.read_text()
    for package in re.split(r"\n(?=\S)", text.strip()):
        assert "--hash=sha256:" in package, package
    assert "http" not in re.sub(r"^[a-z0-9-]*http[a-z0-9-]*==.*$", "", text, flags=re.MULTILINE)
    assert "--index" not in text


def test_the_base_is_named_by_its_digest_and_the_server_is_not_root(image: Any) -> None:
    assert re.fullmatch(r"PYTHON=3\.12-slim@sha256:[0-9a-f]{64}", image.base)
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", image.user)


def test_the_health_check_tells_a_server_that_answers_from_none(image: Any, postgres_home: Path) -> None:
    _, *words = image.health

    def healthy(port: int) -> bool:
        environment = {**os.environ, "MLFLOW_PORT": str(port)}
        asked = subprocess.run([sys.executable, *words], env=environment, capture_output=True, timeout=60, check=False)
        return asked.returncode == 0

    assert healthy(json.loads((postgres_home / "server.json").read_text())["port"])
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        assert not healthy(silent.getsockname()[1])


@pytest.fixture
def context(tmp_path: Path) -> Path:
    """The folder that a build is given, with a lock that this environment satisfies, and what must not get in."""
    folder = tmp_path / "context"
    shutil.copytree(ROOM / "mlflow_server", folder / "mlflow_server")
    shutil.copytree(ROOM / "image", folder / "image", ignore=shutil.ignore_patterns(".env"))
    shutil.copy(ROOM / "image" / "Dockerfile", folder)
    shutil.copy(ROOM / ".dockerignore", folder)
    (folder / "image" / "requirements.lock").write_text("click>=8\n")
    (folder / "image" / ".env").write_text("ADMIN_PASSWORD=secret\n")
    (folder / "rds-certificates.pem").write_text("authorities\n")
    return folder


def test_the_image_holds_the_server_and_its_lock_and_nothing_else(context: Path, tmp_path: Path) -> None:
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    build = [sys.executable, "-m", "local_aws", "build-image", "--home", str(tmp_path / "cloud"), "--tag", "mlflow:1"]
    built = subprocess.run(
        [*build, "--build-arg", f"PYTHON={python}-slim", str(context)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    (root,) = (tmp_path / "cloud" / "images").glob("*/root")
    files = {path.relative_to(root / "opt/mlflow-server").as_posix() for path in root.rglob("*") if path.is_file()}
    assert {path for path in files if not path.startswith("mlflow_server/")} == {
        "requirements.lock",
        "rds-certificates.pem",
    }
    assert "mlflow_server/__main__.py" in files
    assert not any("__pycache__" in path for path in files)
    help_text = subprocess.run(
        [sys.executable, "-m", "mlflow_server", "serve", "--help"],
        cwd=root / "opt/mlflow-server",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert help_text.returncode == 0, help_text.stderr
