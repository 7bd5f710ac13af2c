"""The secrets of a local server, generated once and kept in its folder for the person who runs it.

credentials.json   accounts, database password, object store key, keys of the secrets in the database (mode 0600)
client.env         what a shell needs to log to the server as its administrator: `set -a; . client.env` (mode 0600)
"""

from __future__ import annotations

import json
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

from mlflow_server.encryption import Encryption
from mlflow_server.private_file import damage_told, write_private
from mlflow_server.serving import Accounts

_REMEDY = (
    "put back a copy (a backup has one), since its passwords open the database and what is encrypted there. Where that "
    "holds nothing yet, delete the file: it is made anew."
)


@dataclass(frozen=True)
class Credentials:
    """Generated secrets: who administers MLflow, what the server logs in to its stores with, and encrypts there by."""

    accounts: Accounts
    database_password: str
    access_key_id: str
    secret_access_key: str
    encryption: Encryption

    @classmethod
    def kept_in(cls, folder: Path) -> tuple[Credentials, bool]:
        """The secrets of a folder, and whether they were generated just now; raises `ServerError` for damaged ones."""
        path = folder / "credentials.json"
        if path.exists():
            with damage_told(path, _REMEDY):
                told = json.loads(path.read_text())
                # Homes of before had none.
                encryption = Encryption(**told["encryption"]) if "encryption" in told else Encryption.generate()
                kept = cls(**{**told, "accounts": Accounts(**told["accounts"]), "encryption": encryption})
            if "encryption" not in told:
                kept.keep_in(folder)
            return kept, False
        made = cls(
            Accounts.generate(),
            secrets.token_urlsafe(24),
            secrets.token_hex(10),
            secrets.token_hex(20),
            Encryption.generate(),
        )
        made.keep_in(folder)
        return made, True

    def keep_in(self, folder: Path) -> None:
        """Write them down for their owner alone."""
        write_private(folder / "credentials.json", json.dumps(asdict(self), indent=2) + "\n")
