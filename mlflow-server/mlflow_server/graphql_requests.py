"""Requests to `/graphql` that ask nothing: answered with what is wrong with them, where MLflow 3.17 ends with 500."""

from __future__ import annotations

from typing import Any

_GRAPHQL = "_graphql"


def install() -> None:
    """Have MLflow's application, once it is loaded, look at the query before it does."""
    from flask import request
    from mlflow.exceptions import MlflowException
    from mlflow.server import app as flask
    from mlflow.server.handlers import catch_mlflow_exception

    @catch_mlflow_exception
    def asked() -> None:
        if request.endpoint != _GRAPHQL:
            return
        wrong = _wrong(request.get_json(silent=True))
        if wrong:
            raise MlflowException.invalid_parameter_value(wrong)

    flask.before_request(asked)


def _wrong(told: Any) -> str | None:
    """What is wrong with a request's body; None where it holds a query."""
    from graphql import GraphQLError, parse

    query = told.get("query") if isinstance(told, dict) else None
    if not isinstance(query, str):
        return 'Nothing is asked: POST {"query": "..."} as application/json.'
    try:
        parse(query)
    except (GraphQLError, RecursionError) as error:
        return f"The query is no GraphQL: {error}"
    return None
