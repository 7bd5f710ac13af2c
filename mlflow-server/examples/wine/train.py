"""One run of the project: an ElasticNet that predicts a wine's quality, with its errors and the model itself logged.
`mlflow run` starts it, and says by MLFLOW_RUN_ID which run it is.
"""

from __future__ import annotations

import logging
from pathlib import Path

import click
import mlflow
import pandas as pd
from mlflow.models import infer_signature
from sklearn.linear_model import ElasticNet
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error
from sklearn.model_selection import train_test_split
from wines import FEATURES, FILE, TARGET

# The plugin sagemaker-mlflow, where it is installed, takes every address for an ARN, and MLflow warns at each request.
logging.getLogger("mlflow.tracking.request_header.registry").setLevel(logging.ERROR)

_SEED = 42
# Named, since finding out what a model imports takes MLflow ten seconds a run.
_REQUIREMENTS = ["mlflow==3.17.2", "pandas==2.2.3", "scikit-learn==1.9.0", "skops==0.16.0"]


@click.command()
@click.option("--alpha", type=click.FloatRange(min=0), default=0.5, help="Weight of the penalty.")
@click.option("--l1-ratio", type=click.FloatRange(0, 1), default=0.1, help="The lasso's part of the penalty.")
@click.option("--data", type=click.Path(path_type=Path), default=FILE.name, help="A CSV file, beside this one.")
@click.option("--registered-model-name", help="Register the model under this name, too.")
def main(alpha: float, l1_ratio: float, data: Path, registered_model_name: str | None) -> None:
    """Train, evaluate on a quarter of the wines that is held back, and log."""
    wines = read_wines(FILE.parent / data)
    train, test = train_test_split(wines, random_state=_SEED)
    model = ElasticNet(alpha=alpha, l1_ratio=l1_ratio, random_state=_SEED).fit(train[list(FEATURES)], train[TARGET])
    predicted = model.predict(test[list(FEATURES)])
    errors = {
        "rmse": float(root_mean_squared_error(test[TARGET], predicted)),
        "mae": float(mean_absolute_error(test[TARGET], predicted)),
        "r2": float(r2_score(test[TARGET], predicted)),
    }
    with mlflow.start_run() as run:
        # MLflow has logged the parameters already where it started the project.
        mlflow.log_params({"alpha": alpha, "l1_ratio": l1_ratio})
        mlflow.log_metrics(errors)
        logged = mlflow.sklearn.log_model(
            model,
            name="model",
            signature=infer_signature(test[list(FEATURES)], predicted),
            input_example=test[list(FEATURES)].head(1),
            pip_requirements=_REQUIREMENTS,
            registered_model_name=registered_model_name,
        )
    print(f"run: {run.info.run_id}")
    print(", ".join(f"{name} {value:.3f}" for name, value in errors.items()))
    print(f"model: {logged.artifact_path}")


def read_wines(path: Path) -> pd.DataFrame:
    """The wines of a CSV file; refuses one that lacks a column."""
    if not path.is_file():
        raise click.ClickException(f"There is no file {path}: name a CSV file with --data.")
    wines = pd.read_csv(path)
    missing = [name for name in (*FEATURES, TARGET) if name not in wines.columns]
    if missing:
        raise click.ClickException(f"{path} lacks the columns {', '.join(missing)}: give a file that has them.")
    return wines.astype(dict.fromkeys(FEATURES, float))


if __name__ == "__main__":
    main()
