"""The image and the compose file as their readers see them: instructions, and services with their secrets filled in."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOM = Path(__file__).parents[3] / "mlflow-server"


@dataclass(frozen=True)
class Image:
    """What containers of the image start with."""

    command: tuple[str, ...]
    environment: dict[str, str]
    health: tuple[str, ...]
    user: str
    base: str


@pytest.fixture(scope="session")
def image() -> Image:
    text = re.sub(r"\\\n\s*", "", (ROOM / "image" / "Dockerfile").read_text())
    said: dict[str, list[str]] = {}
    for line in text.splitlines():
        name, _, rest = line.partition(" ")
        said.setdefault(name, []).append(rest)
    environment = dict(word.split("=", 1) for line in said["ENV"] for word in shlex.split(line))
    health = json.loads(said["HEALTHCHECK"][0].partition("CMD ")[2])
    return Image(
        command=(*json.loads(said["ENTRYPOINT"][0]), *json.loads(said["CMD"][0])),
        environment=environment,
        health=tuple(health),
        user=said["USER"][0],
        base=said["ARG"][0],
    )


@pytest.fixture(scope="session")
def secrets(postgres_home: Path) -> dict[str, str]:
    """The secrets of a server that `up --postgres` made, as compose.yaml calls them."""
    kept = json.loads((postgres_home / "credentials.json").read_text())
    return {
        "DATABASE_PASSWORD": kept["database_password"],
        "OBJECTS_ACCESS_KEY_ID": kept["access_key_id"],
        "OBJECTS_SECRET_ACCESS_KEY": kept["secret_access_key"],
        "ADMIN_PASSWORD": kept["accounts"]["password"],
        "SIGNING_KEY": kept["accounts"]["secret_key"],
        "SECRETS_PASSPHRASE": kept["encryption"]["passphrase"],
        "WEBHOOK_KEY": kept["encryption"]["webhook_key"],
    }


@pytest.fixture(scope="session")
def services(secrets: dict[str, str]) -> dict[str, Any]:
    """The services of compose.yaml with those secrets, and without options that a person may set."""

    def filled(found: re.Match[str]) -> str:
        name, how, word = found.groups()
        return secrets.get(name, "") or (word if how == ":-" else pytest.fail(f"{name} is no secret"))

    text = re.sub(r"\$\{(\w+)(:[-?])([^}]*)\}", filled, (ROOM / "image" / "compose.yaml").read_text())
    return dict(yaml.safe_load(text)["services"])
