"""The administrator of a home, whose password is kept beside the server for the person who runs it."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path

from mlflow_server.client import PASSWORD
from mlflow_server.credentials import Credentials
from mlflow_server.home import Home
from mlflow_server.private_file import write_private


def keep_password(home: Home | None, name: str, password: str) -> Path | None:
    """Keep a changed password of a home's own administrator; None where the account is another or elsewhere."""
    if home is None:
        return None
    credentials, _ = Credentials.kept_in(home.folder)
    if credentials.accounts.admin != name:
        return None
    changed = replace(credentials, accounts=replace(credentials.accounts, password=password))
    changed.keep_in(home.folder)
    lines = home.client_environment.read_text().splitlines()
    kept = [
        f"export {PASSWORD}={shlex.quote(password)}" if line.startswith(f"export {PASSWORD}=") else line
        for line in lines
    ]
    write_private(home.client_environment, "\n".join(kept) + "\n")
    return home.client_environment
