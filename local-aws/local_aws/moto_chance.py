"""moto's random numbers, from which it makes identifiers: a request that is repeated gets the same ones again.

They come from a generator of the thread that carries the request out, so that other requests, answered meanwhile, take
none of them. What a service has before the first request (the default VPC) comes from a generator of its own.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from typing import Any

from moto.core.base_backend import AccountSpecificBackend
from moto.moto_api._internal.moto_random import MotoRandom

_ANY = Random()  # noqa: S311 - identifiers, not secrets


class _OfThread(threading.local):
    generator: Random = _ANY


_OF_THREAD = _OfThread()


@contextmanager
def seeded(seed: int | str) -> Iterator[None]:
    """Have moto take what random numbers it needs in this thread from the sequence that begins with the seed."""
    before = _OF_THREAD.generator
    _OF_THREAD.generator = Random(seed)  # noqa: S311 - identifiers, not secrets
    try:
        yield
    finally:
        _OF_THREAD.generator = before


def install() -> None:
    """Have moto's one generator draw from that of the thread, and make the state of each service from its own seed."""
    if MotoRandom.getrandbits is _bits:
        return
    MotoRandom.getrandbits = _bits  # type: ignore[method-assign, assignment]
    MotoRandom.random = _fraction  # type: ignore[method-assign, assignment]
    make = AccountSpecificBackend.__getitem__

    def make_seeded(backends: AccountSpecificBackend[Any], region: str) -> Any:
        if region in backends.keys():  # noqa: SIM118 - `in backends` says which regions there may be
            return make(backends, region)
        with seeded(f"{backends.service_name} {backends.account_id} {region}"):
            return make(backends, region)

    AccountSpecificBackend.__getitem__ = make_seeded  # type: ignore[method-assign]


def _bits(_: MotoRandom, count: int) -> int:
    return _OF_THREAD.generator.getrandbits(count)


def _fraction(_: MotoRandom) -> float:
    return _OF_THREAD.generator.random()
