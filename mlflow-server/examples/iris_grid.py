"""A grid of 100 decision trees on iris, a run for each: 10 numbers of leaves by 10 depths, compared afterwards.
`python iris_grid.py`, then `python iris_compare.py` finds the best number of leaves and draws the runs.
"""

from __future__ import annotations

import logging
import time
from itertools import product

import click
import mlflow
from mlflow.models import infer_signature
from sklearn.datasets import load_iris
from sklearn.metrics import accuracy_score, f1_score
from sklearn.model_selection import train_test_split
from sklearn.tree import DecisionTreeClassifier

# The plugin sagemaker-mlflow, where it is installed, takes every address for an ARN, and MLflow warns at each request.
logging.getLogger("mlflow.tracking.request_header.registry").setLevel(logging.ERROR)

EXPERIMENT = "iris-grid"
LEAF_NODES = range(2, 12)  # a tree has at least two leaves
DEPTHS = range(1, 11)
# Named, since finding out what a model imports takes MLflow ten seconds a run.
_REQUIREMENTS = ["mlflow==3.17.2", "scikit-learn==1.9.0", "skops==0.16.0"]


@click.command()
@click.option("--experiment", default=EXPERIMENT, show_default=True)
def main(experiment: str) -> None:
    """Train and log the grid, and keep the model of the best tree."""
    features, species = load_iris(return_X_y=True, as_frame=True)
    x_train, x_test, y_train, y_test = train_test_split(features, species, test_size=0.25, random_state=10)
    mlflow.set_experiment(experiment)
    began = time.perf_counter()
    best_accuracy, best_run, best_tree = -1.0, "", None
    for number, (leaf_nodes, depth) in enumerate(product(LEAF_NODES, DEPTHS), start=1):
        with mlflow.start_run(run_name=f"tree-{number:03}") as run:
            tree = DecisionTreeClassifier(random_state=42, max_leaf_nodes=leaf_nodes, max_depth=depth)
            predicted = tree.fit(x_train, y_train).predict(x_test)
            accuracy = float(accuracy_score(y_test, predicted))
            f1 = float(f1_score(y_test, predicted, average="weighted"))
            mlflow.log_params({"leaf_nodes": leaf_nodes, "max_depth": depth})
            mlflow.log_metrics({"test_accuracy": accuracy, "test_f1_score": f1})
        if accuracy > best_accuracy:
            best_accuracy, best_run, best_tree = accuracy, run.info.run_id, tree
    print(f"{number} runs in {time.perf_counter() - began:.1f} s in the experiment {experiment}")
    # One model instead of a hundred: the smallest of the best trees, since the grid goes from small to large.
    with mlflow.start_run(run_id=best_run):
        mlflow.sklearn.log_model(
            best_tree,
            name="tree",
            signature=infer_signature(x_test, predicted),
            pip_requirements=_REQUIREMENTS,
            skops_trusted_types=["sklearn.tree._tree.Tree"],
        )
    print(f"best run: {best_run}, accuracy {best_accuracy:.4f}")


if __name__ == "__main__":
    main()
