"""The registry by its REST interface: what a server that fails is called, and whose account is used."""

import base64
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from model_deploy.errors import DeploymentError
from model_deploy.pin import Pin
from model_deploy.registry import Registry
from model_deploy.registry_rest import RestRegistry
from model_deploy.version import RegisteredVersion


@contextmanager
def answering(status: int, content: bytes) -> Iterator[tuple[str, list[Any]]]:
    """A server that answers every request alike, and the headers it was sent."""
    asked: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.headers)
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()


@pytest.mark.parametrize(
    ("status", "content", "says"),
    [
        (401, b"", "answers 401 and would not look up iris version 1: .* Set MLFLOW_TRACKING_USERNAME"),
        (403, b"", "answers 403 and would not .*permission"),
        (404, b'{"message": "Model Version not found"}', "answers 404 and would not .*: Model Version not found"),
        (500, b"<html>", "answers 500 and would not .*server's log"),
        (200, b"<html>", "could not look up iris version 1: JSONDecodeError"),
    ],
)
def test_a_server_that_refuses_is_reported_as_that(status: int, content: bytes, says: str) -> None:
    with answering(status, content) as (uri, _), pytest.raises(DeploymentError, match=says):
        RestRegistry(uri, {}).find("iris", 1)


def test_a_server_that_is_down_is_reported_within_bounded_time() -> None:
    began = time.monotonic()
    with pytest.raises(DeploymentError, match=r"127\.0\.0\.1:9 could not look up iris version 1"):
        RestRegistry("http://127.0.0.1:9", {}).find("iris", 1)
    assert time.monotonic() - began < 30


@pytest.mark.parametrize(
    ("environment", "sent"),
    [
        ({}, None),
        (
            {"MLFLOW_TRACKING_USERNAME": "me", "MLFLOW_TRACKING_PASSWORD": "mine"},
            f"Basic {base64.b64encode(b'me:mine').decode()}",
        ),
        ({"MLFLOW_TRACKING_TOKEN": "token"}, "Bearer token"),
    ],
)
def test_the_account_is_the_one_that_mlflow_would_use(environment: dict[str, str], sent: str | None) -> None:
    content = json.dumps({"model_version": {"name": "iris", "version": "1"}}).encode()
    with answering(200, content) as (uri, asked):
        RestRegistry(uri, environment).find("iris", 1)
    assert asked[0].get("Authorization") == sent


def test_it_finds_and_records_what_mlflows_own_client_does(mlflow_uri: str, registered: Callable[[str], Any]) -> None:
    registered("rested")
    rest, client = RestRegistry(mlflow_uri, {}), Registry(mlflow_uri)
    assert rest.find("rested", 2) == client.resolve(Pin("rested", "2"))
    rest.record(rest.find("rested", 2), "tried", {"tried_endpoint": "rested-tried"})
    found = client.resolve(Pin("rested", "tried"))
    assert (found.number, found.tags["tried_endpoint"]) == (2, "rested-tried")


def test_a_versions_page_is_in_mlflow_or_for_a_managed_server_in_the_console() -> None:
    version = RegisteredVersion("iris", 3, None, {}, frozenset())
    assert version.page("http://mlflow:5000/") == "http://mlflow:5000/#/models/iris/versions/3"
    managed = version.page("arn:aws:sagemaker:eu-west-1:123456789012:mlflow-tracking-server/team")
    assert managed.startswith("https://eu-west-1.console.aws.amazon.com/")
