"""The doors that MLflow's accounts leave open, closed: nobody points the server at artifacts that are not theirs.

MLflow asks who may read a run or a model, but takes the word of whoever may create one for where its files lie, and
opens that place with the server's own key (seen in 3.17.2). Here only an administrator names places; a model's files
are its run's, a trace's are its experiment's; and in a workspace nothing outside it is opened, whoever wrote it down.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from mlflow_server.errors import ServerError
from mlflow_server.locations import inside, open_to, plain

# MLflow's handlers by the names under which they are routed: each has several paths, and all of them lead here.
_NAMES_A_PLACE = "_create_experiment"
_NAMES_A_SOURCE = "_create_model_version"
_OPENS_A_TRACE = "serve_get_trace_artifact"
_LISTS_USERS = "list_users"
# What makes the server itself call an address that the request names.
_CALLS_OUT = frozenset(
    {
        "_create_gateway_secret",
        "_update_gateway_secret",
        "_create_gateway_model_definition",
        "_update_gateway_model_definition",
        "_create_gateway_endpoint",
        "_update_gateway_endpoint",
        "_attach_model_to_gateway_endpoint",
        "serve_gateway_proxy",
        "_generate_demo",
        "_delete_demo",
    }
)
# How MLflow writes the server's own destination.
_PROXIED = "mlflow-artifacts:/"
# What MLflow resolves to a place and then opens that.
_REFERENCES = ("runs:/", "models:/")


def install(application: Any, destination: str, projects: bool, confined: bool) -> None:
    """Guard MLflow's application with accounts; `destination` is where the server keeps artifacts (a URI).

    With `confined` not even an administrator has anything opened outside it.

    Raises `ServerError` where this MLflow has not the doors that are known.
    """
    from mlflow.server import app as flask

    checks: Mapping[str, Callable[[], str | None]] = {
        _NAMES_A_PLACE: _place_refused,
        _NAMES_A_SOURCE: _source_refused,
        _OPENS_A_TRACE: _trace_refused,
        **dict.fromkeys(_CALLS_OUT, lambda: "Only an administrator may do this: it makes the server itself call out."),
    }
    missing = sorted({*checks, _LISTS_USERS} - set(flask.view_functions))
    if missing:
        raise ServerError(
            f"This version of MLflow has no {', '.join(missing)}, which are guarded here: "
            "install the version of MLflow that this server names."
        )
    _ask_before_requests(flask, checks)
    _drop_assistant(application)
    if projects:
        flask.after_request(_without_strangers)
    if projects or confined:
        _look_before_opening(destination, confined)


def _ask_before_requests(flask: Any, checks: Mapping[str, Callable[[], str | None]]) -> None:
    from flask import request
    from mlflow.exceptions import MlflowException
    from mlflow.protos.databricks_pb2 import PERMISSION_DENIED
    from mlflow.server.auth import sender_is_admin
    from mlflow.server.handlers import catch_mlflow_exception

    @catch_mlflow_exception
    def guard() -> None:
        check = checks.get(request.endpoint or "")
        if check is None or sender_is_admin():
            return
        refusal = check()
        if refusal:
            raise MlflowException(refusal, error_code=PERMISSION_DENIED)

    flask.before_request(guard)


def _place_refused() -> str | None:
    from mlflow.protos.service_pb2 import CreateExperiment
    from mlflow.server.handlers import _get_request_message

    if not _get_request_message(CreateExperiment()).artifact_location:
        return None
    return (
        "Only an administrator chooses where an experiment's artifacts lie, since the server opens that place with "
        "its own key: leave artifact_location out, or ask an administrator to create the experiment."
    )


def _source_refused() -> str | None:
    """A model's files lie in those of the run, or the logged model, that it came from."""
    from mlflow.protos.model_registry_pb2 import CreateModelVersion
    from mlflow.server.handlers import _get_request_message, _get_tracking_store, _is_prompt_request

    message = _get_request_message(CreateModelVersion())
    source = message.source
    # MLflow itself looks up whether `runs:/` and `models:/` name what the sender may read; a prompt has no files.
    if _is_prompt_request(message) or (source.startswith(("runs:/", "models:/")) and plain(source)):
        return None
    roots: list[str] = []
    if message.run_id:
        roots.append(_get_tracking_store().get_run(message.run_id).info.artifact_uri)
    if message.model_id:
        roots.append(_get_tracking_store().get_logged_model(message.model_id).artifact_location)
    if plain(source) and any(inside(source, root) for root in roots):
        return None
    return (
        f"The source {source} is not among the artifacts of the run or logged model that the request names: register "
        "it by runs:/<run id>/<path> or models:/<model id>, or ask an administrator to register files from elsewhere."
    )


def _trace_refused() -> str | None:
    """Whoever may edit a trace may set the tag that says where its files lie."""
    from flask import request
    from mlflow.server.handlers import _get_tracking_store
    from mlflow.utils.mlflow_tags import MLFLOW_ARTIFACT_LOCATION

    store = _get_tracking_store()
    trace = store.get_trace_info(request.args.get("request_id") or "")
    place = trace.tags.get(MLFLOW_ARTIFACT_LOCATION)
    if place is None or inside(place, store.get_experiment(trace.experiment_id).artifact_location):
        return None
    return f"The trace's files lie in {place}, outside its experiment: they are not read from there."


def _without_strangers(response: Any) -> Any:
    """Of the server's users a member sees those with whom it shares a project."""
    from flask import request
    from mlflow.server.auth import authenticate_request, sender_is_admin, store

    if request.endpoint != _LISTS_USERS or response.status_code != 200 or sender_is_admin():
        return response
    sender = store.get_user(authenticate_request().username)  # type: ignore[union-attr, arg-type] # is logged in
    own = store.list_user_present_workspaces(sender.id)
    known = {user.username for user, roles in store.list_users_with_roles() if own & {role.workspace for role in roles}}
    users = [user for user in response.json["users"] if user["username"] in known | {sender.username}]
    response.set_data(json.dumps({"users": users}))
    return response


def _look_before_opening(destination: str, confined: bool) -> None:
    """Have every place checked when it is opened, wherever it was read from: the last door of all.

    https://mlflow.org/docs/latest/ml/plugins/#artifact-repository-plugins (the registry of stores by scheme)
    """
    from mlflow.exceptions import MlflowException
    from mlflow.protos.databricks_pb2 import PERMISSION_DENIED
    from mlflow.server.handlers import _get_artifact_repo_mlflow_artifacts
    from mlflow.store.artifact.artifact_repository_registry import _artifact_repository_registry as registry
    from mlflow.utils.workspace_context import get_request_workspace

    def checked(repository: Callable[..., Any]) -> Callable[..., Any]:
        def opened(artifact_uri: str, *arguments: Any, **options: Any) -> Any:
            workspace = get_request_workspace()
            root = _PROXIED if artifact_uri.startswith(_PROXIED) else destination
            if workspace and not open_to(workspace, artifact_uri, root):
                raise MlflowException(f"{artifact_uri} is not in {workspace}.", error_code=PERMISSION_DENIED)
            if confined and not artifact_uri.startswith(_REFERENCES) and not inside(artifact_uri, root):
                raise MlflowException(f"{artifact_uri} is not in this project.", error_code=PERMISSION_DENIED)
            return repository(artifact_uri, *arguments, **options)

        return opened

    # The whole destination is opened once, here: MLflow looks into it only for paths that it has put in a workspace.
    _get_artifact_repo_mlflow_artifacts()
    for scheme, repository in list(registry.get_registered_artifact_repositories().items()):
        registry.register(scheme, checked(repository))


def _drop_assistant(application: Any) -> None:
    """Its chat runs programs on the server's machine for whoever seems to sit at it, as all do behind a proxy."""
    from mlflow.server.assistant.api import assistant_router

    routes = application.router.routes
    routes[:] = [route for route in routes if getattr(route, "original_router", None) is not assistant_router]
