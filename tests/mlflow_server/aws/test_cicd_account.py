"""The account of builds and jobs: made from the secret that the CI/CD reads, able to release models, and no more."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest
import urllib3

from ..in_process import invoked

PASSWORD = "generated-password-of-32-letters"
API = "/api/2.0/mlflow"


@pytest.fixture
def secret(cloud: Any) -> str:
    """A secret as the stack makes it."""
    body = json.dumps({"username": "cicd", "password": PASSWORD})
    return str(cloud.client("secretsmanager").create_secret(Name=uuid.uuid4().hex, SecretString=body)["ARN"])


def asked(uri: str, method: str, path: str, body: Any, password: str = PASSWORD) -> int:
    """The status of what a server answers the account."""
    login = base64.b64encode(f"cicd:{password}".encode()).decode()
    headers = {"Authorization": f"Basic {login}", "Content-Type": "application/json"}
    data = json.dumps(body).encode() if body is not None else None
    return urllib3.request(method, f"{uri}{path}", body=data, headers=headers, timeout=30, retries=False).status


def test_builds_and_jobs_log_in_by_their_secret_and_are_no_administrators(
    cloud: Any, secret: str, postgres_home: Path
) -> None:
    uri = (postgres_home / "client.env").read_text().partition("MLFLOW_TRACKING_URI=")[2].split()[0]

    def told(*words: str) -> subprocess.CompletedProcess[str]:
        return invoked(*words, "--home", postgres_home, environment=cloud.environment)

    def told_process(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "mlflow_server", *words, "--home", str(postgres_home)]
        return subprocess.run(command, env=cloud.environment, capture_output=True, text=True, timeout=100, check=False)

    assert (
        f"The secret {secret} is of the account cicd, not of jobs"
        in told("create-user", "jobs", "--secret", secret).stderr
    )
    assert "name two passwords" in told("create-user", "cicd", "--secret", secret, "--password-stdin").stderr
    assert "AWS refused" in told("create-user", "cicd", "--secret", "nowhere").stderr
    made = told_process("create-user", "cicd", "--secret", secret)
    assert (made.returncode, made.stdout) == (0, "user cicd\n"), made.stderr
    granted = told_process("grant", "cicd", "member")
    assert granted.returncode == 0, granted.stderr

    model = {"name": f"wine-{uuid.uuid4().hex}"}
    assert asked(uri, "POST", f"{API}/experiments/create", model) == 200
    assert asked(uri, "POST", f"{API}/registered-models/create", model) == 200
    assert asked(uri, "POST", f"{API}/registered-models/set-tag", {**model, "key": "tier", "value": "gold"}) == 200
    assert asked(uri, "PATCH", f"{API}/users/update-admin", {"username": "cicd", "is_admin": True}) == 403
    assert asked(uri, "POST", f"{API}/users/create", {"username": "friend", "password": PASSWORD}) == 403
    assert asked(uri, "POST", f"{API}/experiments/delete", {"experiment_id": "0"}) == 403

    # The secret was given another password: the account takes it, too.
    body = json.dumps({"username": "cicd", "password": f"another-{PASSWORD}"})
    cloud.client("secretsmanager").put_secret_value(SecretId=secret, SecretString=body)
    changed = told_process("set-password", "cicd", "--secret", secret)
    assert (changed.returncode, changed.stdout) == (0, "user cicd\n"), changed.stderr
    assert asked(uri, "POST", f"{API}/experiments/search", {"max_results": 1}, f"another-{PASSWORD}") == 200
