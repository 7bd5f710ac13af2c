"""The keys under which MLflow keeps secrets in its database: those of model providers, and those of webhooks.

Without them it takes a passphrase that its source publishes for the first, and a new key in every process for the
others. https://mlflow.org/docs/latest/genai/governance/ai-gateway/api-keys/ and .../latest/ml/webhooks/
"""

from __future__ import annotations

import base64
import binascii
import logging
import secrets
from dataclasses import dataclass
from typing import Any

from mlflow_server.errors import ServerError

PASSPHRASE = "MLFLOW_CRYPTO_KEK_PASSPHRASE"  # noqa: S105 - a name
WEBHOOK_KEY = "MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY"
_KEY_BYTES, _KEY_LETTERS = 32, 43
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Encryption:
    """`passphrase` wraps the keys of providers' secrets; `webhook_key` is a Fernet key (32 bytes, URL-safe base64)."""

    passphrase: str
    webhook_key: str

    @classmethod
    def generate(cls) -> Encryption:
        return cls(secrets.token_urlsafe(32), base64.urlsafe_b64encode(secrets.token_bytes(_KEY_BYTES)).decode())

    @classmethod
    def told(cls, passphrase: str | None, webhook_key: str | None) -> Encryption | None:
        """What an environment says, None where it says nothing; 43 letters and digits are a webhook key, too.

        Those are what generators of secrets make, which know no base64: AWS Secrets Manager's, `od` of a shell.
        Raises `ServerError` where it names one of both, or something that is no key.
        """
        if not (passphrase or webhook_key):
            return None
        if not (passphrase and webhook_key):
            raise ServerError(
                f"{PASSPHRASE} and {WEBHOOK_KEY} belong together, and only one of them is set: set both, "
                "since secrets in the database are as safe as the weaker."
            )
        key = webhook_key + "=" * (len(webhook_key) == _KEY_LETTERS)
        try:
            length = len(base64.b64decode(key, altchars=b"-_", validate=True))
        except (binascii.Error, ValueError):
            length = 0
        if length != _KEY_BYTES:
            raise ServerError(
                f"{WEBHOOK_KEY} is no key: it takes {_KEY_BYTES} random bytes in URL-safe base64, "
                f"or {_KEY_LETTERS} random letters and digits."
            )
        return cls(passphrase, key)

    def environment(self) -> dict[str, str]:
        return {PASSPHRASE: self.passphrase, WEBHOOK_KEY: self.webhook_key}


def take_over() -> None:
    """Have this process's passphrase open what was kept under the one that MLflow publishes. Loads MLflow.

    The servers of before had none of their own. What neither opens is left, and said: it was kept under another.
    """
    from mlflow.server.handlers import _get_tracking_store
    from mlflow.store.tracking.dbmodels.models import SqlGatewaySecret
    from mlflow.utils.crypto import DEFAULT_KEK_PASSPHRASE, KEKManager

    store: Any = _get_tracking_store()
    with store.ManagedSessionMaker(read_only=False) as session:
        # In all workspaces; a key is derived from a passphrase in a third of a second.
        kept = session.query(SqlGatewaySecret).all()
        if not kept:
            return
        own, published = KEKManager(), KEKManager(DEFAULT_KEK_PASSPHRASE, kek_version=1)
        for secret in kept:
            if _rewrapped(secret, own, own):
                continue
            wrapped = _rewrapped(secret, published, own)
            if wrapped is None:
                _LOG.warning(
                    "The secret %s was kept under another %s than this server's: start it with that one, "
                    "or give the secret its value anew.",
                    secret.secret_name,
                    PASSPHRASE,
                )
                continue
            secret.wrapped_dek, secret.kek_version = wrapped, own.kek_version


def _rewrapped(secret: Any, old: Any, new: Any) -> bytes | None:
    """The key of a secret wrapped under `new`; None where `old` does not open it."""
    from mlflow.exceptions import MlflowException
    from mlflow.utils.crypto import rotate_secret_encryption

    try:
        return rotate_secret_encryption(secret.encrypted_value, secret.wrapped_dek, old, new).wrapped_dek
    except MlflowException:
        return None
