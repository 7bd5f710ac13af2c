"""Who acts: the role whose credentials a request is signed with, or the account's administrator."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True)
class Principal:
    """A role session; `ADMINISTRATOR`, without a role, is whoever uses credentials that no role has given out.

    `policies` are the session policies (JSON) that limit it further, `tags` those of the session. `user_arn` is the IAM
    user whose access key an administrator uses, if it is one's.
    """

    role_arn: str | None = None
    session: str = ""
    policies: tuple[str, ...] = ()
    tags: tuple[tuple[str, str], ...] = ()
    user_arn: str | None = None


ADMINISTRATOR = Principal()
_acting: ContextVar[Principal] = ContextVar("principal", default=ADMINISTRATOR)


def acting() -> Principal:
    """On whose behalf this thread works now."""
    return _acting.get()


@contextmanager
def acting_as(principal: Principal) -> Iterator[None]:
    """Have what is called in this thread be done, and be allowed or denied, as `principal`."""
    token = _acting.set(principal)
    try:
        yield
    finally:
        _acting.reset(token)
