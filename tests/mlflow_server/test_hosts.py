"""Which hosts and web origins a server can be told to answer: those that have a name, and never all of them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from mlflow.server.security_utils import is_allowed_host_header
from mlflow_server import hosts
from mlflow_server.errors import ServerError
from mlflow_server.serving import Serving

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.mark.parametrize(
    "host",
    [
        "*",
        "**",
        " * ",
        "*.*",
        "*:*",
        "*:5000",
        "*.com",
        "?*",
        "[!x]*",
        "a*",
        "*a",
        "10.*",
        "a,*",
        "mlflow.*",
        "",
        "a b",
    ],
)
def test_a_host_pattern_that_strangers_could_match_is_refused(host: str) -> None:
    with pytest.raises(ServerError, match="never turned off"):
        hosts.check([host], [])


@pytest.mark.parametrize("origin", ["*", "null", "https://*", "http*", "https://*.com", "//ui.example", "ui.example"])
def test_a_web_origin_that_strangers_could_have_is_refused(origin: str) -> None:
    with pytest.raises(ServerError, match="pages of every site"):
        hosts.check([], [origin])


@pytest.mark.parametrize(
    ("told", "answered", "refused"),
    [
        ("mlflow", "mlflow:5000", "mlflow.evil.example"),
        ("my_mlflow.example.", "my_mlflow.example.", "my_mlflow.example"),
        ("mlflow.example:8443", "mlflow.example:8443", "mlflow.example:80"),
        ("localhost:*", "localhost:1", "localhost"),
        ("*.team.example", "a.team.example:5000", "team.example"),
        ("10.0.0.7", "10.0.0.7:80", "10.0.0.7.evil.example"),
        ("[::1]", "[::1]:5000", "::1:5000"),
        ("[::1]:*", "[::1]:5000", "[::1]"),
    ],
)
def test_a_host_that_is_named_is_answered_and_its_like_is_not(told: str, answered: str, refused: str) -> None:
    hosts.check([told], ["https://ui.example", "http://*.team.example:8080"])
    allowed = hosts.with_any_port([told])
    assert is_allowed_host_header(allowed, answered)
    assert not is_allowed_host_header(allowed, refused)


def test_the_checks_cannot_be_turned_off_in_the_environment() -> None:
    environment = Serving("sqlite:////db", "file:///artifacts").environment()
    assert environment["MLFLOW_SERVER_DISABLE_SECURITY_MIDDLEWARE"] == "false"


def test_up_and_serve_refuse_every_host_before_anything_is_made(here: Run, tmp_path: Path) -> None:
    done = here("up", tmp_path / "home", "--allowed-hosts", "*")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Error: --allowed-hosts '*' is refused, since the check of the Host header is never")
    assert not (tmp_path / "home").exists()
    stores = ["--backend-store-uri", f"sqlite:///{tmp_path}/db", "--artifacts-destination", tmp_path.as_uri()]
    serve = [sys.executable, "-m", "mlflow_server", "serve", "--no-auth", *stores, "--allowed-hosts", "localhost, *"]
    done = subprocess.run(serve, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "--allowed-hosts '*' is refused" in done.stderr
    assert not (tmp_path / "db").exists()
