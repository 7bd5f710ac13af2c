"""How soon the local cloud answers after it is started."""

import tempfile
from pathlib import Path

import boto3
from rich.console import Console

from benchmarks.cloud import server
from benchmarks.results import Comparison, median

ROUNDS = 5
LIMIT_SECONDS = 2.0


def measure(console: Console) -> list[Comparison]:
    """Start the cloud several times on an empty home, and ask it something each time."""
    seconds = []
    for number in range(ROUNDS):
        with tempfile.TemporaryDirectory() as folder, server("local_aws", Path(folder)) as (address, elapsed):
            boto3.client(
                "sagemaker",
                endpoint_url=address,
                region_name="us-east-1",
                aws_access_key_id="bench",
                aws_secret_access_key="bench",  # noqa: S106 - nothing is guarded by it
            ).list_training_jobs()
            seconds.append(elapsed)
            console.print(f"  round {number + 1}: {elapsed:.2f} s")
    return [Comparison("local_aws ready to answer", "s", median(seconds), LIMIT_SECONDS, "the limit", "lower", 1)]
