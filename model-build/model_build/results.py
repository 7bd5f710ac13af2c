"""What the trials of an execution left in MLflow: metrics, tier and registered version of each, and where to look.
The MLflow server is asked once before anything is started, so that a wrong address costs no jobs."""

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from model_build.errors import BuildError
from model_build.execution import Trial
from model_build.importing import no_garbage
from model_build.managed_mlflow import console_url, is_managed, permission


@dataclass(frozen=True)
class Result:
    """One trial with what MLflow knows of it; `version` is empty if its model is not registered."""

    trial: Trial
    metrics: Mapping[str, float]
    tier: str
    version: str
    reason: str
    run_id: str


@dataclass(frozen=True)
class Results:
    """All trials, and the addresses of the experiment and the registered model."""

    trials: tuple[Result, ...]
    experiment_url: str
    model_url: str

    @property
    def versions(self) -> tuple[int, ...]:
        """The registered versions, without repetition, ascending."""
        return tuple(sorted({int(result.version) for result in self.trials if result.version}))

    @property
    def best(self) -> Result | None:
        """The trial with the highest objective among those whose model is registered."""
        registered = [result for result in self.trials if result.version]
        return max(registered, key=lambda result: result.metrics.get("accuracy", 0.0), default=None)


def check_server(tracking_uri: str) -> None:
    """Ask the MLflow server one question. Raises BuildError if it is down or refuses, within half a minute."""
    with _reported(tracking_uri):
        _client(tracking_uri).search_experiments(max_results=1)


def read_results(tracking_uri: str, experiment: str, model_name: str, trials: tuple[Trial, ...]) -> Results:
    """Find the runs of the trials by their training job's name."""
    with _reported(tracking_uri):
        client = _client(tracking_uri)
        found = client.get_experiment_by_name(experiment)
        runs = _runs(client, found.experiment_id, trials) if found and trials else {}
    results = tuple(_result(trial, runs.get(trial.name)) for trial in trials)
    if is_managed(tracking_uri):
        return Results(results, experiment_url=console_url(tracking_uri), model_url=console_url(tracking_uri))
    address = tracking_uri.rstrip("/")
    return Results(
        trials=results,
        experiment_url=f"{address}/#/experiments/{found.experiment_id}" if found else address,
        model_url=f"{address}/#/models/{quote(model_name)}",
    )


def _runs(client: Any, experiment_id: str, trials: tuple[Trial, ...]) -> dict[str, Any]:
    tuning_job = trials[0].name.rsplit("-", 2)[0]
    runs: dict[str, Any] = {}
    token = None
    while True:
        page = client.search_runs(
            [experiment_id], f"tags.tuning_job = '{tuning_job}'", max_results=1000, page_token=token
        )
        # The newest comes first: a trial that SageMaker retried has more than one run.
        for run in page:
            runs.setdefault(run.data.tags.get("training_job", ""), run)
        token = page.token
        if not token:
            return runs


def _result(trial: Trial, run: Any) -> Result:
    if run is None:
        return Result(trial, {}, "", "", trial.failure_reason or "no run in MLflow", "")
    tags = run.data.tags
    return Result(
        trial=trial,
        metrics=dict(run.data.metrics),
        tier=tags.get("tier", ""),
        version=tags.get("registered_version", ""),
        reason=tags.get("failure") or tags.get("registration", ""),
        run_id=run.info.run_id,
    )


def _client(tracking_uri: str) -> Any:
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "1")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "8")
    with no_garbage():
        import mlflow

    if is_managed(tracking_uri):
        # The plugin's headers are of the process's server, not the client's.
        mlflow.set_tracking_uri(tracking_uri)
    else:
        # The plugin takes any address for an ARN and logs at each request that it is none (aws/sagemaker-mlflow#15).
        logging.getLogger("mlflow.tracking.request_header.registry").setLevel(logging.ERROR)
    return mlflow.MlflowClient(tracking_uri)


@contextmanager
def _reported(tracking_uri: str) -> Iterator[None]:
    with no_garbage():
        import requests
        from mlflow.exceptions import MlflowException

    try:
        yield
    except (MlflowException, requests.RequestException) as error:
        status = error.get_http_status_code() if isinstance(error, MlflowException) else None
        if status in (401, 403) and is_managed(tracking_uri):
            raise BuildError(
                f"The managed MLflow {tracking_uri} answered {status}: it refuses these AWS credentials. Allow them "
                f"{permission(tracking_uri)} on it, and see that it is in this account and running."
            ) from error
        if status in (401, 403):
            raise BuildError(
                f"The MLflow server at {tracking_uri} answered {status}: it wants other credentials. Set "
                "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN."
            ) from error
        cause = error.__cause__ or error.__context__
        if isinstance(error, requests.RequestException) or isinstance(cause, requests.RequestException):
            raise BuildError(
                f"The MLflow server at {tracking_uri} cannot be reached. Check that it runs and that "
                "MLFLOW_TRACKING_URI is its address."
            ) from error
        raise
