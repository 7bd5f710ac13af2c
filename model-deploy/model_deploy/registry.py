"""The model registry: the version a pin names, its files, and what it learns of its deployments.
Everything that speaks to the MLflow server is here, and answers of its own failures within a bounded time."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

import mlflow
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from model_deploy.errors import DeploymentError
from model_deploy.pin import Pin
from model_deploy.tracking_address import checked_address, missing_permission
from model_deploy.version import RegisteredVersion

_LISTED = 20


class Registry:
    """A model registry behind a tracking URI. Every method raises DeploymentError when the server fails it."""

    def __init__(self, tracking_uri: str) -> None:
        # MLflow resolves models:/ addresses by the URI of the process, whatever its arguments say.
        mlflow.set_tracking_uri(checked_address(tracking_uri))
        self._uri = tracking_uri
        try:
            self._client = MlflowClient()
        except MlflowException as error:
            raise DeploymentError(
                f"The tracking server {tracking_uri} cannot be spoken to: {_reason(str(error))} For a managed MLflow "
                "the package sagemaker-mlflow has to be installed."
            ) from error

    def resolve(self, pin: Pin) -> RegisteredVersion:
        """The version a pin names, ready to be deployed.

        Raises:
            DeploymentError: there is no such model, version or alias (those there are are listed), the version is not
                READY, or the gate refused it.
        """
        with self._answering(f"look up {pin}"):
            found = self._find(pin)
        if found.status != "READY":
            raise DeploymentError(
                f"{pin} is {found.status} in the registry, not READY: {found.status_message or 'no reason is given'}. "
                "Register the model again, or pin another version."
            )
        version = RegisteredVersion(
            found.name, int(found.version), found.run_id or None, dict(found.tags), frozenset(found.aliases)
        )
        if version.tier == "none":
            raise DeploymentError(
                f"{pin} did not pass the gate ({version.tags.get('gate', 'which is not named')}), so it is not "
                f"deployed. Pin a version that passed: {self._versions(pin.model_name)}."
            )
        return version

    def download(self, version: RegisteredVersion, into: Path) -> Path:
        """Fetch a version's files below the directory `into` and hold them against what the server lists.

        Raises:
            DeploymentError: a file is missing or has another size, or there is no model.
        """
        with self._answering(f"download {version.uri}"):
            sizes = dict(self._listed(version.uri))
            directory = Path(mlflow.artifacts.download_artifacts(artifact_uri=version.uri, dst_path=str(into)))
        for name, size in sizes.items():
            found = directory / name
            if not found.is_file() or found.stat().st_size != size:
                what = f"{found.stat().st_size} bytes" if found.is_file() else "missing"
                raise DeploymentError(
                    f"{name} of {version.uri} should have {size} bytes, but came as {what}. Deploy again; if it stays "
                    "so, the model's files in the artifact store are damaged and it has to be logged anew."
                )
        if "MLmodel" not in sizes:
            raise DeploymentError(
                f"{version.uri} holds no MLmodel file, so it is no MLflow model. Pin another version."
            )
        return directory

    def metrics(self, version: RegisteredVersion) -> Mapping[str, float]:
        """The metrics of the run that trained a version; none when the run is not known or is deleted."""
        if version.run_id is None:
            return {}
        with self._answering(f"read the run of {version.uri}"):
            try:
                return dict(self._client.get_run(version.run_id).data.metrics)
            except MlflowException as error:
                if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                    raise
                return {}

    def record(self, version: RegisteredVersion, alias: str, tags: Mapping[str, str]) -> None:
        """Move an alias to this version and tag it; what is there already is not written again."""
        with self._answering(f"record the deployment of {version.uri}"):
            number = str(version.number)
            for key, value in tags.items():
                if version.tags.get(key) != value:
                    self._client.set_model_version_tag(version.model_name, number, key, value)
            if alias not in version.aliases:
                self._client.set_registered_model_alias(version.model_name, alias, number)

    def _find(self, pin: Pin) -> ModelVersion:
        try:
            if pin.number is None:
                return self._client.get_model_version_by_alias(pin.model_name, pin.version)
            return self._client.get_model_version(pin.model_name, str(pin.number))
        except MlflowException as error:
            missing_alias = pin.number is None and error.error_code == "INVALID_PARAMETER_VALUE"
            if error.error_code != "RESOURCE_DOES_NOT_EXIST" and not missing_alias:
                raise
        self._refuse_missing_model(pin.model_name)
        what = f"version {pin.version}" if pin.number else f"alias {pin.version!r}"
        raise DeploymentError(
            f"{pin.model_name} has no {what} in the registry at {self._uri}. It has {self._versions(pin.model_name)}. "
            "Set MODEL_VERSION in buildspec.yml to one of them."
        )

    def _refuse_missing_model(self, model_name: str) -> None:
        try:
            self._client.get_registered_model(model_name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            names = [model.name for model in self._client.search_registered_models(max_results=_LISTED)]
            raise DeploymentError(
                f"The registry at {self._uri} has no model {model_name!r}. It has {', '.join(names) or 'none at all'}. "
                "Correct MODEL_NAME in buildspec.yml, or run python -m model_build to train and register one."
            ) from error

    def _versions(self, model_name: str) -> str:
        found = self._client.search_model_versions(
            f"name = '{model_name}'", max_results=_LISTED, order_by=["version_number DESC"]
        )
        if not found:
            return "no versions yet"
        aliases = self._client.get_registered_model(model_name).aliases
        by_number: dict[str, list[str]] = {}
        for alias, number in sorted(aliases.items()):
            by_number.setdefault(str(number), []).append(alias)
        named = [
            f"{version.version} ({', '.join(by_number[str(version.version)])})"
            if str(version.version) in by_number
            else str(version.version)
            for version in found
        ]
        return f"{'the latest ' if len(found) == _LISTED else ''}versions {', '.join(named)}"

    def _listed(self, uri: str, below: str = "") -> Iterator[tuple[str, int]]:
        for entry in mlflow.artifacts.list_artifacts(artifact_uri=f"{uri}/{below}" if below else uri):
            name = str(PurePosixPath(entry.path))
            if entry.is_dir:
                yield from self._listed(uri, name)
            else:
                yield name, int(entry.file_size or 0)

    @contextmanager
    def _answering(self, task: str) -> Iterator[None]:
        try:
            yield
        except MlflowException as error:
            reason = _reason(str(error))
            permission = missing_permission(self._uri)
            if permission and error.error_code in ("UNAUTHENTICATED", "PERMISSION_DENIED"):
                raise DeploymentError(
                    f"The managed MLflow {self._uri} refuses these AWS credentials and would not {task}: allow them "
                    f"{permission} on it, and see that it is in this account and running."
                ) from error
            if error.error_code == "UNAUTHENTICATED":
                raise DeploymentError(
                    f"The tracking server at {self._uri} answers 401 and would not {task}: set "
                    "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD to an account it knows."
                ) from error
            if error.error_code == "PERMISSION_DENIED":
                raise DeploymentError(
                    f"The tracking server at {self._uri} answers 403 and would not {task}: give this account the "
                    "permission for it, or see that the server allows this host name."
                ) from error
            raise DeploymentError(
                f"The tracking server at {self._uri} could not {task}: {reason} "
                "See that MLFLOW_TRACKING_URI is right and the server is up."
            ) from error


def _reason(text: str) -> str:
    """What a failed request says of itself: MLflow wraps the cause of a lost connection in two exceptions' words."""
    cause = re.search(r"Caused by \w+\([\"'](?:.*?: )?(?P<cause>.*?)[\"']\)", text)
    return f"{cause['cause'] if cause else text.strip().splitlines()[0]}".rstrip(".") + "."
