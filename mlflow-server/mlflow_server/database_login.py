"""The password of a database on AWS, asked of Secrets Manager when a connection is made and never kept in a setting.

RDS changes it every week: connections that stand go on, and the next one takes the new password.
https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/rds-secrets-manager.html
"""

from __future__ import annotations

import functools
import json
import os
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlflow_server.errors import ServerError

SECRET, CERTIFICATES = "MLFLOW_DATABASE_SECRET_ARN", "MLFLOW_DATABASE_CERTIFICATES"


@dataclass
class DatabaseLogin:
    """Logs in to a database with the password in a secret, which is JSON with `password`.

    `authorities` is a file of certificate authorities: the connection is TLS, and the database's certificate must be of
    one of them and of its host, whatever the URL says.
    """

    secret: str
    authorities: Path
    secrets_manager: Any
    _password: str | None = field(default=None, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def connect(self, dialect: Any, _record: Any, arguments: Any, parameters: dict[str, Any]) -> Any:
        """A connection for SQLAlchemy's event `do_connect`; None, so that it makes its own, where a password is given.

        Raises:
            ServerError: the secret cannot be read.
        """
        if parameters.get("password"):
            return None
        parameters.update(self._encryption(dialect.name))
        known = self._password
        password = known or self._asked()
        try:
            return dialect.loaded_dbapi.connect(*arguments, **{**parameters, "password": password})
        except dialect.loaded_dbapi.OperationalError:
            # It may have been changed since; where it was asked just now or is the same, it was not that.
            fresh = self._asked() if known else password
            if fresh == password:
                raise
            return dialect.loaded_dbapi.connect(*arguments, **{**parameters, "password": fresh})

    def _asked(self) -> str:
        from botocore.exceptions import BotoCoreError, ClientError

        with self._lock:
            try:
                text = self.secrets_manager.get_secret_value(SecretId=self.secret)["SecretString"]
                self._password = str(json.loads(text)["password"])
            except (ClientError, BotoCoreError) as error:
                raise ServerError(
                    f"The password of the database cannot be read from the secret {self.secret}: {error} "
                    "Check the ARN, and that the server's role may read it."
                ) from error
            except (json.JSONDecodeError, KeyError, TypeError) as error:
                raise ServerError(f"The secret {self.secret} is no JSON with a password, as RDS makes it.") from error
            return self._password

    def _encryption(self, dialect: str) -> dict[str, Any]:
        if dialect == "mysql":
            return {"ssl": {"ca": str(self.authorities), "check_hostname": True}}
        return {"sslmode": "verify-full", "sslrootcert": str(self.authorities)}


@functools.cache
def install() -> None:
    """Once in a process: log in so to every database whose URL has no password, where the environment names a secret.

    `MLFLOW_DATABASE_SECRET_ARN` is the secret's ARN or name, `MLFLOW_DATABASE_CERTIFICATES` the file of authorities.

    Raises:
        ServerError: there is a secret and no such file, so that the password would go to whoever answers.
    """
    secret = os.environ.get(SECRET)
    if not secret:
        return
    import boto3
    from sqlalchemy import Engine, event

    file = os.environ.get(CERTIFICATES)
    if not file:
        raise ServerError(
            f"{SECRET} is set and {CERTIFICATES} is not, so that the database's password would go to whoever answers: "
            "name the file of its certificate authorities (https://truststore.pki.rds.amazonaws.com)."
        )
    authorities = Path(file)
    if not authorities.is_file():
        raise ServerError(
            f"{CERTIFICATES} names {authorities}, which is no file: give the certificate authorities of the database."
        )
    login = DatabaseLogin(secret, authorities, boto3.client("secretsmanager"))
    event.listen(Engine, "do_connect", login.connect)
