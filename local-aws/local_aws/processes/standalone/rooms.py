"""A private view of the file system: a process sees its own folder at /opt/ml though others see theirs there.

On Linux this is a mount namespace (with a user namespace around it where the process is not root); elsewhere, and
where the kernel forbids it, `available` says no and the caller rewrites paths instead. Standard library only: any
interpreter a job runs on must be able to import this.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Sequence

_CLONE_NEWNS = 0x00020000
_CLONE_NEWUSER = 0x10000000
_MS_BIND, _MS_REC, _MS_PRIVATE = 4096, 16384, 1 << 18


class RoomRefused(OSError):
    """The kernel does not let this process have a room of its own."""


def enter(binds: Sequence[tuple[str, str]], overlays: Sequence[tuple[str, str, str]] = ()) -> None:
    """Show each source folder at its absolute target, to this process and what it starts; raises `RoomRefused`.

    An overlay is (folder, upper, work): the folder is seen as it is, and what is changed in it goes to `upper`, beside
    which lies the empty `work` (https://docs.kernel.org/filesystems/overlayfs.html).
    Nothing is created on the host: where a target does not exist, its parent is covered by an empty memory file system
    into which what was there is bound again.
    """
    uid, gid = os.geteuid(), os.getegid()
    libc = ctypes.CDLL(None, use_errno=True)
    _check(libc.unshare(_CLONE_NEWNS | (0 if uid == 0 else _CLONE_NEWUSER)), "unshare")
    if uid != 0:
        _write("/proc/self/setgroups", "deny")
        _write("/proc/self/uid_map", f"{uid} {uid} 1")
        _write("/proc/self/gid_map", f"{gid} {gid} 1")
    _mount(libc, None, "/", None, _MS_REC | _MS_PRIVATE)
    for folder, upper, work in overlays:
        layers = f"lowerdir={_escaped(folder)},upperdir={_escaped(upper)},workdir={_escaped(work)}"
        _mount(libc, "overlay", folder, "overlay", 0, layers if uid == 0 else f"{layers},userxattr")
    for source, target in binds:
        if not os.path.exists(target):
            _make_target(libc, target, source)
        _mount(libc, source, target, None, _MS_BIND | _MS_REC)


def available() -> bool:
    """Whether a child of this process could enter a room; tried in a child, so that this process stays where it is."""
    if sys.platform != "linux":
        return False
    pid = os.fork()
    if pid == 0:
        try:
            enter([("/tmp", "/opt/ml")])  # noqa: S108 - any folder will do
        except OSError:
            os._exit(1)
        os._exit(0)
    return os.waitpid(pid, 0)[1] == 0


def _make_target(libc: ctypes.CDLL, target: str, source: str) -> None:
    existing = target
    while not os.path.isdir(existing):
        existing = os.path.dirname(existing)
    if existing == "/":
        raise RoomRefused(f"{target} cannot be made without changing the root folder of this machine")
    held = os.open(existing, os.O_RDONLY | os.O_DIRECTORY)
    names = os.listdir(held)
    _mount(libc, "tmpfs", existing, "tmpfs", 0, "size=64k,mode=755")
    for name in names:
        old, new = f"/proc/self/fd/{held}/{name}", f"{existing}/{name}"
        if os.path.islink(old):
            os.symlink(os.readlink(old), new)
            continue
        if os.path.isdir(old):
            os.mkdir(new)
        else:
            _write(new, "")
        _mount(libc, old, new, None, _MS_BIND | _MS_REC)
    os.close(held)
    if os.path.isdir(source):
        os.makedirs(target, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        _write(target, "")


def _escaped(path: str) -> str:
    """A path as the overlay file system's options take it."""
    return "".join(f"\\{letter}" if letter in "\\,:" else letter for letter in path)


def _mount(
    libc: ctypes.CDLL, source: str | None, target: str, kind: str | None, flags: int, data: str | None = None
) -> None:
    words = [word.encode() if word is not None else None for word in (source, target, kind, data)]
    _check(libc.mount(words[0], words[1], words[2], flags, words[3]), f"mount {target}")


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise RoomRefused(number, f"{what}: {os.strerror(number)}")


def _write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)
