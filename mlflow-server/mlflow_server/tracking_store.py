"""MLflow's tracking store on a database, with fewer queries for what a training run does all the time: log metrics.

Registered the way MLflow's plugins are (https://mlflow.org/docs/latest/ml/plugins): every check and every other call
is MLflow's own. Seen by profiling 3.17: of the time that a member's `log-batch` takes, 28 % was to load all that the
run has logged, for a permission that asks only which experiment it belongs to, and 34 % was two nested sessions and a
row at a time.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import sqlalchemy
from mlflow.entities import Metric, Param, Run, RunData, RunInfo, RunInputs, RunOutputs, RunTag
from mlflow.environment_variables import MLFLOW_ENABLE_WORKSPACES
from mlflow.server.constants import READ_REPLICA_BACKEND_STORE_URI_ENV_VAR
from mlflow.store.db.db_types import DATABASE_ENGINES, POSTGRES
from mlflow.store.tracking.dbmodels.models import SqlRun
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from mlflow.store.tracking.sqlalchemy_workspace_store import WorkspaceAwareSqlAlchemyStore
from mlflow.utils.validation import (
    _validate_batch_log_data,
    _validate_batch_log_limits,
    _validate_metric,
    _validate_run_id,
)

# One statement for both tables. What is there already stays (a client that repeats a request logs nothing twice), and
# the latest value of a metric is the one of the highest step, then timestamp, then value, as MLflow has it. The order
# of the keys is that of the locks, so that two requests to one run do not wait for each other.
_INSERT_METRICS = sqlalchemy.text("""
    WITH logged AS (
        SELECT * FROM unnest(
            CAST(:keys AS varchar[]), CAST(:values AS float8[]), CAST(:timestamps AS bigint[]),
            CAST(:steps AS bigint[]), CAST(:nans AS boolean[])
        ) AS logged (key, value, timestamp, step, is_nan)
    ), history AS (
        INSERT INTO metrics (run_uuid, key, value, timestamp, step, is_nan)
        SELECT CAST(:run_id AS varchar), key, value, timestamp, step, is_nan FROM logged ORDER BY key
        ON CONFLICT DO NOTHING
    )
    INSERT INTO latest_metrics AS latest (run_uuid, key, value, timestamp, step, is_nan)
    SELECT DISTINCT ON (key) CAST(:run_id AS varchar), key, value, timestamp, step, is_nan
    FROM logged ORDER BY key, step DESC, timestamp DESC, value DESC
    ON CONFLICT (key, run_uuid) DO UPDATE
    SET value = excluded.value, timestamp = excluded.timestamp, step = excluded.step, is_nan = excluded.is_nan
    WHERE (excluded.step, excluded.timestamp, excluded.value) > (latest.step, latest.timestamp, latest.value)
""")


class LoggedRun(Run):
    """A run whose info is at hand, and whose data, inputs and outputs are loaded when they are asked for."""

    def __init__(self, info: RunInfo, load: Callable[[], Run]) -> None:
        super().__init__(info, RunData())
        self._load = load
        self._whole: Run | None = None

    @property
    def data(self) -> RunData:
        return self._loaded().data

    @property
    def inputs(self) -> RunInputs | None:
        return self._loaded().inputs

    @property
    def outputs(self) -> RunOutputs | None:
        return self._loaded().outputs

    def _loaded(self) -> Run:
        if self._whole is None:
            self._whole = self._load()
        return self._whole


class FewQueries:
    """What is mixed into MLflow's stores; same results, same errors."""

    def get_run(self: Any, run_id: str) -> Run:
        """A run by its id, deleted or not; raises MLflow's RESOURCE_DOES_NOT_EXIST where there is none."""
        whole = super().get_run  # type: ignore[misc]
        with self.ManagedSessionMaker() as session:
            run = self._get_run(session, run_id)
            if not run.name:  # runs of an early MLflow have their name in a tag
                return whole(run_id)
            info = RunInfo(
                run_id=run.run_uuid,
                run_name=run.name,
                experiment_id=str(run.experiment_id),
                user_id=run.user_id,
                status=run.status,
                start_time=run.start_time,
                end_time=run.end_time,
                lifecycle_stage=run.lifecycle_stage,
                artifact_uri=run.artifact_uri,
            )
        return LoggedRun(info, lambda: whole(run_id))

    def log_batch(
        self: Any, run_id: str, metrics: Sequence[Metric], params: Sequence[Param], tags: Sequence[RunTag]
    ) -> None:
        """Log to a run; raises MLflow's errors for a run that is not there or deleted, and for values it refuses."""
        if params or tags or not metrics or any(metric.model_id for metric in metrics):
            super().log_batch(run_id, metrics, params, tags)  # type: ignore[misc]
            return
        _validate_run_id(run_id)
        metrics, params, tags = _validate_batch_log_data(metrics, params, tags)
        _validate_batch_log_limits(metrics, params, tags)
        self._log_metrics(run_id, metrics)

    def _log_metrics_once(self: Any, run_id: str, metrics: Sequence[Metric]) -> None:
        if self.db_type != POSTGRES:
            super()._log_metrics_once(run_id, metrics)  # type: ignore[misc]
            return
        for index, metric in enumerate(metrics):
            path = "" if len(metrics) == 1 else f"metrics[{index}]"
            _validate_metric(metric.key, metric.value, metric.timestamp, metric.step, path=path)
        values = [self.sanitize_metric_value(metric.value) for metric in metrics]
        with self.ManagedSessionMaker(read_only=False) as session:
            found = self._get_query(session, SqlRun).filter(SqlRun.run_uuid == run_id)
            run = found.with_entities(SqlRun.run_uuid, SqlRun.lifecycle_stage).one_or_none()
            self._check_run_is_active(run or self._get_run(session, run_id))
            logged = {
                "run_id": run_id,
                "keys": [metric.key for metric in metrics],
                "values": [float(value) for _, value in values],
                "timestamps": [metric.timestamp for metric in metrics],
                "steps": [metric.step for metric in metrics],
                "nans": [is_nan for is_nan, _ in values],
            }
            session.execute(_INSERT_METRICS, logged)


class TrackingStore(FewQueries, SqlAlchemyStore):
    """The store of a server without projects."""


class ProjectsTrackingStore(FewQueries, WorkspaceAwareSqlAlchemyStore):
    """The store of a server with projects."""


def register() -> None:
    """Have MLflow's server make its stores of these classes; before it makes its first."""
    from mlflow.server.handlers import _tracking_store_registry

    for scheme in DATABASE_ENGINES:
        _tracking_store_registry.register(scheme, _store)


def _store(store_uri: str, artifact_uri: str) -> SqlAlchemyStore:
    kind = ProjectsTrackingStore if MLFLOW_ENABLE_WORKSPACES.get() else TrackingStore
    return kind(store_uri, artifact_uri, read_db_uri=os.environ.get(READ_REPLICA_BACKEND_STORE_URI_ENV_VAR))
