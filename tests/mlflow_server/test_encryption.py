"""Secrets that MLflow keeps in its database: under keys of the server's own, which outlast it and old homes' too."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import requests
import sqlalchemy
from cryptography.fernet import Fernet
from mlflow.exceptions import MlflowException
from mlflow.utils.crypto import DEFAULT_KEK_PASSPHRASE, KEKManager, _decrypt_secret
from mlflow_server.encryption import PASSPHRASE, WEBHOOK_KEY, Encryption
from mlflow_server.errors import ServerError
from mlflow_server.home import Home

Run = Callable[..., subprocess.CompletedProcess[str]]
VALUE = {"api_key": "sk-of-the-tests"}


@pytest.mark.parametrize(
    ("passphrase", "key", "said"),
    [
        ("a passphrase", None, "only one of them is set"),
        ("", "k" * 43, "only one of them is set"),
        ("a passphrase", "too short", f"{WEBHOOK_KEY} is no key"),
        ("a passphrase", "k" * 42 + "!", f"{WEBHOOK_KEY} is no key"),
    ],
)
def test_keys_that_are_none_are_refused_by_name(passphrase: str | None, key: str | None, said: str) -> None:
    with pytest.raises(ServerError, match=said):
        Encryption.told(passphrase, key)


def test_what_a_generator_of_secrets_makes_is_a_key() -> None:
    generated = Encryption.generate()
    assert Encryption.told(generated.passphrase, generated.webhook_key) == generated
    letters = Encryption.told("a passphrase", "aZ9" * 14 + "q")
    assert letters is not None
    assert len(letters.webhook_key) == 44
    assert Encryption.told(None, "") is None


def test_a_server_told_no_keys_warns(tmp_path: Path) -> None:
    stores = ["--backend-store-uri", f"sqlite:///{tmp_path}/none/mlflow.db", "--artifacts-destination", "file:///"]
    command = [sys.executable, "-m", "mlflow_server", "serve", "--no-auth", "--port", "0", *stores]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1
    assert "Warning: secrets of model providers" in done.stderr
    assert f"set {PASSPHRASE} and {WEBHOOK_KEY}" in done.stderr


@pytest.fixture(scope="module")
def with_secrets(served_home: Path, tracking_uri: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home that is down, with a secret of a provider and one of a webhook as the shared server keeps them."""
    secrets, webhooks = f"{tracking_uri}/api/3.0/mlflow/gateway/secrets", f"{tracking_uri}/api/2.0/mlflow/webhooks"
    body = {"secret_name": "mine", "secret_value": VALUE, "provider": "openai"}
    made = requests.post(f"{secrets}/create", json=body, timeout=30)
    assert made.status_code == 200, made.text
    event = {"entity": "REGISTERED_MODEL", "action": "CREATED"}
    # An address, which nobody need look up, and which nothing is sent to.
    hook = {"name": "h", "url": "https://1.1.1.1/", "secret": "whispered", "events": [event]}
    hooked = requests.post(webhooks, json=hook, timeout=30)
    assert hooked.status_code == 200, hooked.text
    home = tmp_path_factory.mktemp("secrets") / "home"
    home.mkdir()
    with (
        closing(sqlite3.connect(served_home / "mlflow.db")) as own,
        closing(sqlite3.connect(home / "mlflow.db")) as copy,
    ):
        own.backup(copy)
    shutil.copy(served_home / "credentials.json", home)
    # The shared server goes on without them, so that it calls nobody when another test registers a model.
    gone = requests.delete(f"{webhooks}/{hooked.json()['webhook']['webhook_id']}", timeout=30)
    assert gone.status_code == 200, gone.text
    made_id = {"secret_id": made.json()["secret"]["secret_id"]}
    gone = requests.delete(f"{secrets}/delete", json=made_id, timeout=30)
    assert gone.status_code == 200, gone.text
    return home


def test_a_secret_is_kept_under_the_homes_own_passphrase_and_an_old_homes_is_taken_over(
    with_secrets: Path, run: Run, tmp_path: Path
) -> None:
    home = Path(shutil.copytree(with_secrets, tmp_path / "home"))
    credentials = json.loads((home / "credentials.json").read_text())
    own, key = credentials["encryption"].values()
    assert Fernet(key).decrypt(_row(home, "webhooks")["secret"]) == b"whispered"
    with pytest.raises(MlflowException):
        _opened(home, DEFAULT_KEK_PASSPHRASE)
    assert _opened(home, own) == VALUE

    _keep_as_of_old(home, own)
    del credentials["encryption"]
    (home / "credentials.json").write_text(json.dumps(credentials))
    done = run("up", home)
    assert done.returncode == 0, done.stderr
    renewed = json.loads((home / "credentials.json").read_text())
    passphrase = renewed.pop("encryption")["passphrase"]
    assert (renewed, passphrase != own) == (credentials, True)
    assert _opened(home, passphrase) == VALUE
    with pytest.raises(MlflowException):
        _opened(home, DEFAULT_KEK_PASSPHRASE)


def _row(home: Path, table: str) -> Any:
    """The only row of a table."""
    engine = sqlalchemy.create_engine(Home(home).database_uri)
    with closing(engine.connect()) as connection:
        row = connection.execute(sqlalchemy.text(f"SELECT * FROM {table}")).mappings().one()  # noqa: S608 - the test's
    engine.dispose()
    return row


def _opened(home: Path, passphrase: str) -> Any:
    row = _row(home, "secrets")
    key = KEKManager(passphrase, kek_version=1)
    return _decrypt_secret(row["encrypted_value"], row["wrapped_dek"], key, row["secret_id"], row["secret_name"])


def _keep_as_of_old(home: Path, own: str) -> None:
    """Wrap the secret's key under the passphrase that MLflow publishes."""
    from mlflow.utils.crypto import rotate_secret_encryption

    row, engine = _row(home, "secrets"), sqlalchemy.create_engine(Home(home).database_uri)
    with engine.begin() as connection:
        keys = KEKManager(own, kek_version=1), KEKManager(DEFAULT_KEK_PASSPHRASE, kek_version=1)
        wrapped = rotate_secret_encryption(row["encrypted_value"], row["wrapped_dek"], *keys).wrapped_dek
        connection.execute(sqlalchemy.text("UPDATE secrets SET wrapped_dek = :it"), {"it": wrapped})
    engine.dispose()
