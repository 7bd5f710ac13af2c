"""The compose file starts what `mlflow-server up --postgres` starts: the same programs, told the same."""

from __future__ import annotations

import json
import re
import subprocess
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
import yaml
from mlflow_server.encryption import Encryption
from mlflow_server.serving import Accounts, Serving, options_environment
from mlflow_server.stack.objects import ObjectStore
from mlflow_server.stack.postgres import program

ROOM = Path(__file__).parents[3] / "mlflow-server"
# Where the counters are: in the home here, in a folder that ends with the container there.
PLACES = {"MLFLOW_EXPOSE_PROMETHEUS"}


def test_the_database_is_told_what_up_tells_it(services: dict[str, Any], postgres_home: Path) -> None:
    here = _told(_process(postgres_home / "postgres").cmdline())
    there = _told(services["database"]["command"])
    # The port is the container's own; the socket is how the image's entry point makes the database.
    assert here.pop("unix_socket_directories") == ""
    assert (here.pop("listen_addresses"), there.pop("listen_addresses")) == ("127.0.0.1", "*")
    assert (int(here.pop("port")) > 0, there.pop("port")) == (True, "5432")
    assert there == here


def test_the_database_is_made_as_up_makes_it(
    services: dict[str, Any], postgres_home: Path, secrets: dict[str, str]
) -> None:
    with psycopg.connect(
        host="127.0.0.1",
        port=_port(postgres_home / "postgres"),
        user=services["database"]["environment"]["POSTGRES_USER"],
        password=secrets["DATABASE_PASSWORD"],
        dbname="mlflow",
    ) as connection:
        encoding, locale, checksums = connection.execute(
            "SELECT pg_encoding_to_char(encoding), datcollate, current_setting('data_checksums')"
            " FROM pg_database WHERE datname = current_database()"
        ).fetchone()
        ways = connection.execute("SELECT DISTINCT auth_method FROM pg_hba_file_rules").fetchall()
    assert [(way,) for way in ("scram-sha-256",)] == ways
    assert checksums == "on"
    assert services["database"]["environment"] == {
        "POSTGRES_USER": "mlflow",
        "POSTGRES_PASSWORD": secrets["DATABASE_PASSWORD"],
        "POSTGRES_INITDB_ARGS": f"--auth={ways[0][0]} --encoding={encoding} --locale={locale} --data-checksums",
    }


def test_the_object_store_is_told_what_up_tells_it(services: dict[str, Any], postgres_home: Path) -> None:
    process = _process(postgres_home / "objects")
    _, *words = process.cmdline()
    places = {f"127.0.0.1:{_port(postgres_home / 'objects')}": ":9000", str(postgres_home / "objects/data"): "/data"}
    assert services["objects"]["command"] == [places.get(word, word) for word in words]
    told = {name: value for name, value in process.environ().items() if name.startswith("RCLONE_")}
    assert services["objects"]["environment"] == told
    (bucket,) = (postgres_home / "objects/data").iterdir()
    assert services["bucket"]["command"] == ["mkdir", f"/data/{bucket.name}"]
    assert services["bucket"]["volumes"] == services["objects"]["volumes"]


def test_the_server_is_told_what_up_tells_it(services: dict[str, Any], postgres_home: Path, image: Any) -> None:
    process = psutil.Process(json.loads((postgres_home / "server.json").read_text())["pid"])
    program_and_options = process.cmdline()[1:]
    assert tuple(program_and_options[: len(image.command) - 1]) == image.command[1:]
    assert set(program_and_options[len(image.command) - 1 :: 2]) == {"--home", "--port"}

    names = {
        *options_environment(Serving("", "", Accounts.generate(), metrics=Path(), encryption=Encryption.generate())),
        *ObjectStore(Path(), "", "").environment(0),
    }
    addresses = {"postgres": "database:5432", "objects": "objects:9000"}
    here = {name: value for name, value in process.environ().items() if name in names}
    for store, there in addresses.items():
        place = f"127.0.0.1:{_port(postgres_home / store)}"
        here = {name: value.replace(place, there) for name, value in here.items()}
    # By this name other containers reach it.
    here["MLFLOW_SERVER_ALLOWED_HOSTS"] += ",mlflow"
    told = image.environment | services["mlflow"]["environment"]
    assert {name: told.get(name) for name in names - PLACES} == {name: here[name] for name in names - PLACES}
    assert not PLACES & set(told)


def test_the_images_are_of_the_versions_that_up_runs(services: dict[str, Any], postgres_home: Path) -> None:
    for service, runs in (("database", program("postgres")), ("objects", _process(postgres_home / "objects").exe())):
        said = subprocess.run([runs, "--version"], capture_output=True, text=True, timeout=60, check=True).stdout
        version = re.search(r"\d+(\.\d+)+", said)
        assert version
        assert f":{version[0]}@sha256:" in services[service]["image"]


def test_every_image_is_named_by_its_digest_and_no_door_opens_beyond_this_machine(services: dict[str, Any]) -> None:
    for service in services.values():
        assert "build" in service or re.search(r"@sha256:[0-9a-f]{64}$", service["image"])
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
        assert "privileged" not in service


def test_no_secret_stands_in_the_file_and_compose_refuses_to_start_without_them() -> None:
    services = yaml.safe_load((ROOM / "image" / "compose.yaml").read_text())["services"]
    values = {name: value for it in services.values() for name, value in it.get("environment", {}).items()}
    secret = [name for name in values if re.search(r"PASSWORD|PASSPHRASE|SECRET|KEY|BACKEND_STORE", name)]
    assert len(secret) >= 9
    for name in secret:
        assert ":?run secrets.sh first}" in values[name]


def test_the_secrets_are_made_once_for_their_owner_alone(tmp_path: Path, secrets: dict[str, str]) -> None:
    script = tmp_path / "secrets.sh"
    script.write_text((ROOM / "image" / "secrets.sh").read_text())
    made = subprocess.run(["sh", script], capture_output=True, text=True, timeout=30, check=True)
    kept = dict(line.split("=", 1) for line in (tmp_path / ".env").read_text().splitlines())
    assert set(kept) == set(secrets)
    key = kept["WEBHOOK_KEY"]
    assert Encryption.told(kept["SECRETS_PASSPHRASE"], key) == Encryption(kept["SECRETS_PASSPHRASE"], key)
    assert all(re.fullmatch(r"[0-9a-f]{20,}", value) for value in set(kept.values()) - {key})
    assert len(set(kept.values())) == len(kept)
    assert (tmp_path / ".env").stat().st_mode & 0o777 == 0o600
    assert not any(value in made.stdout for value in kept.values())

    again = subprocess.run(["sh", script], capture_output=True, text=True, timeout=30, check=False)
    assert again.returncode == 1
    assert "nothing was changed" in again.stderr
    assert dict(line.split("=", 1) for line in (tmp_path / ".env").read_text().splitlines()) == kept

    # Of a release before.
    lines = (tmp_path / ".env").read_text().splitlines(keepends=True)
    (tmp_path / ".env").write_text("".join(line for line in lines if not line.startswith("WEBHOOK_KEY")))
    subprocess.run(["sh", script], capture_output=True, text=True, timeout=30, check=True)
    added = dict(line.split("=", 1) for line in (tmp_path / ".env").read_text().splitlines())
    assert added | {"WEBHOOK_KEY": key} == kept
    assert added["WEBHOOK_KEY"] != key
    assert (tmp_path / ".env").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("name", ["database", "objects", "mlflow"])
def test_what_keeps_running_gains_no_privileges(services: dict[str, Any], name: str) -> None:
    assert services[name]["cap_drop"] == ["ALL"]
    assert services[name]["security_opt"] == ["no-new-privileges:true"]


def _process(folder: Path) -> psutil.Process:
    """The process of a store; it may run below another, as root's PostgreSQL does."""
    return psutil.Process(json.loads((folder / "service.json").read_text())["pid"])


def _port(folder: Path) -> int:
    return int(json.loads((folder / "service.json").read_text())["port"])


def _told(command: list[str]) -> dict[str, str]:
    """PostgreSQL's settings on a command line."""
    return dict(value.split("=", 1) for flag, value in pairwise(command) if flag == "-c")
