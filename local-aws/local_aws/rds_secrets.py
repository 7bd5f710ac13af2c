"""Master passwords that RDS manages: moto gives every database the same user and the same password."""

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
    MasterUserSecret._generate_secret_string = _secret  # type: ignore[method-assign]


def _secret(managed: MasterUserSecret) -> str:
    # moto's chance repeats itself when the journal is replayed: the password is the same after a restart.
    password = "".join(mock_random.choice(_CHARACTERS) for _ in range(_LENGTH))
    return json.dumps({"username": managed.resource.master_username, "password": password})
