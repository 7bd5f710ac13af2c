"""The model registry from end to end: three ways in, then describe, rename, find, alias, and delete.
Stages (Staging, Production, Archived) are gone from what MLflow recommends: an alias of one's own says it instead.
"""

from __future__ import annotations

import logging

import click
import mlflow
from mlflow import MlflowClient, MlflowException
from mlflow.entities.model_registry import ModelVersion
from mlflow.models import infer_signature
from sklearn.datasets import load_iris
from sklearn.tree import DecisionTreeClassifier

# The plugin sagemaker-mlflow, where it is installed, takes every address for an ARN, and MLflow warns at each request.
logging.getLogger("mlflow.tracking.request_header.registry").setLevel(logging.ERROR)

_REQUIREMENTS = ["mlflow==3.17.2", "scikit-learn==1.9.0", "skops==0.16.0"]
_FEATURES, _SPECIES = load_iris(return_X_y=True, as_frame=True)


@click.command()
@click.option("--name", default="iris-tree", show_default=True, help="No model may have it, nor NAME-renamed.")
@click.option("--keep", is_flag=True, help="Leave the registered model there, to be looked at in the browser.")
def main(name: str, keep: bool) -> None:
    """Walk through the registry with a model of that name."""
    client = MlflowClient()
    _refuse_names_in_use(client, name, f"{name}-renamed")
    mlflow.set_experiment("registry")
    register(client, name)
    describe(client, name)
    renamed = f"{name}-renamed"
    client.rename_registered_model(name, renamed)
    print(f"renamed: {name} is {renamed} now, and still described: {client.get_registered_model(renamed).description}")
    find(client, renamed)
    alias(client, renamed)
    if not keep:
        delete(client, renamed)


def register(client: MlflowClient, name: str) -> None:
    """Three ways in. Each makes the next version; the first two make the model, too, where there is none."""
    _logged(max_leaf_nodes=2, registered_model_name=name)
    _say(client.get_model_version(name, "1"), "registered while it was logged")

    _say(mlflow.register_model(_logged(max_leaf_nodes=3).model_uri, name), "registered afterwards")

    try:
        client.create_registered_model(name)
    except MlflowException as error:
        print(f"a name can be had once: {error.error_code}")
    logged = _logged(max_leaf_nodes=4)
    third = client.create_model_version(name, logged.model_uri, run_id=logged.run_id, model_id=logged.model_id)
    _say(third, "made by the client, from a model and a run that are named")


def describe(client: MlflowClient, name: str) -> None:
    """What people should know: of the model and of a version, in Markdown; and tags, which can be searched."""
    client.update_registered_model(name, "Species of *iris* from four lengths.")
    client.update_model_version(name, "3", "A decision tree with four leaves.")
    client.set_registered_model_tag(name, "task", "classification")
    client.set_model_version_tag(name, "3", "validated", "yes")
    print(
        f"described: {client.get_registered_model(name).description} {client.get_model_version(name, '3').description}"
    )


def find(client: MlflowClient, name: str) -> None:
    """Models by name and tag, versions by model, both a page at a time."""
    models = client.search_registered_models(f"name LIKE '{name[:4]}%' AND tag.task = 'classification'")
    print(f"models found: {', '.join(model.name for model in models)}")
    versions = client.search_model_versions(f"name = '{name}'", order_by=["version_number DESC"])
    print(f"versions found: {', '.join(str(version.version) for version in versions)}")
    (validated,) = client.search_model_versions(f"name = '{name}' AND tag.validated = 'yes'")
    print(f"validated: version {validated.version}")


def alias(client: MlflowClient, name: str) -> None:
    """A name for the version that serves; moving it is a release, moving it back a rollback."""
    for version in ("2", "3"):
        client.set_registered_model_alias(name, "production", version)
        serving = client.get_model_version_by_alias(name, "production")
        model = mlflow.sklearn.load_model(f"models:/{name}@production")
        print(f"production: version {serving.version}, {model.get_n_leaves()} leaves")
    client.delete_registered_model_alias(name, "production")


def delete(client: MlflowClient, name: str) -> None:
    """A version, then the model with all the others; the runs and the models they logged stay."""
    client.delete_model_version(name, "1")
    left = client.search_model_versions(f"name = '{name}'")
    print(f"version 1 deleted, left: {', '.join(sorted(str(version.version) for version in left))}")
    client.delete_registered_model(name)
    found = client.search_registered_models(f"name = '{name}'")
    print(f"{name} deleted, left: {len(found)} models of that name")


def _logged(max_leaf_nodes: int, registered_model_name: str | None = None) -> mlflow.models.model.ModelInfo:
    tree = DecisionTreeClassifier(max_leaf_nodes=max_leaf_nodes, random_state=42).fit(_FEATURES, _SPECIES)
    with mlflow.start_run():
        return mlflow.sklearn.log_model(
            tree,
            name="tree",
            signature=infer_signature(_FEATURES, tree.predict(_FEATURES)),
            pip_requirements=_REQUIREMENTS,
            skops_trusted_types=["sklearn.tree._tree.Tree"],
            registered_model_name=registered_model_name,
        )


def _refuse_names_in_use(client: MlflowClient, *names: str) -> None:
    for name in names:
        if client.search_registered_models(f"name = '{name}'"):
            raise click.ClickException(f"There is a registered model {name}: give this walk another with --name.")


def _say(version: ModelVersion, how: str) -> None:
    print(f"version {version.version}: {how}")


if __name__ == "__main__":
    main()
