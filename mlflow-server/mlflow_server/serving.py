"""What a tracking server is told before it starts: its stores, its doors, and how many processes serve it.

MLflow reads all of it from its environment: https://mlflow.org/docs/latest/self-hosting/architecture/tracking-server
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mlflow_server import hosts, request_threads
from mlflow_server.encryption import Encryption

LOCALHOST = "127.0.0.1"
LOOPBACK = ("127.0.0.1", "localhost")
ACCOUNTS_FILE = "accounts.ini"
_CREDENTIALS_CACHED_SECONDS = 10


# What the options of `mlflow-server serve` are called in the environment, there being secrets among them.
BACKEND, ARTIFACTS, WORKERS = "MLFLOW_BACKEND_STORE_URI", "MLFLOW_ARTIFACTS_DESTINATION", "MLFLOW_WORKERS"
AUTH, PROJECTS, METRICS = "MLFLOW_SERVER_AUTH", "MLFLOW_ENABLE_WORKSPACES", "MLFLOW_EXPOSE_PROMETHEUS"
HOSTS, ORIGINS = "MLFLOW_SERVER_ALLOWED_HOSTS", "MLFLOW_SERVER_CORS_ALLOWED_ORIGINS"
ADMIN, PASSWORD = "MLFLOW_AUTH_ADMIN_USERNAME", "MLFLOW_AUTH_ADMIN_PASSWORD"
CONFINED = "MLFLOW_ARTIFACTS_CONFINED"
SECRET_KEY = "MLFLOW_FLASK_SERVER_SECRET_KEY"  # noqa: S105 - a name


@dataclass(frozen=True)
class Accounts:
    """Who may log in: the first administrator and the key that signs the forms of the user interface."""

    admin: str
    password: str
    secret_key: str

    @classmethod
    def generate(cls) -> Accounts:
        return cls("admin", secrets.token_urlsafe(18), secrets.token_hex(32))


@dataclass(frozen=True)
class Serving:
    """A tracking server: `backend_store_uri` is an SQLAlchemy URL, `artifacts_destination` a folder's or bucket's URI.

    Without `accounts` whoever reaches the server may do everything, and without `encryption` whoever has the database
    reads the secrets in it. `projects` turns MLflow's workspaces on.
    `confined`: not even an administrator has artifacts opened outside the destination, as others use the same store.
    """

    backend_store_uri: str
    artifacts_destination: str
    accounts: Accounts | None = None
    projects: bool = False
    allowed_hosts: tuple[str, ...] = LOOPBACK
    cors_allowed_origins: tuple[str, ...] = ()
    workers: int = 1
    metrics: Path | None = None
    confined: bool = False
    encryption: Encryption | None = None

    def environment(self) -> dict[str, str]:
        """The environment variables that make MLflow serve this, all but those of `accounts`."""
        environment = {
            "_MLFLOW_SERVER_FILE_STORE": self.backend_store_uri,
            "_MLFLOW_SERVER_REGISTRY_STORE": self.backend_store_uri,
            "_MLFLOW_SERVER_ARTIFACT_ROOT": "mlflow-artifacts:/",
            "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true",
            "_MLFLOW_SERVER_ARTIFACT_DESTINATION": self.artifacts_destination,
            "MLFLOW_ENABLE_WORKSPACES": str(self.projects).lower(),
            CONFINED: str(self.confined).lower(),
            "MLFLOW_RBAC_SEED_DEFAULT_ROLES": "false",  # a project has the roles of `projects`
            "MLFLOW_SERVER_ALLOWED_HOSTS": ",".join(hosts.with_any_port(self.allowed_hosts)),
            # Set in a person's shell it would turn the checks of hosts and origins off.
            "MLFLOW_SERVER_DISABLE_SECURITY_MIDDLEWARE": "false",
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
            "DO_NOT_TRACK": "true",
            # Else whoever asks which models there are has this server fetch a hundred lists of them from elsewhere.
            "MLFLOW_MODEL_CATALOG_URI": "",
            "_MLFLOW_SGI_NAME": "uvicorn",
            "_MLFLOW_SERVER_BOOT_ID": secrets.token_hex(16),
            **request_threads.ENVIRONMENT,
        }
        if self.encryption:
            environment |= self.encryption.environment()
        if self.cors_allowed_origins:
            environment["MLFLOW_SERVER_CORS_ALLOWED_ORIGINS"] = ",".join(self.cors_allowed_origins)
        if self.metrics:
            environment["prometheus_multiproc_dir"] = str(self.metrics)
        return environment

    def accounts_environment(self, folder: Path) -> Mapping[str, str]:
        """What makes MLflow ask for a password; `folder` takes the file that names the accounts' database.

        https://mlflow.org/docs/latest/self-hosting/security/basic-http-auth
        """
        if self.accounts is None:
            return {}
        config = folder / ACCOUNTS_FILE
        config.touch(mode=0o600)
        config.write_text(
            "[mlflow]\n"
            f"database_uri = {self.backend_store_uri.replace('%', '%%')}\n"
            f"admin_username = {self.accounts.admin}\n"
            "default_permission = NO_PERMISSIONS\n"
            f"auth_cache_ttl_seconds = {_CREDENTIALS_CACHED_SECONDS}\n"
        )
        return {
            "MLFLOW_AUTH_CONFIG_PATH": str(config),
            "MLFLOW_AUTH_ADMIN_USERNAME": self.accounts.admin,
            "MLFLOW_AUTH_ADMIN_PASSWORD": self.accounts.password,
            "MLFLOW_FLASK_SERVER_SECRET_KEY": self.accounts.secret_key,
        }


def options_environment(serving: Serving) -> dict[str, str]:
    """The environment in which `mlflow-server serve` serves this."""
    environment = {
        BACKEND: serving.backend_store_uri,
        ARTIFACTS: serving.artifacts_destination,
        AUTH: str(serving.accounts is not None).lower(),
        PROJECTS: str(serving.projects).lower(),
        CONFINED: str(serving.confined).lower(),
        HOSTS: ",".join(serving.allowed_hosts),
        ORIGINS: ",".join(serving.cors_allowed_origins),
        WORKERS: str(serving.workers),
    }
    if serving.metrics:
        environment[METRICS] = str(serving.metrics)
    if serving.encryption:
        environment |= serving.encryption.environment()
    if serving.accounts:
        environment |= {
            ADMIN: serving.accounts.admin,
            PASSWORD: serving.accounts.password,
            SECRET_KEY: serving.accounts.secret_key,
        }
    return environment
