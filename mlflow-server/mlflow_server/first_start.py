"""The first start of a server in a folder: one that is refused leaves there what it found, and nothing else."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mlflow_server.errors import ServerError
from mlflow_server.home import Home

_LOG_NAMED = "(log: "


@contextmanager
def traceless(home: Home) -> Iterator[None]:
    """Within this, a refusal to start takes back what was made in a folder that never served.

    A failure whose sentence names a log keeps the log, and all that it may speak of.
    """
    served, there = _served(home), set(home.folder.iterdir()) if home.folder.is_dir() else None
    try:
        yield
    except ServerError as error:
        if not served and _LOG_NAMED not in str(error) and home.folder.is_dir():
            _take_back(home, there)
        raise


def _take_back(home: Home, there: set[Path] | None) -> None:
    with home.changing():
        # Another command may have had it served meanwhile.
        if _served(home) or home.running():
            return
        try:
            held = home.lock()
        except ServerError:
            return
        with held:
            for made in set(home.folder.iterdir()) - (there or set()):
                shutil.rmtree(made) if made.is_dir() and not made.is_symlink() else made.unlink()
            if there is None:
                home.folder.rmdir()


def _served(home: Home) -> bool:
    return (home.folder / "settings.json").exists()
