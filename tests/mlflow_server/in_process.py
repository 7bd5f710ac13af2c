"""Commands of `mlflow-server` run in the process of the tests: the same front door, without loading it each time."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import boto3
from click.testing import CliRunner
from mlflow_server.commands.group import group

# What boto3 has read of each environment: the models of services are most of what a command takes.
_SESSIONS: dict[frozenset[tuple[str, str]], boto3.Session | None] = {}


def invoked(
    *words: str | Path, environment: Mapping[str, str] | None = None, stdin: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command as `python -m mlflow_server` does, in this environment or another; whoever types is no terminal.

    A command that starts a server, waits at a terminal or is killed wants a process of its own. What a command leaves
    in the environment ends with it; boto3 has a session for each environment.
    """
    kept, session = dict(os.environ), boto3.DEFAULT_SESSION
    os.environ.clear()
    os.environ.update(kept if environment is None else environment)
    told = frozenset((name, value) for name, value in os.environ.items() if name.startswith("AWS_"))
    boto3.DEFAULT_SESSION = _SESSIONS.get(told)
    try:
        ended = CliRunner().invoke(group, [str(word) for word in words], input=stdin, prog_name="mlflow-server")
    finally:
        _SESSIONS[told], boto3.DEFAULT_SESSION = boto3.DEFAULT_SESSION, session
        os.environ.clear()
        os.environ.update(kept)
    if ended.exception and not isinstance(ended.exception, SystemExit):
        raise ended.exception
    return subprocess.CompletedProcess(list(words), ended.exit_code, ended.stdout, ended.stderr)
