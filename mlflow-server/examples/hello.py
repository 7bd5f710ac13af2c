"""A first run: a parameter, a metric that moves, and a file, logged to the server that MLFLOW_TRACKING_URI names.
With `mlflow-server up`: `. .local/mlflow/client.env && python mlflow-server/examples/hello.py`
"""

from __future__ import annotations

import logging
import random

import mlflow

# The plugin sagemaker-mlflow, where it is installed, takes every address for an ARN, and MLflow warns at each request.
logging.getLogger("mlflow.tracking.request_header.registry").setLevel(logging.ERROR)


def main() -> None:
    mlflow.set_experiment("hello")
    with mlflow.start_run() as run:
        mlflow.log_param("sides", 6)
        for step in range(3):
            mlflow.log_metric("throw", random.randint(1, 6), step=step)  # noqa: S311 - a die
        mlflow.log_text("hello world!", "greetings/hello.txt")
    print(f"run: {run.info.run_id}")
    print(mlflow.artifacts.load_text(f"{run.info.artifact_uri}/greetings/hello.txt"))


if __name__ == "__main__":
    main()
