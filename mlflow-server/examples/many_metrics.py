"""Logging 100 metrics at each of 1,000 steps: whole batches, each acknowledged, instead of a request for every number.
One `log_metric` a number costs a request, and its commit in the database, 100,000 times; a batch takes 1,000 numbers.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterable, Iterator
from itertools import islice

import click
import mlflow
from mlflow import MlflowClient
from mlflow.entities import Metric

# The plugin sagemaker-mlflow, where it is installed, takes every address for an ARN, and MLflow warns at each request.
logging.getLogger("mlflow.tracking.request_header.registry").setLevel(logging.ERROR)

# The most that a server takes in one request: https://mlflow.org/docs/latest/api_reference/rest-api.html#log-batch
BATCH = 1000


def log_in_batches(client: MlflowClient, run_id: str, measured: Iterable[Metric]) -> int:
    """Log metrics as they come, 1,000 a request, and return how many there were.

    When it returns all of them are in the database; it raises `MlflowException` where the server refuses a batch.
    """
    measured, logged = iter(measured), 0
    while batch := list(islice(measured, BATCH)):
        client.log_batch(run_id, metrics=batch)
        logged += len(batch)
    return logged


def training(metrics: int, steps: int) -> Iterator[Metric]:
    """What a training might measure: curves that fall, each metric at every step."""
    for step in range(steps):
        now = int(time.time() * 1000)
        for number in range(metrics):
            yield Metric(f"loss/layer_{number:03}", math.exp(-step * (number + 1) / (metrics * 50)), now, step)


@click.command()
@click.option("--metrics", type=click.IntRange(1), default=100, show_default=True)
@click.option("--steps", type=click.IntRange(1), default=1000, show_default=True)
def main(metrics: int, steps: int) -> None:
    """Log, then read one metric back."""
    client = MlflowClient()
    mlflow.set_experiment("many-metrics")
    with mlflow.start_run() as run:
        began = time.perf_counter()
        logged = log_in_batches(client, run.info.run_id, training(metrics, steps))
        seconds = time.perf_counter() - began
    curve = client.get_metric_history(run.info.run_id, "loss/layer_000")
    print(f"logged {logged:,} numbers in {seconds:.1f} s ({logged / seconds:,.0f} a second)")
    print(f"loss/layer_000: {len(curve):,} steps, from {curve[0].value:.3f} to {curve[-1].value:.3f}")


if __name__ == "__main__":
    main()
