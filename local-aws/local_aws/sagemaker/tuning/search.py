"""Choosing the next hyperparameters: each strategy of SageMaker as an Optuna study that is asked and told.

https://docs.aws.amazon.com/sagemaker/latest/dg/automatic-model-tuning-how-it-works.html
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import Trial, TrialState

from local_aws.sagemaker.tuning import ranges
from local_aws.sagemaker.tuning.ranges import CategoricalRange, ContinuousRange, IntegerRange, Range, Scaling
from local_aws.sagemaker.tuning.resource import Resource

Value = int | float | str

# Random suggestions that Bayesian search makes before it learns from results.
_STARTUP = 10
_DRAWS = 30
_LISTED = 10_000


@dataclass(frozen=True)
class Space:
    """What is searched and how: `parallel` is how many training jobs run at once, `seed` the RandomSeed or None."""

    strategy: str
    ranges: tuple[Range, ...]
    maximize: bool
    parallel: int
    seed: int | None = None
    resource: Resource | None = None


@dataclass(frozen=True)
class Suggestion:
    """The hyperparameters of one training job, as the strings it gets; `number` counts from 0."""

    number: int
    hyperparameters: dict[str, str]


class Search:
    """One strategy at work; called from the thread of its tuning job only.

    No combination is suggested twice. With a seed the suggestions are the same every time: Random and Grid do not
    depend on results at all, and Bayesian search takes results in the order of its suggestions, so that the n-th
    knows those up to the (n - parallel)-th, however the training jobs overtake one another. Hyperband depends on
    the moments at which values arrive and repeats itself only when one training job runs at a time.
    """

    def __init__(self, space: Space) -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._space = space
        self._distributions = {range_.name: _distribution(range_) for range_ in space.ranges}
        self._study = optuna.create_study(
            study_name="tuning",
            direction="maximize" if space.maximize else "minimize",
            sampler=_sampler(space),
            pruner=_pruner(space),
        )
        self._grid = _grid(space) if space.strategy == "Grid" else None
        self._choose = random.Random(space.seed)  # noqa: S311 - chooses hyperparameters, keeps no secret
        self._trials: list[Trial] = []
        self._seen: set[tuple[str, ...]] = set()
        self._results: dict[int, float | None] = {}
        self._told: set[int] = set()
        self._reported: dict[int, int] = {}
        self._learned = 0

    def learn(self, hyperparameters: dict[str, str], value: float) -> bool:
        """Take in the result of a training job of another tuning job; False where it lies outside the ranges."""
        params: dict[str, Value] = {}
        for range_ in self._space.ranges:
            text = hyperparameters.get(range_.name)
            read = None if text is None else ranges.read(range_, text)
            if read is None:
                return False
            params[range_.name] = _inward(range_, read)
        self._study.add_trial(optuna.trial.create_trial(params=params, distributions=self._distributions, value=value))
        self._learned += 1
        return True

    def ready(self) -> bool:
        """Whether the next suggestion can be made now, or must wait for results it has to know."""
        if self._space.strategy != "Bayesian" or self._space.seed is None:
            return True
        known = len(self._trials) - self._space.parallel + 1
        return self._learned + known < _STARTUP or all(number in self._results for number in range(known))

    def ask(self) -> Suggestion | None:
        """The next hyperparameters to try, or None where every combination has been suggested."""
        self._pass_on_results()
        trial = self._unseen() if self._grid is None else self._next_of(self._grid)
        if trial is None:
            return None
        hyperparameters = self._rendered(trial)
        self._seen.add(tuple(hyperparameters.values()))
        self._trials.append(trial)
        return Suggestion(len(self._trials) - 1, hyperparameters)

    def tell(self, number: int, value: float | None) -> None:
        """The final value of the objective for a suggestion, None where the training job gave none."""
        self._results[number] = value

    def hopeless(self, number: int, values: Sequence[float]) -> bool:
        """Whether Hyperband stops a training job that has emitted these values of the objective so far."""
        resource = self._space.resource
        if resource is None:
            return False
        trial = self._trials[number]
        for step in range(self._reported.get(number, 0) + 1, len(values) + 1):
            self._reported[number] = step
            if step > resource.most:
                return True
            trial.report(values[step - 1], step)
            if trial.should_prune():
                return True
        return False

    def _pass_on_results(self) -> None:
        ordered = self._space.strategy == "Bayesian" and self._space.seed is not None
        end = len(self._trials) - self._space.parallel + 1 if ordered else len(self._trials)
        for number in range(end):
            if number in self._results and number not in self._told:
                self._told.add(number)
                value = self._results[number]
                if value is None:
                    self._study.tell(self._trials[number], state=TrialState.FAIL)
                elif self._reported.get(number):
                    self._study.tell(self._trials[number], state=TrialState.PRUNED)
                else:
                    self._study.tell(self._trials[number], value)

    def _next_of(self, grid: Iterator[dict[str, Any]]) -> Trial | None:
        combination = next(grid, None)
        if combination is None:
            return None
        self._study.enqueue_trial(combination)
        return self._study.ask(self._distributions)

    def _unseen(self) -> Trial | None:
        size = ranges.combinations(list(self._space.ranges))
        if len(self._seen) >= size:
            return None
        for _ in range(_DRAWS):
            trial = self._study.ask(self._distributions)
            if tuple(self._rendered(trial).values()) not in self._seen:
                return trial
            self._study.tell(trial, state=TrialState.FAIL)
        self._study.enqueue_trial(self._left_over(size))
        return self._study.ask(self._distributions)

    def _left_over(self, size: float) -> dict[str, Value]:
        """A combination not suggested yet, from a space of `size` in which the sampler keeps returning to others."""
        left = (
            combination
            for combination in itertools.product(*(_members(range_) for range_ in self._space.ranges))
            if tuple(map(ranges.render, combination)) not in self._seen
        )
        chosen = self._choose.choice(list(left)) if size <= _LISTED else next(left)
        return dict(zip(self._distributions, chosen, strict=True))

    def _rendered(self, trial: Trial) -> dict[str, str]:
        return {
            range_.name: ranges.render(_outward(range_, trial.params[range_.name])) for range_ in self._space.ranges
        }


def _sampler(space: Space) -> optuna.samplers.BaseSampler:
    if space.strategy in ("Random", "Grid"):
        return optuna.samplers.RandomSampler(seed=space.seed)
    return optuna.samplers.TPESampler(n_startup_trials=_STARTUP, multivariate=True, seed=space.seed)


def _pruner(space: Space) -> optuna.pruners.BasePruner:
    if space.resource is None:
        return optuna.pruners.NopPruner()
    return optuna.pruners.HyperbandPruner(min_resource=space.resource.least, max_resource=space.resource.most)


def _grid(space: Space) -> Iterator[dict[str, Any]]:
    names = [range_.name for range_ in space.ranges]
    for combination in itertools.product(*(_members(range_) for range_ in space.ranges)):
        yield dict(zip(names, combination, strict=True))


def _members(range_: Range) -> Sequence[Value]:
    if isinstance(range_, CategoricalRange):
        return range_.values
    if isinstance(range_, IntegerRange):
        return range(range_.low, range_.high + 1)
    raise TypeError(f"the values of {range_.name} cannot be listed")


def _distribution(range_: Range) -> BaseDistribution:
    if isinstance(range_, CategoricalRange):
        return CategoricalDistribution(range_.values)
    if isinstance(range_, IntegerRange):
        return IntDistribution(range_.low, range_.high, log=range_.scaling is Scaling.LOGARITHMIC)
    if range_.scaling is Scaling.REVERSE_LOGARITHMIC:
        return FloatDistribution(1 - range_.high, 1 - range_.low, log=True)
    return FloatDistribution(range_.low, range_.high, log=range_.scaling is Scaling.LOGARITHMIC)


def _inward(range_: Range, value: Value) -> Value:
    """The value as Optuna knows it: a reverse logarithmic range is searched by its distance from 1."""
    if isinstance(range_, ContinuousRange) and range_.scaling is Scaling.REVERSE_LOGARITHMIC:
        return 1 - float(value)
    return value


def _outward(range_: Range, value: Value) -> Value:
    if isinstance(range_, ContinuousRange) and range_.scaling is Scaling.REVERSE_LOGARITHMIC:
        return min(max(1 - float(value), range_.low), range_.high)
    return value
