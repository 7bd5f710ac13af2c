"""The search strategies and the median rule on objectives that are known, without any training job."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import pytest
from local_aws.sagemaker.tuning import early_stopping
from local_aws.sagemaker.tuning.ranges import CategoricalRange, ContinuousRange, IntegerRange, Range, Scaling
from local_aws.sagemaker.tuning.resource import Resource
from local_aws.sagemaker.tuning.search import Search, Space

X = ContinuousRange("x", 0.0, 1.0, Scaling.LINEAR)
DEPTH = IntegerRange("depth", 1, 6, Scaling.LINEAR)
CRITERION = CategoricalRange("criterion", ("gini", "entropy", "log_loss"))


def _space(strategy: str, *ranges_: Range, parallel: int = 1, seed: int | None = 7) -> Space:
    return Space(strategy, ranges_, maximize=True, parallel=parallel, seed=seed)


def _objective(hyperparameters: dict[str, str]) -> float:
    return -((float(hyperparameters["x"]) - 0.3) ** 2)


def _walk(search: Search, count: int, objective: Callable[[dict[str, str]], float]) -> list[dict[str, str]]:
    tried = []
    for _ in range(count):
        assert search.ready()
        suggestion = search.ask()
        assert suggestion is not None
        search.tell(suggestion.number, objective(suggestion.hyperparameters))
        tried.append(suggestion.hyperparameters)
    return tried


def test_grid_tries_each_combination_once_and_ends() -> None:
    search = Search(_space("Grid", CRITERION, CategoricalRange("splitter", ("best", "random"))))
    tried = _walk(search, 6, lambda _: 0.5)
    assert len({tuple(one.items()) for one in tried}) == 6
    assert search.ask() is None


@pytest.mark.parametrize("strategy", ["Random", "Bayesian", "Hyperband"])
def test_no_combination_is_tried_twice_and_a_used_up_space_ends(strategy: str) -> None:
    search = Search(_space(strategy, DEPTH, CRITERION))
    tried = _walk(search, 18, lambda given: float(given["depth"]))
    assert len({tuple(one.items()) for one in tried}) == 18
    assert search.ask() is None


@pytest.mark.parametrize("strategy", ["Random", "Bayesian"])
def test_a_seed_gives_the_same_suggestions_and_another_seed_gives_others(strategy: str) -> None:
    runs = [_walk(Search(_space(strategy, X, DEPTH, seed=seed)), 15, _objective) for seed in (1, 1, 2)]
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]


@pytest.mark.parametrize("strategy", ["Random", "Bayesian"])
def test_a_seed_gives_the_same_suggestions_however_parallel_jobs_overtake_one_another(strategy: str) -> None:
    def parallel_walk(order: random.Random) -> list[dict[str, str]]:
        search = Search(_space(strategy, X, DEPTH, parallel=3))
        running: dict[int, dict[str, str]] = {}
        tried: list[dict[str, str]] = []
        while len(tried) < 20:
            while len(running) < 3 and len(tried) < 20 and search.ready():
                suggestion = search.ask()
                assert suggestion is not None
                running[suggestion.number] = suggestion.hyperparameters
                tried.append(suggestion.hyperparameters)
            done = order.choice(list(running))
            search.tell(done, None if done % 5 == 4 else _objective(running.pop(done)))
            running.pop(done, None)
        return tried

    walks = [parallel_walk(random.Random(shuffle)) for shuffle in range(3)]  # noqa: S311 - an order, no secret
    assert walks[0] == walks[1] == walks[2]


def test_bayesian_search_comes_closer_than_its_random_start() -> None:
    tried = _walk(Search(_space("Bayesian", X)), 50, _objective)
    distances = [abs(float(one["x"]) - 0.3) for one in tried]
    assert sum(distances[-20:]) / 20 < sum(distances[:10]) / 10
    assert min(distances[10:]) < min(distances[:10])


def test_a_warm_start_spares_the_random_start() -> None:
    search = Search(_space("Bayesian", X))
    for step in range(30):
        assert search.learn({"x": str(step / 30), "other": "1"}, _objective({"x": str(step / 30)}))
    assert not search.learn({"x": "1.5"}, 0.0)
    assert not search.learn({"other": "1"}, 0.0)
    distances = [abs(float(one["x"]) - 0.3) for one in _walk(search, 5, _objective)]
    assert max(distances) < 0.3


@pytest.mark.parametrize(
    ("scaling", "low", "high", "middle"),
    [
        (Scaling.LINEAR, 0.0, 1.0, 0.5),
        (Scaling.LOGARITHMIC, 1e-6, 1.0, 1e-3),
        (Scaling.REVERSE_LOGARITHMIC, 0.0, 0.999999, 0.999),
    ],
)
def test_half_of_the_random_values_lie_below_the_middle_of_the_scale(
    scaling: Scaling, low: float, high: float, middle: float
) -> None:
    tried = _walk(Search(_space("Random", ContinuousRange("x", low, high, scaling))), 200, lambda _: 0.0)
    values = [float(one["x"]) for one in tried]
    assert all(low <= value <= high for value in values)
    assert 60 < sum(value < middle for value in values) < 140


def test_minimizing_looks_for_the_least() -> None:
    search = Search(Space("Bayesian", (X,), maximize=False, parallel=1, seed=3))
    tried = _walk(search, 30, lambda given: -_objective(given))
    assert min(abs(float(one["x"]) - 0.3) for one in tried[-10:]) < 0.1


def test_hyperband_stops_the_worst_after_few_epochs_and_spares_the_best() -> None:
    search = Search(Space("Hyperband", (X,), maximize=True, parallel=1, seed=1, resource=Resource(1, 27)))
    epochs: dict[float, int] = {}
    for _ in range(40):
        suggestion = search.ask()
        assert suggestion is not None
        level = _objective(suggestion.hyperparameters)
        values = [level - 1 / epoch for epoch in range(1, 28)]
        ran = next((epoch for epoch in range(1, 28) if search.hopeless(suggestion.number, values[:epoch])), 27)
        epochs[level] = ran
        search.tell(suggestion.number, values[ran - 1])
    assert epochs[max(epochs)] == 27
    assert sum(ran < 27 for ran in epochs.values()) >= 10


def test_hyperband_stops_nothing_before_the_least_resource_and_everything_beyond_the_most() -> None:
    search = Search(Space("Hyperband", (X,), maximize=True, parallel=1, seed=1, resource=Resource(5, 10)))
    stopped = []
    for _ in range(20):
        suggestion = search.ask()
        assert suggestion is not None
        values = [float(suggestion.hyperparameters["x"])] * 11
        stopped.append(next(epoch for epoch in range(1, 12) if search.hopeless(suggestion.number, values[:epoch])))
        search.tell(suggestion.number, values[0])
    assert min(stopped) >= 5
    assert max(stopped) == 11


@pytest.mark.parametrize("maximize", [True, False])
def test_the_median_rule_stops_what_is_worse_than_the_median_of_running_averages(maximize: bool) -> None:
    sign = 1 if maximize else -1
    finished = [[sign * level * epoch for epoch in (1, 2, 3)] for level in (1, 2, 3)]
    # The running averages at epoch 2 are 1.5, 3 and 4.5 (times the sign): their median is 3.
    assert early_stopping.hopeless([0, sign * 2.9], finished, maximize=maximize)
    assert not early_stopping.hopeless([0, sign * 3.0], finished, maximize=maximize)


def test_the_median_rule_waits_for_enough_jobs_that_got_as_far() -> None:
    assert not early_stopping.hopeless([-math.inf], [[1.0], [1.0]], maximize=True)
    assert not early_stopping.hopeless([0.0, 0.0], [[1.0, 1.0], [1.0, 1.0], [1.0]], maximize=True)
    assert not early_stopping.hopeless([], [[1.0], [1.0], [1.0]], maximize=True)
