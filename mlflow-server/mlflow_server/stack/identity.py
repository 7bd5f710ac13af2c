"""As whom PostgreSQL's programs run: they refuse root, so root's own lie in a user namespace or belong to `nobody`.

https://www.postgresql.org/docs/current/creating-cluster.html
"""

from __future__ import annotations

import os
import pwd
import shutil
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlflow_server.errors import ServerError

_NAMESPACE = ("unshare", "--user", "--map-user=1000", "--map-group=1000", "--")


@dataclass(frozen=True)
class Identity:
    """How a program is started: a command before its own, or another user of the machine."""

    prefix: tuple[str, ...] = ()
    uid: int | None = None
    gid: int | None = None

    def user(self) -> dict[str, Any]:
        """What `subprocess` is told of the user."""
        return {} if self.uid is None else {"user": self.uid, "group": self.gid, "extra_groups": []}

    def owns(self, path: Path) -> None:
        """Give a folder, with all in it, or a file to this user."""
        if self.uid is None or self.gid is None:
            return
        for each in (path, *path.rglob("*")):
            os.chown(each, self.uid, self.gid, follow_symlinks=False)


SAME = Identity()


def refuse_another_s(data: Path) -> None:
    """Raises `ServerError` where data belongs to somebody else, and this is not root who could be them."""
    if os.geteuid() == 0 or not data.exists():
        return
    owner = data.stat().st_uid
    if owner != os.geteuid():
        raise ServerError(
            f"The database in {data} belongs to {_name(owner)}, and PostgreSQL runs for its owner only: "
            f"run this as {_name(owner)}, or have the folder given to you with `chown -R`."
        )


def owner_of(data: Path, program: Path) -> Identity:
    """As whom PostgreSQL's `program` is to run on `data`, which need not be there yet; the folder around it is its.

    Raises `ServerError` where root has nobody to run it as.
    """
    if os.geteuid() != 0:
        return SAME
    found = data.stat() if data.exists() else None
    if (found is None or found.st_uid == 0) and _namespaces():
        return Identity(_NAMESPACE)
    user = pwd.getpwuid(found.st_uid) if found and found.st_uid else pwd.getpwnam("nobody")
    identity = Identity(uid=user.pw_uid, gid=user.pw_gid)
    identity.owns(data if found else data.parent)
    os.chown(data.parent, user.pw_uid, user.pw_gid)
    # A server's folder is shut to others: this one gets to the database through it, and sees nothing else there.
    above = data.parent.parent
    above.chmod(stat.S_IMODE(above.stat().st_mode) | 0o011)
    for needed in (program, data.parent):
        if subprocess.run(["/bin/sh", "-c", 'test -x "$0"', str(needed)], check=False, **identity.user()).returncode:
            raise ServerError(
                f"PostgreSQL does not run as root, user namespaces (`unshare`) are not to be had here, and the user "
                f"{user.pw_name} cannot reach {needed}: run this as another user, or let {user.pw_name} reach it."
            )
    return identity


def _namespaces() -> bool:
    if shutil.which(_NAMESPACE[0]) is None:
        return False
    return subprocess.run([*_NAMESPACE, "true"], capture_output=True, check=False).returncode == 0


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"
