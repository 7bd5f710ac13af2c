"""What a backup says of itself: when it was made, by what, of what, and the digest of every file in it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from mlflow_server.errors import ServerError

FORMAT = 1
NAME = "manifest.json"


@dataclass(frozen=True)
class Member:
    """A file of a backup: its length in bytes and its SHA-256."""

    length: int
    sha256: str


@dataclass(frozen=True)
class Source:
    """What a backup was made of.

    `store` is "sqlite", "stack" (the PostgreSQL started by `up --postgres`), "postgresql" or "mysql" (one's own);
    `schema` the revision of MLflow's tables, None where there were none. `left_out` names what is not in it.
    """

    made_at: str
    mlflow: str
    store: str
    database_version: str
    schema: str | None
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True)
class Manifest:
    """A backup's table of contents."""

    source: Source
    members: Mapping[str, Member] = field(default_factory=dict)

    def rendered(self) -> str:
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=1) + "\n"

    @classmethod
    def parsed(cls, text: str) -> Manifest:
        """Raises `ServerError` where it is none of ours, or of a newer release."""
        try:
            told = json.loads(text)
            if told["format"] != FORMAT:
                raise ServerError(
                    f"The backup has format {told['format']}, and this server reads format {FORMAT}: "
                    "restore it with the release of mlflow-server that made it."
                )
            source = Source(**{**told["source"], "left_out": tuple(told["source"]["left_out"])})
            return cls(source, {name: Member(**member) for name, member in told["members"].items()})
        except (KeyError, TypeError, ValueError) as error:
            raise ServerError(
                "The backup has no manifest that this server understands: it is not one of ours."
            ) from error
