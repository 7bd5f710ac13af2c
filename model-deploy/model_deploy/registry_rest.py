"""The registry by its REST interface: the three requests of a smoke test, without the two seconds of importing MLflow.
https://mlflow.org/docs/latest/api_reference/rest-api.html"""

import os
from collections.abc import Mapping
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from model_deploy.errors import DeploymentError
from model_deploy.version import RegisteredVersion

_TIMEOUT_SECONDS = 15
# A server that is being replaced answers so for a moment. Each of the three requests may be sent twice.
_PATIENCE = Retry(
    total=2, backoff_factor=1, status_forcelist=(429, 502, 503, 504), allowed_methods=None, raise_on_status=False
)


class RestRegistry:
    """A model registry behind http(s). Every method raises DeploymentError when the server fails it.

    Credentials are those that MLflow's own client would take: MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or
    MLFLOW_TRACKING_TOKEN; MLFLOW_TRACKING_SERVER_CERT_PATH and MLFLOW_TRACKING_INSECURE_TLS hold too.
    """

    def __init__(self, tracking_uri: str, environment: Mapping[str, str] = os.environ) -> None:
        self._uri = tracking_uri.rstrip("/")
        self._session = requests.Session()
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(max_retries=_PATIENCE))
        user, password = environment.get("MLFLOW_TRACKING_USERNAME"), environment.get("MLFLOW_TRACKING_PASSWORD")
        if user and password:
            self._session.auth = (user, password)
        elif token := environment.get("MLFLOW_TRACKING_TOKEN"):
            self._session.headers["Authorization"] = f"Bearer {token}"
        if environment.get("MLFLOW_TRACKING_INSECURE_TLS", "").lower() in ("true", "1"):
            self._session.verify = False
        elif certificate := environment.get("MLFLOW_TRACKING_SERVER_CERT_PATH"):
            self._session.verify = certificate

    def find(self, model_name: str, number: int) -> RegisteredVersion:
        """A version as it is now."""
        task = f"look up {model_name} version {number}"
        found = self._ask("GET", "model-versions/get", task, name=model_name, version=str(number))["model_version"]
        return RegisteredVersion(
            model_name,
            number,
            found.get("run_id") or None,
            {tag["key"]: tag["value"] for tag in found.get("tags", [])},
            frozenset(found.get("aliases", [])),
        )

    def record(self, version: RegisteredVersion, alias: str, tags: Mapping[str, str]) -> None:
        """Move an alias to this version and tag it; what is there already is not written again."""
        task = f"record the deployment of {version.uri}"
        named = {"name": version.model_name, "version": str(version.number)}
        for key, value in tags.items():
            if version.tags.get(key) != value:
                self._ask("POST", "model-versions/set-tag", task, **named, key=key, value=value)
        if alias not in version.aliases:
            self._ask("POST", "registered-models/alias", task, **named, alias=alias)

    def _ask(self, method: str, path: str, task: str, **content: str) -> dict[str, Any]:
        sent: dict[str, Any] = {"params": content} if method == "GET" else {"json": content}
        try:
            answer = self._session.request(
                method, f"{self._uri}/api/2.0/mlflow/{path}", timeout=_TIMEOUT_SECONDS, **sent
            )
            if answer.ok:
                return dict(answer.json())
        except (requests.RequestException, ValueError) as error:
            raise DeploymentError(
                f"The tracking server at {self._uri} could not {task}: {type(error).__name__}. See that "
                "MLFLOW_TRACKING_URI is right and the server is up."
            ) from error
        raise DeploymentError(
            f"The tracking server at {self._uri} answers {answer.status_code} and would not {task}: {_said(answer)} "
            f"{_advice(answer.status_code)}"
        )


def _said(answer: requests.Response) -> str:
    try:
        return str(answer.json()["message"])
    except (ValueError, KeyError, TypeError):
        return f"{answer.reason}."


def _advice(status: int) -> str:
    if status == 401:
        return "Set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD to an account it knows."
    if status == 403:
        return "Give this account the permission for it, or see that the server allows this host name."
    return "See the registry in MLflow and the server's log."
