"""What `mlflow-server up` was told of a home, kept there: the next `up` without options serves the same again."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from mlflow_server import hosts
from mlflow_server.errors import ServerError
from mlflow_server.private_file import damage_told, write_private

_REMEDY = "put back a copy (a backup has one), or delete it and tell `mlflow-server up` its options anew."


@dataclass(frozen=True)
class Settings:
    """The stores and doors of a home's server; what is None is as the mode has it.

    `postgres`: PostgreSQL and an object store are started with the server. `backend_store_uri` and
    `artifacts_destination`: stores of one's own. Neither: SQLite and a folder ("embedded"), without accounts.
    `shared_from`: the folder of the home whose stores an isolated project shares.
    """

    postgres: bool = False
    backend_store_uri: str | None = None
    artifacts_destination: str | None = None
    auth: bool | None = None
    projects: bool | None = None
    allowed_hosts: tuple[str, ...] = ()
    cors_allowed_origins: tuple[str, ...] = ()
    workers: int | None = None
    shared_from: str | None = None

    @property
    def embedded(self) -> bool:
        return not (self.postgres or self.backend_store_uri or self.artifacts_destination or self.shared_from)

    @property
    def asks_for_passwords(self) -> bool:
        return not self.embedded if self.auth is None else self.auth

    @classmethod
    def kept_in(cls, folder: Path) -> Settings:
        """The settings of a folder, those of the embedded mode where it has none; damaged ones raise `ServerError`."""
        path = folder / "settings.json"
        try:
            with damage_told(path, _REMEDY):
                kept: dict[str, Any] = json.loads(path.read_text())
                for several in ("allowed_hosts", "cors_allowed_origins"):
                    kept[several] = tuple(kept[several])
                return cls(**kept)
        except (FileNotFoundError, NotADirectoryError):
            return cls()

    def told(self, **told: Any) -> Settings:
        """These settings with what was told now (not None): a database told replaces another, "" takes a URI back.

        Raises `ServerError` where what was told contradicts itself, or would let in everyone.
        """
        said: dict[str, Any] = {name: value for name, value in told.items() if value not in (None, ())}
        if said.get("postgres") and said.get("backend_store_uri"):
            raise ServerError(
                "--postgres starts a database of its own, and --backend-store-uri names another: give one of them."
            )
        if said.get("postgres"):
            said["backend_store_uri"] = None
        elif said.get("backend_store_uri"):
            said["postgres"] = False
        for uri in ("backend_store_uri", "artifacts_destination"):
            said.update({uri: None} if said.get(uri) == "" else {})
        now = replace(self, **said)
        hosts.check(now.allowed_hosts, now.cors_allowed_origins)
        return now

    def keep_in(self, folder: Path) -> None:
        """Write them down; a database URI may hold a password, so only the owner can read them."""
        write_private(folder / "settings.json", json.dumps(asdict(self), indent=2) + "\n")
