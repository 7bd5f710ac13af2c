"""Who is let in: by host, by web origin, by password; and what is open to everyone, and counted."""

from __future__ import annotations

import re
import socket
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from .conftest import up
from .in_process import invoked

EXPERIMENT = "/api/2.0/mlflow/experiments/get?experiment_id=0"


@pytest.fixture(scope="module")
def login(postgres_home: Path) -> dict[str, str]:
    lines = (postgres_home / "client.env").read_text().splitlines()
    return dict(line.removeprefix("export ").split("=", 1) for line in lines)


@pytest.fixture
def ask(login: dict[str, str]) -> Callable[..., requests.Response]:
    """Ask the shared server as its administrator."""

    def ask(path: str, method: str = "GET", **headers: str) -> requests.Response:
        account = (login["MLFLOW_TRACKING_USERNAME"], login["MLFLOW_TRACKING_PASSWORD"])
        return requests.request(method, login["MLFLOW_TRACKING_URI"] + path, auth=account, headers=headers, timeout=30)

    return ask


@pytest.mark.parametrize("path", ["/", EXPERIMENT, "/metrics", "/version", "/api/2.0/mlflow/users/current"])
@pytest.mark.parametrize("account", [None, ("admin", "wrong"), ("nobody", "password1234")])
def test_nothing_is_answered_without_a_right_password(
    login: dict[str, str], path: str, account: tuple[str, str] | None
) -> None:
    assert requests.get(login["MLFLOW_TRACKING_URI"] + path, auth=account, timeout=30).status_code == 401


def test_the_file_that_names_the_accounts_database_is_its_owners_alone(postgres_home: Path) -> None:
    assert stat.S_IMODE((postgres_home / "accounts.ini").stat().st_mode) == 0o600


def test_health_is_open_to_load_balancers(login: dict[str, str]) -> None:
    answer = requests.get(f"{login['MLFLOW_TRACKING_URI']}/health", headers={"Host": "10.0.0.7"}, timeout=30)
    assert (answer.status_code, answer.text) == (200, "OK")


def test_the_version_is_told_to_those_who_may_log_in(ask: Callable[..., requests.Response]) -> None:
    assert ask("/version").text == "3.17.2"


def test_the_workers_counters_add_up_to_the_requests_there_were(ask: Callable[..., requests.Response]) -> None:
    def answered() -> float:
        counts = re.findall(r'mlflow_http_request_total\{method="GET",status="200"\} ([\d.e+]+)', ask("/metrics").text)
        return sum(map(float, counts))

    before = answered()
    for _ in range(20):
        assert ask(EXPERIMENT, Connection="close").status_code == 200
    assert {answered() for _ in range(4)} == {before + 20}  # whichever worker is asked


@pytest.fixture(scope="module")
def lone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, socket.socket]]:
    """The home of a server of these tests' own that asks nobody for a password, and its catalog of models."""
    home = tmp_path_factory.mktemp("lone") / "home"
    with socket.create_server(("127.0.0.1", 0)) as catalog, pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_MODEL_CATALOG_URI", f"http://127.0.0.1:{catalog.getsockname()[1]}")
        stores = ("--artifacts-destination", home.parent.as_uri())
        yield up(home, *stores, "--no-auth", "--workers", "1"), catalog
        invoked("down", "--home", home)


@pytest.fixture
def lone_uri(lone: tuple[Path, socket.socket]) -> str:
    return invoked("status", "--home", lone[0]).stdout.split()[1]


def test_whoever_asks_for_models_of_providers_has_the_server_call_nobody(
    lone: tuple[Path, socket.socket], lone_uri: str
) -> None:
    _, catalog = lone
    gateway = f"{lone_uri}/ajax-api/3.0/mlflow/gateway"
    for path in ("supported-providers", "supported-models", "provider-config?provider=openai"):
        answer = requests.get(f"{gateway}/{path}", timeout=30)
        assert (answer.status_code, "openai" in answer.text or "api_key" in answer.text) == (200, True)
    catalog.setblocking(False)
    with pytest.raises(BlockingIOError):
        catalog.accept()


def test_counters_begin_anew_with_the_server(lone: tuple[Path, socket.socket], lone_uri: str) -> None:
    home, uri = lone[0], lone_uri

    def answered() -> float:
        counts = re.search(
            r'mlflow_http_request_total\{method="GET",status="200"\} (\S+)',
            requests.get(f"{uri}/metrics", timeout=30).text,
        )
        return float(counts[1]) if counts else 0

    before = answered()
    for _ in range(3):
        requests.get(uri + EXPERIMENT, timeout=30)
    assert answered() == before + 3
    invoked("down", "--home", home)
    doors = ("--allowed-hosts", "mlflow.example", "--cors-allowed-origins", "https://ui.example")
    up(home, "--workers", "1", *doors)
    assert 'status="200"' not in requests.get(f"{uri}/metrics", timeout=30).text

    url = uri + EXPERIMENT
    for host, status in (("mlflow.example", 200), ("mlflow.example:8443", 200), ("mlflow.example.evil", 403)):
        assert requests.get(url, headers={"Host": host}, timeout=30).status_code == status, host
    for origin, status in (("https://ui.example", 200), ("https://evil.example", 403), ("null", 403)):
        body = {"name": f"from {origin}"}
        create = f"{uri}/api/2.0/mlflow/experiments/create"
        answer = requests.post(create, json=body, headers={"Origin": origin}, timeout=30)
        assert answer.status_code == status, origin
        assert answer.headers.get("Access-Control-Allow-Origin") == (origin if status == 200 else None)
