"""The registry, asked of a running MLflow server: what a pin resolves to, and what a server that fails is called."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import mlflow
import pytest
from model_deploy.errors import DeploymentError
from model_deploy.pin import Pin
from model_deploy.registry import Registry


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")


@pytest.fixture
def registry(mlflow_uri: str) -> Registry:
    return Registry(mlflow_uri)


def test_a_pin_to_a_missing_version_lists_the_versions_there_are(registry: Registry, iris: str) -> None:
    with pytest.raises(DeploymentError, match=r"iris has no version 7 .* versions 2 \(champion.*\), 1"):
        registry.resolve(Pin(iris, "7"))


def test_a_pin_to_a_missing_alias_lists_the_versions_and_their_aliases(registry: Registry, iris: str) -> None:
    with pytest.raises(DeploymentError, match=r"iris has no alias 'best' .* 2 \(champion"):
        registry.resolve(Pin(iris, "best"))


def test_a_pin_to_a_missing_model_lists_the_models_there_are(registry: Registry, iris: str) -> None:
    for version in ("1", "champion"):
        with pytest.raises(DeploymentError, match=r"no model 'rose'\. It has .*iris"):
            registry.resolve(Pin("rose", version))


def test_a_version_the_gate_refused_is_not_deployed(registry: Registry, iris: str) -> None:
    client = mlflow.MlflowClient()
    client.set_model_version_tag(iris, "1", "tier", "none")
    client.set_model_version_tag(iris, "1", "gate", "accuracy > 0.9")
    try:
        with pytest.raises(DeploymentError, match=r"did not pass the gate \(accuracy > 0\.9\).*versions 2"):
            registry.resolve(Pin(iris, "1"))
    finally:
        client.delete_model_version_tag(iris, "1", "tier")


def test_a_version_that_is_not_ready_is_refused(registry: Registry, monkeypatch: pytest.MonkeyPatch, iris: str) -> None:
    pending = mlflow.MlflowClient().get_model_version(iris, "1")
    pending._status = "PENDING_REGISTRATION"
    monkeypatch.setattr(mlflow.MlflowClient, "get_model_version", lambda *_: pending)
    with pytest.raises(DeploymentError, match="PENDING_REGISTRATION in the registry, not READY"):
        registry.resolve(Pin(iris, "1"))


def test_a_tracking_server_that_is_down_is_reported_within_bounded_time() -> None:
    began = time.monotonic()
    with pytest.raises(DeploymentError, match=r"127\.0\.0\.1:9 could not look up iris version 1.*MLFLOW_TRACKING_URI"):
        Registry("http://127.0.0.1:9").resolve(Pin("iris", "1"))
    assert time.monotonic() - began < 20


@pytest.mark.parametrize("uri", ["mlflow:5000", "127.0.0.1:5000", "gopher://mlflow"])
def test_an_address_that_is_none_of_a_server_is_refused(uri: str) -> None:
    with pytest.raises(DeploymentError, match=f"MLFLOW_TRACKING_URI is '{uri}', which is no address"):
        Registry(uri)


@pytest.mark.parametrize(
    ("status", "says"),
    [(401, "answers 401 .*MLFLOW_TRACKING_USERNAME"), (403, "answers 403 .*permission"), (404, "could not look up")],
)
def test_a_tracking_server_that_refuses_is_reported_as_that(status: int, says: str) -> None:
    with _answering_always(status) as uri, pytest.raises(DeploymentError, match=says):
        Registry(uri).resolve(Pin("iris", "1"))


def test_a_number_and_an_alias_resolve_to_the_same_version(registry: Registry, iris: str) -> None:
    by_alias, by_number = registry.resolve(Pin(iris, "champion")), registry.resolve(Pin(iris, "2"))
    assert by_alias.number == by_number.number == 2
    assert by_number.tier == "gold"
    assert "champion" in by_number.aliases


def test_the_files_of_a_version_are_downloaded_whole(registry: Registry, iris: str, tmp_path: Path) -> None:
    directory = registry.download(registry.resolve(Pin(iris, "1")), tmp_path)
    assert {"MLmodel", "model.skops", "requirements.txt"} <= {path.name for path in directory.iterdir()}


def test_a_file_that_comes_short_is_refused(
    registry: Registry, iris: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    version, download = registry.resolve(Pin(iris, "1")), mlflow.artifacts.download_artifacts

    def torn(**where: Any) -> str:
        directory = download(**where)
        whole = Path(directory, "model.skops").read_bytes()
        Path(directory, "model.skops").write_bytes(whole[:-100])
        return directory

    monkeypatch.setattr(mlflow.artifacts, "download_artifacts", torn)
    with pytest.raises(DeploymentError, match=r"model\.skops of models:/iris/1 should have \d+ bytes, but came as \d+"):
        registry.download(version, tmp_path)


def test_an_alias_moves_from_the_version_that_had_it(registry: Registry, iris: str) -> None:
    for number in ("2", "1"):
        registry.record(registry.resolve(Pin(iris, number)), "staging", {"staging_endpoint": "iris-staging"})
    assert registry.resolve(Pin(iris, "staging")).number == 1
    first, second = registry.resolve(Pin(iris, "1")), registry.resolve(Pin(iris, "2"))
    assert "staging" in first.aliases
    assert "staging" not in second.aliases
    assert first.tags["staging_endpoint"] == "iris-staging"


@contextmanager
def _answering_always(status: int) -> Iterator[str]:
    class Refusing(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
