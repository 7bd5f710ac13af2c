"""git as the server runs it: nothing that a person or a machine has configured for git changes what it does here."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

# Large pushes are packed up in the push itself: no process of git stays behind when the push is done.
_CONFIGURATION = {
    "safe.directory": "*",
    "init.defaultBranch": "main",
    "http.receivepack": "true",
    # A checkout of a build server is often a shallow one, and is pushed from too.
    "receive.shallowUpdate": "true",
    "gc.autoDetach": "false",
    "maintenance.autoDetach": "false",
    "core.quotePath": "false",
    "commit.gpgSign": "false",
}


class GitFailed(Exception):
    """A git command that ended with an error; the message is git's own."""


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a git process here, with entries of git's configuration in `more`.

    Nothing is read from the user's or the machine's configuration (hooks, signing, aliases), nor from GIT_* variables
    of whoever started the server: https://git-scm.com/docs/git-config#ENVIRONMENT
    """
    entries = {**_CONFIGURATION, **(more or {})}
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_") or name == "GIT_EXEC_PATH"}
    numbered = {
        variable: text
        for index, (key, value) in enumerate(entries.items())
        for variable, text in ((f"GIT_CONFIG_KEY_{index}", key), (f"GIT_CONFIG_VALUE_{index}", value))
    }
    fixed = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull, "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    return {**kept, **fixed, "GIT_CONFIG_COUNT": str(len(entries)), **numbered}


def run(
    folder: Path, *arguments: str, standard_input: bytes | None = None, variables: Mapping[str, str] | None = None
) -> bytes:
    """What a git command says about the repository in `folder`; raises `GitFailed`."""
    done = subprocess.run(
        ["git", "--git-dir", str(folder), *arguments],
        input=standard_input,
        stdin=subprocess.DEVNULL if standard_input is None else None,
        capture_output=True,
        env={**environment(), **(variables or {})},
        check=False,
    )
    if done.returncode != 0:
        raise GitFailed(done.stderr.decode(errors="replace").strip() or f"git {arguments[0]} failed")
    return done.stdout


def text(folder: Path, *arguments: str) -> str:
    """The same as text without the last line's end."""
    return run(folder, *arguments).decode(errors="replace").rstrip("\n")
