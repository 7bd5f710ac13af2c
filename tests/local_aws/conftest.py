"""The clouds of this room's tests, and what they submit to them: jobs, models and stacks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ..conftest import RunningCloud, start_cloud
from .scripts import Scripts
from .serving import Serving
from .stacks import Stacks


@pytest.fixture(scope="module")
def make_modules_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., RunningCloud]]:
    """Start clouds of the module's own; all are stopped at its end."""
    started: list[RunningCloud] = []

    def start(home: Path | None = None, **environment: str) -> RunningCloud:
        started.append(start_cloud(home or tmp_path_factory.mktemp("modules-cloud"), **environment))
        return started[-1]

    yield start
    for running in started:
        running.stop()


@pytest.fixture(scope="session")
def cloud_without_rooms(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCloud]:
    """A cloud shared by the session, whose processes have no mounts of their own, as on some machines."""
    running = start_cloud(tmp_path_factory.mktemp("cloud-without-rooms"), LOCAL_AWS_ROOMS="off")
    yield running
    running.stop()


@pytest.fixture(scope="session")
def restartable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], RunningCloud]]:
    """A cloud that a test may end: each call answers it as it runs, started again on its state where it does not.

    Its home is shared by the session: use names of your own in it.
    """
    home = tmp_path_factory.mktemp("restartable-cloud")
    started: list[RunningCloud] = []

    def running() -> RunningCloud:
        if not started or started[-1].process.poll() is not None:
            started.append(start_cloud(home))
        return started[-1]

    yield running
    for each in started:
        each.stop()


@pytest.fixture
def scripts(cloud: Any) -> Scripts:
    """Submit scripts to the shared cloud."""
    return Scripts(cloud)


@pytest.fixture(scope="session")
def scripts_of() -> type[Scripts]:
    """Submit scripts to a cloud of the test's own: `scripts_of(cloud)`."""
    return Scripts


@pytest.fixture(scope="session")
def serving(cloud: Any, tmp_path_factory: pytest.TempPathFactory) -> Serving:
    """Models and endpoints of the shared cloud."""
    return Serving(cloud, tmp_path_factory.mktemp("serving-image"))


@pytest.fixture
def serving_of(tmp_path: Path) -> Callable[[Any], Serving]:
    """Models and endpoints of a cloud of the test's own: `serving_of(cloud)`."""
    return lambda cloud: Serving(cloud, tmp_path / "serving-image")


@pytest.fixture
def stacks(cloud: Any) -> Stacks:
    """Stacks of the shared cloud."""
    return Stacks(cloud)


@pytest.fixture
def stacks_of() -> type[Stacks]:
    """Stacks of a cloud of the test's own: `stacks_of(cloud)`."""
    return Stacks
