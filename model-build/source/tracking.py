"""The MLflow run of one training: created before the model is fitted, closed whatever happens, in few requests.
Speaks through MlflowClient; a server that is down or refuses is reported as that, in bounded time."""

import json
import logging
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

# MLflow reads these when it is imported or at each request: 7 retries of 120 s are a quarter of an hour per request.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "1")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")

import managed_mlflow
import mlflow.tracking.request_header.registry  # noqa: F401 (MLflow imports it at the first request)
import requests
from failure import TrainingError
from mlflow.entities import Dataset, DatasetInput, Experiment, InputTag, LoggedModelOutput, Metric, Param, RunTag
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import RESOURCE_ALREADY_EXISTS, ErrorCode
from mlflow.tracking import MlflowClient
from model_artifact import TrainedModel, save_model
from registry import Registration
from splits import TARGET, Split, Splits

# It warns about pip's own version.
logging.getLogger("mlflow.utils.environment").setLevel(logging.ERROR)

_ATTEMPTS = 4
_CONTEXTS = (("train", "training"), ("validation", "validation"), ("test", "testing"))


@dataclass(frozen=True)
class Run:
    """One open MLflow run."""

    client: MlflowClient
    run_id: str
    experiment_id: str

    def log_splits(self, splits: Splits, source: str) -> None:
        """Record the three splits as the run's dataset inputs."""
        inputs = []
        for name, context in _CONTEXTS:
            split: Split = getattr(splits, name)
            inputs.append(DatasetInput(_dataset(split, source), [InputTag("mlflow.data.context", context)]))
        for attempt in range(_ATTEMPTS):
            try:
                self.client.log_inputs(self.run_id, datasets=inputs)
            except MlflowException as error:
                # The server keeps a data set once. Of trials that log a new one at the same moment it refuses all but
                # the first, with the words of its database; the second time it is there.
                if error.error_code != "BAD_REQUEST" or attempt == _ATTEMPTS - 1:
                    raise
            else:
                return

    def log_results(
        self, params: Mapping[str, object], metrics: Mapping[str, float], tags: Mapping[str, str], model_id: str
    ) -> None:
        """Log parameters, metrics (also under the model that has them) and tags in one request."""
        now = int(time.time() * 1000)
        self.client.log_batch(
            self.run_id,
            metrics=[Metric(key, value, now, 0, model_id=model_id) for key, value in metrics.items()],
            params=[Param(key, str(value)) for key, value in params.items()],
            tags=[RunTag(key, value) for key, value in tags.items()],
        )

    def log_model(self, model: TrainedModel, params: Mapping[str, object], directory: Path) -> str:
        """Write the model to `directory` in MLflow's format, upload it, and return its model id."""
        logged = self.client.create_logged_model(
            self.experiment_id,
            name="model",
            source_run_id=self.run_id,
            params={key: str(value) for key, value in params.items()},
        )
        # MLflow refuses a folder with content, such as an earlier run on the same machine leaves.
        shutil.rmtree(directory, ignore_errors=True)
        save_model(model, directory, logged, self.run_id)
        self.client.log_model_artifacts(logged.model_id, str(directory))
        self.client.finalize_logged_model(logged.model_id, "READY")
        self.client.log_outputs(self.run_id, [LoggedModelOutput(logged.model_id, step=0)])
        return str(logged.model_id)

    def log_registration(self, model_name: str, registration: Registration) -> None:
        """Tag the run with the version it has, or with the reason why it has none."""
        tags = {"registration": registration.reason}
        if registration.version is not None:
            tags |= {"registered_model": model_name, "registered_version": registration.version}
        self.client.log_batch(self.run_id, tags=[RunTag(key, value) for key, value in tags.items()])


@contextmanager
def tracked_run(tracking_uri: str, experiment: str, name: str, tags: Mapping[str, str]) -> Iterator[Run]:
    """Open a run and close it as FINISHED, as FAILED with the reason in the tag `failure`, or as KILLED when stopped.

    Raises TrainingError if the server cannot be reached or refuses, within about a minute.
    """
    managed_mlflow.use(tracking_uri)
    with _reported(tracking_uri):
        client = MlflowClient(tracking_uri)
        experiment_id = _experiment_id(client, experiment)
        run_id = client.create_run(experiment_id, run_name=name or None, tags=dict(tags)).info.run_id
        try:
            yield Run(client, run_id, experiment_id)
        except (KeyboardInterrupt, SystemExit):
            client.set_terminated(run_id, "KILLED")
            raise
        except TrainingError as error:
            client.set_tag(run_id, "failure", str(error))
            client.set_terminated(run_id, "FAILED")
            raise
        except MlflowException:
            # The server is what failed: another request to it would only wait once more.
            raise
        except Exception:
            # A bug of the training code: its run must not stay RUNNING for ever, and it shows its own traceback.
            client.set_terminated(run_id, "FAILED")
            raise
        client.set_terminated(run_id, "FINISHED")


def _experiment_id(client: MlflowClient, name: str) -> str:
    experiment: Experiment | None = client.get_experiment_by_name(name)
    if experiment is None:
        try:
            return str(client.create_experiment(name))
        except MlflowException as error:
            # Another trial of the same tuning job created it in between.
            if error.error_code != ErrorCode.Name(RESOURCE_ALREADY_EXISTS):
                raise
            experiment = client.get_experiment_by_name(name)
    if experiment is None or experiment.lifecycle_stage != "active":
        raise TrainingError(
            f"The MLflow experiment {name!r} is deleted: restore it (mlflow experiments restore) or give another name."
        )
    return str(experiment.experiment_id)


@contextmanager
def _reported(tracking_uri: str) -> Iterator[None]:
    """Turn "unreachable" and "refused" into a sentence; any other answer of MLflow stays what it is."""
    try:
        yield
    except (MlflowException, requests.RequestException) as error:
        reason = error if isinstance(error, requests.RequestException) else error.__cause__ or error.__context__
        status = _status(error)
        if status in (401, 403):
            raise TrainingError(
                managed_mlflow.refusal(tracking_uri, status)
                or f"The MLflow server at {tracking_uri} answered {status}: it refuses this job's credentials. "
                "Name a secret with an account it knows by MLFLOW_SECRET_ARN (MlflowSecretArn of the CI/CD's stack)."
            ) from error
        if isinstance(reason, requests.exceptions.RetryError):
            raise TrainingError(
                f"The MLflow server at {tracking_uri} keeps answering with server errors: look into its log."
            ) from error
        if isinstance(reason, requests.RequestException):
            raise TrainingError(
                f"The MLflow server at {tracking_uri} cannot be reached ({type(reason).__name__}). Check that it runs "
                "and that the job's network leads to it."
            ) from error
        raise


def _status(error: MlflowException | requests.RequestException) -> int | None:
    if isinstance(error, MlflowException):
        return int(error.get_http_status_code())
    return error.response.status_code if error.response is not None else None


def _dataset(split: Split, source: str) -> Dataset:
    types = {"f": "double", "i": "long", "u": "long", "b": "boolean"}
    columns = [
        {"type": types.get(dtype.kind, "string"), "name": str(name), "required": True}
        for name, dtype in split.frame.dtypes.items()
    ]
    return Dataset(
        name=split.name,
        digest=split.digest[:8],
        source_type="s3" if source.startswith("s3://") else "local",
        source=json.dumps({"uri": f"{source.rstrip('/')}/{split.name}"}),
        schema=json.dumps({"mlflow_colspec": columns, "targets": [TARGET]}),
        profile=json.dumps({"num_rows": len(split.frame), "num_elements": int(split.frame.size)}),
    )
