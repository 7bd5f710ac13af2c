"""A tuning job while it runs: a thread that launches training jobs, learns from their ends, and knows when to stop.

https://docs.aws.amazon.com/sagemaker/latest/dg/automatic-model-tuning-how-it-works.html
"""

from __future__ import annotations

import contextlib
import secrets
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from local_aws.cloud import Cloud
from local_aws.errors import AwsError
from local_aws.sagemaker import tags, training
from local_aws.sagemaker.metrics import MetricReader
from local_aws.sagemaker.tuning import completion, early_stopping, trials, warm_start
from local_aws.sagemaker.tuning.ending import ATTEMPTS, Ending, judge
from local_aws.sagemaker.tuning.plan import Plan, TrainingDefinition
from local_aws.sagemaker.tuning.trials import Result, Trial
from local_aws.store import Missing, now

if TYPE_CHECKING:
    from local_aws.sagemaker.tuning.search import Search

KIND = "tuning_job"
OPEN = ("InProgress", "Stopping")

_WATCH_SECONDS = 0.2
_IDLE_SECONDS = 1.0


@dataclass(frozen=True)
class _Running:
    """A training job in flight: which search suggested it under which number, and its metrics as they come."""

    trial: Trial
    definition: int
    number: int
    metrics: MetricReader


class TuningJob:
    """One tuning job at work. `description` is its row in the store, `plan` what that row asks for."""

    def __init__(self, cloud: Cloud, description: dict[str, Any], plan: Plan) -> None:
        self._cloud, self._plan = cloud, plan
        self._name: str = description["HyperParameterTuningJobName"]
        self._arn: str = description["HyperParameterTuningJobArn"]
        self._warm_start = description.get("WarmStartConfig")
        self._tags = tags.of(cloud, self._arn)
        self._searches = [_search(plan, definition) for definition in plan.definitions]
        self._exhausted: set[int] = set()
        self._running: dict[str, _Running] = {}
        self._histories: list[list[list[float]]] = [[] for _ in plan.definitions]
        self._launched = 0
        self._began = time.monotonic()

    def start(self) -> None:
        """Run in a thread of its own."""
        threading.Thread(target=self.run, name=f"tuning {self._name}", daemon=True).start()

    def run(self) -> None:
        """Carry the tuning job out; however it ends, its description says so."""
        with contextlib.suppress(Missing):
            try:
                end = self._tune()
            except AwsError as error:
                end = self._wind_down(Ending("Failed", error.message))
            except Exception as error:
                self._finish(Ending("Failed", f"InternalServerError: {type(error).__name__}: {error}"))
                raise
            if end is not None:
                self._finish(end)

    def _tune(self) -> Ending | None:
        """Launch and learn until there is an end; None where the cloud itself ends."""
        for search in self._searches:
            warm_start.learn(self._cloud, self._warm_start, search)
        while not self._cloud.stopping.is_set():
            found = self._take_in()
            if self._stop_asked():
                return self._wind_down(Ending("Stopped"))
            values = trials.finished_values(found)
            if self._criteria_met(values) or self._out_of_time():
                self._wind_down(Ending("Completed"))
                return judge(self._take_in())
            hold = not values and self._launched >= ATTEMPTS and len(found) - len(self._running) >= ATTEMPTS
            if not hold:
                self._launch()
            if not self._running:
                return judge(self._take_in())
            self._stop_the_hopeless()
            self._wait()
        return None

    def _launch(self) -> None:
        limits = self._plan.limits
        while len(self._running) < limits.parallel and self._launched < limits.jobs:
            suggested = self._suggest()
            if suggested is None:
                break
            self._launch_one(*suggested)
        self._note_progress()

    def _launch_one(self, index: int, number: int, hyperparameters: dict[str, str]) -> None:
        definition = self._plan.definitions[index]
        name = f"{self._name}-{self._launched + 1:03d}-{secrets.token_hex(4)}"
        metrics = MetricReader(definition.template["AlgorithmSpecification"]["MetricDefinitions"])
        request = trials.training_request(definition, name, hyperparameters, self._tags)
        training.create(self._cloud, request, tuning_job_arn=self._arn, metrics=metrics)
        self._launched += 1
        trial = Trial.of(definition, name, hyperparameters)
        self._running[name] = _Running(trial, index, number, metrics)
        self._cloud.store.update(KIND, self._name, lambda row: _with_trial(row, trial))

    def _suggest(self) -> tuple[int, int, dict[str, str]] | None:
        """The next hyperparameters, from the definitions in turn; None where none can be had (now or ever)."""
        count = len(self._searches)
        for index in ((self._launched + step) % count for step in range(count)):
            search = self._searches[index]
            if index in self._exhausted or not search.ready():
                continue
            suggestion = search.ask()
            if suggestion is not None:
                return index, suggestion.number, suggestion.hyperparameters
            self._exhausted.add(index)
        return None

    def _take_in(self) -> list[Result]:
        """Learn from the training jobs that ended, and write down how far the tuning job has come."""
        found = self._note_progress()
        by_name = {result.trial.name: result for result in found}
        for name, running in list(self._running.items()):
            result = by_name.get(name)
            if result is not None and not result.ended:
                continue
            del self._running[name]
            value = None if result is None else result.value
            self._searches[running.definition].tell(running.number, value)
            if value is not None:
                self._histories[running.definition].append(_values(running))
        return found

    def _note_progress(self) -> list[Result]:
        found = trials.results(self._cloud, self._cloud.store.get(KIND, self._name))
        self._cloud.store.update(KIND, self._name, lambda row: self._with_progress(row, found))
        return found

    def _with_progress(self, row: dict[str, Any], found: list[Result]) -> dict[str, Any] | None:
        """The description with counters and the best as they are now; None where nothing has changed."""
        values, maximize = trials.finished_values(found), self._plan.definitions[0].objective.maximize
        details = {
            **row.get("TuningJobCompletionDetails", {}),
            "NumberOfTrainingJobsObjectiveNotImproving": completion.not_improving(values, maximize=maximize),
        }
        if completion.converged(values, maximize=maximize):
            details.setdefault("ConvergenceDetectedTime", now())
        changed = {
            **row,
            **trials.progress(found),
            **warm_start.overall_best(self._cloud, self._warm_start, found),
            "TuningJobCompletionDetails": details,
        }
        return None if changed == row else {**changed, "LastModifiedTime": now()}

    def _criteria_met(self, values: list[float]) -> bool:
        return self._plan.criteria.met(values, maximize=self._plan.definitions[0].objective.maximize)

    def _stop_the_hopeless(self) -> None:
        for running in self._running.values():
            if not self._watched:
                return
            values = _values(running)
            maximize = self._plan.definitions[running.definition].objective.maximize
            if self._searches[running.definition].hopeless(running.number, values) or (
                self._plan.early_stopping
                and early_stopping.hopeless(values, self._histories[running.definition], maximize=maximize)
            ):
                self._stop(running.trial.name)

    @property
    def _watched(self) -> bool:
        """Whether the values of running training jobs can lead to their end."""
        return self._plan.early_stopping or self._plan.resource is not None

    def _stop(self, name: str) -> None:
        body = self._cloud.store.find(trials.KIND, name)
        if body is not None and body["TrainingJobStatus"] == "InProgress":
            # It may end by itself between the look and the call, which is then refused.
            with contextlib.suppress(AwsError):
                self._cloud.call("sagemaker", "StopTrainingJob", {"TrainingJobName": name})

    def _wind_down(self, end: Ending) -> Ending:
        """Stop what runs and wait for it."""
        for name in list(self._running):
            self._stop(name)
        while self._running and not self._cloud.stopping.is_set():
            self._take_in()
            self._wait(until_stop=False)
        self._take_in()
        return end

    def _wait(self, *, until_stop: bool = True) -> None:
        """Sleep until a training job ends, the tuning job is to stop, or it is time to look again."""
        if not self._running:
            return
        self._cloud.store.wait(
            KIND,
            self._name,
            lambda row: (until_stop and row["HyperParameterTuningJobStatus"] == "Stopping") or self._any_ended(),
            timeout=_WATCH_SECONDS if self._watched else _IDLE_SECONDS,
        )

    def _any_ended(self) -> bool:
        rows = (self._cloud.store.find(trials.KIND, name) for name in self._running)
        return any(row is None or row["TrainingJobStatus"] not in trials.OPEN for row in rows)

    def _stop_asked(self) -> bool:
        return self._cloud.store.get(KIND, self._name)["HyperParameterTuningJobStatus"] == "Stopping"

    def _out_of_time(self) -> bool:
        seconds = self._plan.limits.seconds
        return seconds is not None and time.monotonic() - self._began >= seconds

    def _finish(self, end: Ending) -> None:
        def ended(row: dict[str, Any]) -> dict[str, Any]:
            stopped = row["HyperParameterTuningJobStatus"] == "Stopping"
            at = now()
            return {
                **row,
                "HyperParameterTuningJobStatus": "Stopped" if stopped else end.status,
                "HyperParameterTuningEndTime": at,
                "LastModifiedTime": at,
                "ConsumedResources": {"RuntimeInSeconds": round(time.monotonic() - self._began)},
                **({"FailureReason": end.reason[:1024]} if end.reason and not stopped else {}),
            }

        self._cloud.store.update(KIND, self._name, ended)


def _with_trial(row: dict[str, Any], trial: Trial) -> dict[str, Any]:
    return {**row, "_Trials": [*row["_Trials"], trial.stored()], "LastModifiedTime": now()}


def _search(plan: Plan, definition: TrainingDefinition) -> Search:
    # Optuna takes an eighth of the cloud's start to import, and most clouds never tune.
    from local_aws.sagemaker.tuning.search import Search, Space

    space = Space(
        plan.strategy,
        definition.ranges,
        definition.objective.maximize,
        plan.limits.parallel,
        plan.seed,
        plan.resource,
    )
    return Search(space)


def _values(running: _Running) -> list[float]:
    return [entry.value for entry in running.metrics.history(running.trial.metric)]
