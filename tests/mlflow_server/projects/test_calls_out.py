"""Whom and what the server calls and runs: nothing that a member of a project names, whichever it is."""

from __future__ import annotations

import pytest

from .conftest import Neighbours

API, V3 = "/api/2.0/mlflow", "/api/3.0/mlflow"


# What makes the server call an address that the request names, or one that it is not to call.
CALLS_OUT = {
    "secret": ("POST", f"{V3}/gateway/secrets/create"),
    "secret changed": ("POST", f"{V3}/gateway/secrets/update"),
    "model": ("POST", f"{V3}/gateway/model-definitions/create"),
    "model changed": ("POST", f"{V3}/gateway/model-definitions/update"),
    "endpoint": ("POST", f"{V3}/gateway/endpoints/create"),
    "endpoint changed": ("POST", f"{V3}/gateway/endpoints/update"),
    "endpoint attached": ("POST", f"{V3}/gateway/endpoints/models/attach"),
    "proxy": ("GET", "/ajax-api/2.0/mlflow/gateway-proxy?gateway_path=api/2.0/endpoints/"),
    "proxy posted to": ("POST", "/ajax-api/2.0/mlflow/gateway-proxy"),
    "demo": ("POST", "/ajax-api/3.0/mlflow/demo/generate"),
    "demo deleted": ("POST", "/ajax-api/3.0/mlflow/demo/delete"),
}
OF_OTHERS = {"secret changed", "model changed", "endpoint changed", "endpoint attached", "demo deleted"}


@pytest.mark.parametrize("door", CALLS_OUT)
def test_nobody_but_an_administrator_has_the_server_call_out(neighbours: Neighbours, door: str) -> None:
    answer = neighbours.bert.ask(*CALLS_OUT[door], {})
    assert answer.status == 403
    # Of what is there already MLflow itself asks first whose it is.
    said = "Permission denied" if door in OF_OTHERS else "Only an administrator may do this: it makes the server itself"
    assert said in answer.text


def test_nobody_but_an_administrator_has_webhooks_or_an_assistant_that_runs_things(neighbours: Neighbours) -> None:
    hook = {"name": "x", "url": "https://127.0.0.1/", "events": [{"entity": "REGISTERED_MODEL", "action": "CREATED"}]}
    assert neighbours.bert.ask("POST", f"{API}/webhooks", hook).status == 403
    for path in ("config", "providers"):
        assert neighbours.bert.ask("GET", f"/ajax-api/3.0/mlflow/assistant/{path}").status in (403, 404)
