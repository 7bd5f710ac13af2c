"""Names and passwords with which nobody could log in: refused before a server is asked, and in no answer."""

from __future__ import annotations

from pathlib import Path

import pytest
import requests
from click.testing import CliRunner
from mlflow_server.commands.group import group
from mlflow_server.database import told

# Nothing listens there: what is refused is refused without it.
NOWHERE = ("--tracking-uri", "http://127.0.0.1:1")


def refusal(*words: str, told: bytes = b"") -> str:
    ended = CliRunner().invoke(group, [*words, *NOWHERE], input=told)
    assert ended.exit_code == 1, ended.output
    assert isinstance(ended.exception, SystemExit), ended.exception
    assert "Traceback" not in ended.output
    return ended.output


@pytest.mark.parametrize("name", ["a:b", "a b", "", " ", "jürgen", "anna\n", "an\x07na", "\u202eanna"])
def test_a_name_that_cannot_log_in_is_refused(name: str) -> None:
    assert "take visible characters of ASCII, without a colon or a space" in refusal("create-user", name)


def test_a_name_longer_than_the_database_takes_is_refused() -> None:
    assert "has at most 255 characters, this one 300" in refusal("create-user", "n" * 300)


@pytest.mark.parametrize("command", ["create-user", "set-password"])
@pytest.mark.parametrize(
    ("password", "said"),
    [
        (b"short\n", "at least 12 characters"),
        (b"", "at least 12 characters"),
        ("größer-als-zwölf\n".encode(), "printable ASCII"),
        ("größer-als-zwölf\n".encode("latin-1"), "printable ASCII"),
        (b"with-a-tab\tin-it\n", "printable ASCII"),
        (b"with-a-null\0in-it\n", "printable ASCII"),
        (b"p" * 257, "at most 256 characters"),
    ],
)
def test_a_password_that_does_not_open_every_door_is_refused(command: str, password: bytes, said: str) -> None:
    message = refusal(command, "anna", "--password-stdin", told=password)
    assert said in message
    assert password.decode("latin-1").strip()[:8] not in message or not password.strip()


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("MLFLOW_AUTH_ADMIN_PASSWORD", "größer-als-zwölf", "printable ASCII"),
        ("MLFLOW_AUTH_ADMIN_PASSWORD", "short", "at least 12 characters"),
        ("MLFLOW_AUTH_ADMIN_USERNAME", "jürgen", "visible characters of ASCII"),
    ],
)
def test_no_server_starts_whose_administrator_could_not_log_in(
    variable: str, value: str, said: str, tmp_path: Path
) -> None:
    environment = {
        "MLFLOW_BACKEND_STORE_URI": f"sqlite:///{tmp_path}/mlflow.db",
        "MLFLOW_ARTIFACTS_DESTINATION": tmp_path.as_uri(),
        "MLFLOW_AUTH_ADMIN_PASSWORD": "a-long-enough-one",
        "MLFLOW_FLASK_SERVER_SECRET_KEY": "of-the-tests",
    }
    ended = CliRunner().invoke(group, ["serve", "--port", "0"], env={**environment, variable: value})
    assert ended.exit_code == 1, ended.output
    assert said in ended.output
    assert list(tmp_path.iterdir()) == []


def test_what_a_database_refuses_is_told_without_the_statement_and_its_values(postgres_home: Path) -> None:
    lines = (postgres_home / "client.env").read_text().splitlines()
    login = dict(line.removeprefix("export ").split("=", 1) for line in lines)
    answer = requests.post(
        login["MLFLOW_TRACKING_URI"] + "/api/2.0/mlflow/users/create",
        json={"username": "n" * 300, "password": "a-long-enough-one"},
        auth=(login["MLFLOW_TRACKING_USERNAME"], login["MLFLOW_TRACKING_PASSWORD"]),
        timeout=30,
    )
    assert answer.status_code == 400, answer.text
    assert answer.json()["error_code"] == "BAD_REQUEST"
    assert "value too long for type character varying(255)" in answer.json()["message"]
    for leaked in ("SQL", "scrypt", "parameters", "Background", "INSERT"):
        assert leaked not in answer.text


def test_a_row_that_postgresql_repeats_is_not_told_either() -> None:
    said = (
        "User (username=x) already exists. Error: (psycopg.errors.UniqueViolation) duplicate key value\n"
        "DETAIL:  Key (username)=(x) already exists.\n[SQL: INSERT INTO users VALUES (%(a)s)]\n"
        "[parameters: {'a': 'scrypt:1'}]\n(Background on this error at: https://sqlalche.me/e/20/gkpj)"
    )
    assert told.reason(said) == (
        "User (username=x) already exists. Error: (psycopg.errors.UniqueViolation) duplicate key value"
    )
    assert told.reason("Run 'DETAIL: 1' not found") == "Run 'DETAIL: 1' not found"
