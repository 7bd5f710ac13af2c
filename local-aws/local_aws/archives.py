"""Tar archives from others, unpacked so that nothing lands outside of the folder they are unpacked to."""

from __future__ import annotations

import tarfile
from pathlib import Path


def extract(tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    """Unpack one member below `folder`.

    Raises `tarfile.TarError` for one that would land outside of it, a link that leads there, or a special file: by
    tarfile's own filter (https://docs.python.org/3/library/tarfile.html#tarfile.data_filter) where Python has it, which
    3.11 does from its fourth bug fix on, and by the same rules where it has not.
    """
    if Path(member.name).is_absolute():
        raise tarfile.ExtractError(f"{member.name!r} is an absolute path")
    if hasattr(tarfile, "data_filter"):
        tar.extract(member, folder, filter="data")
        return
    root = folder.resolve()
    target = (root / member.name).resolve()
    if not (member.isfile() or member.isdir() or member.issym() or member.islnk()):
        raise tarfile.ExtractError(f"{member.name!r} is a special file")
    leads_to = [target]
    if member.issym():
        leads_to.append((target.parent / member.linkname).resolve())
    elif member.islnk():
        leads_to.append((root / member.linkname).resolve())
    if not all(path.is_relative_to(root) for path in leads_to):
        raise tarfile.ExtractError(f"{member.name!r} would be extracted outside of its folder")
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    tar.extract(member, folder)
