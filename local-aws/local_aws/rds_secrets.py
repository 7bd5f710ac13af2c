"""Master passwords that RDS manages: moto gives every database the same user and the same password.

Names and passwords are of moto's own chance (`moto_chance`), and so the same again after a restart.
"""

from __future__ import annotations

import json
import string

from moto.moto_api._internal import mock_random
from moto.rds.models import MasterUserSecret

_LENGTH = 32
# Without what a URL would have to escape: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-secrets-manager.html
_CHARACTERS = string.ascii_letters + string.digits + "!#$*()-_"


def install() -> None:
    """Have the secret of a database hold its own master user, and a password of chance."""
    MasterUserSecret._generate_secret_name = _name  # type: ignore[method-assign, assignment]
    MasterUserSecret._generate_secret_string = _secret  # type: ignore[method-assign, assignment]


def _name(managed: MasterUserSecret) -> str:
    return f"rds!{managed.resource.resource_type}-{mock_random.uuid4()}"


def _secret(managed: MasterUserSecret) -> str:
    password = "".join(mock_random.choice(_CHARACTERS) for _ in range(_LENGTH))
    return json.dumps({"username": managed.resource.master_username, "password": password})
