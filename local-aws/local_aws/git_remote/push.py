"""What a push changed: the references of one repository, each from one commit to another."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_NONE = "0" * 40


@dataclass(frozen=True)
class RefUpdate:
    """One reference that moved; `old` is None where it is new, `new` is None where it is deleted."""

    reference: str
    old: str | None
    new: str | None

    @property
    def branch(self) -> str | None:
        """The branch's name, or None for what is no branch."""
        return self.reference.removeprefix("refs/heads/") if self.reference.startswith("refs/heads/") else None

    @property
    def tag(self) -> str | None:
        """The tag's name, or None for what is no tag."""
        return self.reference.removeprefix("refs/tags/") if self.reference.startswith("refs/tags/") else None


@dataclass(frozen=True)
class Push:
    """All that one push moved in one repository ("owner/name", or a CodeCommit name)."""

    repository: str
    updates: tuple[RefUpdate, ...]


def parse(repository: str, lines: Iterable[str]) -> Push:
    """A push as git tells its post-receive hook: "<old> <new> <reference>" a line.

    https://git-scm.com/docs/githooks#post-receive
    """
    rows = (line.split(" ", 2) for line in lines)
    return Push(
        repository,
        tuple(RefUpdate(name, None if old == _NONE else old, None if new == _NONE else new) for old, new, name in rows),
    )


def between(repository: str, before: Mapping[str, str], after: Mapping[str, str]) -> Push:
    """What has moved between two states of a repository's references (full name → object)."""
    names = sorted({*before, *after})
    moved = [
        RefUpdate(name, before.get(name), after.get(name)) for name in names if before.get(name) != after.get(name)
    ]
    return Push(repository, tuple(moved))
