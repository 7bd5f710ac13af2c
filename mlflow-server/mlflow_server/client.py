"""A server asked over HTTP as one of its accounts: MLflow's REST API for users, roles and workspaces.

https://mlflow.org/docs/latest/self-hosting/security/basic-http-auth
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode, urlsplit
from urllib.request import HTTPRedirectHandler, OpenerDirector, Request, build_opener

from mlflow_server.database import told
from mlflow_server.errors import ServerError
from mlflow_server.home import Home

URI, USERNAME, PASSWORD = "MLFLOW_TRACKING_URI", "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"
_SECONDS = 30
_WORKSPACE_HEADER = "X-MLFLOW-WORKSPACE"


class Refusal(ServerError):
    """The server understood and refused; `code` is MLflow's error code, as RESOURCE_DOES_NOT_EXIST."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Login:
    """An account of a server; `username` is None where the server asks for none, `home` where it is elsewhere."""

    tracking_uri: str
    username: str | None
    password: str | None
    home: Home | None = None

    @classmethod
    def of_home(cls, home: Home) -> Login:
        """The administrator's, from a home that is up; raises `ServerError` where none is."""
        record = home.running()
        if record is None or not home.client_environment.exists():
            raise ServerError(
                f"No server of {home.folder} is up: start it with `mlflow-server up`, "
                "or name a server with --tracking-uri."
            )
        kept = dict(_assignments(home.client_environment.read_text()))
        return cls(record.tracking_uri, kept.get(USERNAME), kept.get(PASSWORD), home)

    @classmethod
    def of_environment(cls, tracking_uri: str, environment: Mapping[str, str]) -> Login:
        """The one that a shell names for MLflow's own client; raises `ServerError` for a URI that is not HTTP."""
        if urlsplit(tracking_uri).scheme not in ("http", "https"):
            raise ServerError(f"{tracking_uri} is no server's address: name one as https://mlflow.example.org.")
        return cls(tracking_uri.rstrip("/"), environment.get(USERNAME), environment.get(PASSWORD))


@dataclass(frozen=True)
class Client:
    """Asks a server as one account, in one workspace where it has several."""

    login: Login
    workspace: str | None = None

    def get(self, path: str, **parameters: str) -> Any:
        """The JSON that a path below `/api` answers; raises `Refusal`, or `ServerError` where nothing answers."""
        return self._ask("GET", f"{path}?{urlencode(parameters)}" if parameters else path, None)

    def send(self, method: str, path: str, **body: object) -> Any:
        """Send a JSON body; raises as `get` does."""
        return self._ask(method, path, json.dumps(body).encode())

    def _ask(self, method: str, path: str, body: bytes | None) -> Any:
        from base64 import b64encode

        request = Request(f"{self.login.tracking_uri}/api{path}", data=body, method=method)  # noqa: S310 - see Login
        request.add_header("Content-Type", "application/json")
        if self.login.username is not None:
            pair = f"{self.login.username}:{self.login.password or ''}"
            request.add_header("Authorization", f"Basic {b64encode(pair.encode()).decode()}")
        if self.workspace:
            request.add_header(_WORKSPACE_HEADER, self.workspace)
        try:
            with _opener().open(request, timeout=_SECONDS) as response:
                text = response.read()
        except HTTPError as error:
            raise self._refusal(error) from error
        except (URLError, OSError) as error:
            reason = getattr(error, "reason", error)
            raise ServerError(
                f"{self.login.tracking_uri} does not answer ({reason}): see `mlflow-server status`, or its address."
            ) from error
        return json.loads(text) if text.strip() else {}

    def _refusal(self, error: HTTPError) -> ServerError:
        text = error.read().decode(errors="replace")
        if error.code == HTTPStatus.UNAUTHORIZED:
            who = self.login.username or "nobody"
            return Refusal(
                f"{self.login.tracking_uri} did not let {who} in: set {USERNAME} and {PASSWORD} to an account of it.",
                "UNAUTHENTICATED",
            )
        try:
            said = json.loads(text)
            return Refusal(told.reason(str(said["message"])), str(said["error_code"]))
        except (json.JSONDecodeError, KeyError, TypeError):
            pass
        if error.code == HTTPStatus.FORBIDDEN:
            return Refusal(f"{self.login.username} may not do this: ask an administrator.", "PERMISSION_DENIED")
        return Refusal(f"{self.login.tracking_uri} answered {error.code}: {told.reason(text)[:200]}", str(error.code))


class _NoRedirect(HTTPRedirectHandler):
    """A password is sent nowhere but where it was meant to go."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def _opener() -> OpenerDirector:
    return build_opener(_NoRedirect)


def _assignments(text: str) -> list[tuple[str, str]]:
    """The variables that lines as `export NAME=value` set."""
    words = [word for word in shlex.split(text, comments=True) if "=" in word]
    return [(name, value) for name, _, value in (word.partition("=") for word in words)]
