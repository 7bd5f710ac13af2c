"""A fleet: the running instances of all variants of one deployed endpoint configuration.
It comes into service as a whole or not at all.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterable
from dataclasses import replace

from local_aws.cloud import Cloud
from local_aws.sagemaker.data_capture import CaptureConfig
from local_aws.sagemaker.serving_process import ServingProcess, StartFailed, Variant

# A variant of more instances than this runs this many: the machine has no more to give, whatever DescribeEndpoint says.
MOST_PROCESSES = 4


class Fleet:
    """The instances of an endpoint's variants."""

    def __init__(self, cloud: Cloud, endpoint: str, variants: Iterable[Variant], capture: CaptureConfig | None) -> None:
        self.variants = {variant.name: variant for variant in variants}
        self.capture = capture
        self._cloud = cloud
        self._endpoint = endpoint
        self._lock = threading.Lock()
        self._processes: dict[str, list[ServingProcess]] = {name: [] for name in self.variants}

    def start(self) -> None:
        """Start every instance at once and wait until all answer /ping.

        Raises `StartFailed` with the first reason, after the others were stopped again.
        """
        try:
            self._start([process for variant in self.variants.values() for process in self._instances(variant)])
        except StartFailed:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop every instance once its calls in flight are answered."""
        processes = [process for several in self._processes.values() for process in several]
        self._processes = {name: [] for name in self.variants}
        _each(processes, ServingProcess.stop)

    def scale(self, name: str, instances: int) -> None:
        """Bring one variant to so many instances; raises `StartFailed`, and then the fleet is as it was."""
        variant = replace(self.variants[name], instances=instances)
        running = self._processes[name]
        surplus = len(running) - _processes_for(instances)
        if surplus > 0:
            with self._lock:
                self._processes[name] = running[:-surplus]
            _each(running[-surplus:], ServingProcess.stop)
        elif surplus < 0:
            self._start([ServingProcess(self._cloud, self._endpoint, variant) for _ in range(-surplus)])
        self.variants[name] = variant

    def weigh(self, name: str, weight: float) -> None:
        """Give one variant another share of the traffic."""
        self.variants[name] = replace(self.variants[name], weight=weight)

    def choose_variant(self) -> str:
        """A variant by the weights."""
        if len(self.variants) == 1:
            return next(iter(self.variants))
        variants = list(self.variants.values())
        weights = [variant.weight for variant in variants]
        return random.choices(variants, weights if any(weights) else None)[0].name  # noqa: S311 - traffic, not secrets

    def take(self, variant: str) -> ServingProcess | None:
        """The healthy instance of a variant with the fewest calls in flight, now one more, or None."""
        with self._lock:
            healthy = [process for process in self._processes[variant] if process.healthy]
            process = min(healthy, key=lambda process: process.in_flight, default=None)
            if process is not None:
                process.taken()
            return process

    def _instances(self, variant: Variant) -> list[ServingProcess]:
        count = _processes_for(variant.instances)
        return [ServingProcess(self._cloud, self._endpoint, variant) for _ in range(count)]

    def _start(self, processes: list[ServingProcess]) -> None:
        failures = _each(processes, ServingProcess.start)
        if failures:
            _each(processes, ServingProcess.stop)
            raise failures[0]
        for process in processes:
            self._processes[process.variant.name] = [*self._processes[process.variant.name], process]


def _processes_for(instances: int) -> int:
    return min(instances, MOST_PROCESSES)


def _each(processes: list[ServingProcess], act: Callable[[ServingProcess], None]) -> list[Exception]:
    """Do the same with all processes at once; what was raised.

    The threads are daemons: a cloud that is told to stop waits for none of them.
    """
    raised: list[Exception] = []

    def run(process: ServingProcess) -> None:
        try:
            act(process)
        except Exception as error:
            raised.append(error)

    threads = [threading.Thread(target=run, args=(process,), daemon=True) for process in processes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return raised
