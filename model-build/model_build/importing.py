"""How the large libraries are imported, whose seconds every build begins with."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def no_garbage() -> Iterator[None]:
    """Looking for garbage, of which imports leave none, takes a fifth of the seconds in which MLflow or the SDK is
    imported."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
