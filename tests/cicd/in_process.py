"""Commands of `python -m cicd` run in the process of the tests: the same front door, without loading it each time."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import boto3
from click.testing import CliRunner

# cicd is run from the root of the repository, where it lies, and installed nowhere.
sys.path.insert(0, str(Path(__file__).parents[2]))


def invoked(*words: str, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a command in this environment, with nobody to ask; the session of boto3 that has read it ends with it."""
    from cicd.__main__ import main

    kept, session = dict(os.environ), boto3.DEFAULT_SESSION
    os.environ.clear()
    os.environ.update(environment)
    boto3.DEFAULT_SESSION = None
    try:
        ended = CliRunner().invoke(main, words, prog_name="python -m cicd")
    finally:
        boto3.DEFAULT_SESSION = session
        os.environ.clear()
        os.environ.update(kept)
    if ended.exception and not isinstance(ended.exception, SystemExit):
        raise ended.exception
    return subprocess.CompletedProcess(words, ended.exit_code, ended.stdout, ended.stderr)
