"""A login that is kept in Secrets Manager: JSON with username and password, as RDS and the templates of this room
make it. https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_secret_json_structure.html"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from mlflow_server.errors import ServerError


@dataclass(frozen=True)
class KeptLogin:
    """An account's name and its password."""

    username: str
    password: str = field(repr=False)


def read(secrets_manager: Any, secret: str) -> KeptLogin:
    """The login in a secret, by its ARN or name; raises `ServerError` where it holds something else."""
    text = secrets_manager.get_secret_value(SecretId=secret)["SecretString"]
    try:
        content = json.loads(text)
        return KeptLogin(str(content["username"]), str(content["password"]))
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise ServerError(f"The secret {secret} is no JSON with username and password: restore it.") from error
