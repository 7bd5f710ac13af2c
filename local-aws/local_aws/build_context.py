"""The build context: the folder beside a Dockerfile from which it may copy, less what `.dockerignore` leaves out.
A source outside the folder, also by a symbolic link, is refused.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

_IGNORED_ALWAYS = "**/__pycache__"


class OutsideContext(Exception):
    """A source that is not in the context; the message says which and why."""


class BuildContext:
    """The files of `folder` that an image may have."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        ignore = self.folder / ".dockerignore"
        lines = ignore.read_text(encoding="utf-8").splitlines() if ignore.exists() else []
        # The later line decides; compiled code is no source, whatever the file says.
        self._rules = [rule for line in [*lines, _IGNORED_ALWAYS] if (rule := _rule(line))]

    def copy(self, source: str, target: str, root: Path) -> None:
        """Copy what the words of a COPY name (a glob pattern, a file or a folder) to the path `target` under `root`.

        A folder gives its contents, and a target that ends in `/` is a folder.
        Raises `OutsideContext` when nothing of that name is in the context.
        """
        found = sorted(self._matching(source))
        if not found:
            raise OutsideContext(f"{source} is not in {self.folder} (or .dockerignore leaves it out)")
        into_folder = target.endswith("/") or len(found) > 1
        place = root / target.lstrip("/")
        for path in found:
            if path.is_dir():
                for file in self._files(path):
                    _copy_file(file, place / file.relative_to(path))
            else:
                _copy_file(path, place / path.name if into_folder or place.is_dir() else place)

    def _matching(self, source: str) -> Iterator[Path]:
        relative = os.path.normpath(source.lstrip("/") or ".")
        if relative.startswith(".."):
            raise OutsideContext(f"{source} is outside the build context {self.folder}")
        paths = [self.folder] if relative == "." else self.folder.glob(relative)
        for path in paths:
            self._check_inside(path)
            if path == self.folder or not self._ignored(path) or path.is_dir():
                yield path

    def _files(self, folder: Path) -> Iterator[Path]:
        for path in sorted(folder.rglob("*")):
            if (path.is_file() or path.is_symlink()) and not self._ignored(path):
                self._check_inside(path)
                yield path

    def _check_inside(self, path: Path) -> None:
        if not path.resolve().is_relative_to(self.folder):
            raise OutsideContext(
                f"{path.relative_to(self.folder)} is a link to {path.resolve()}, outside the build context"
            )

    def _ignored(self, path: Path) -> bool:
        relative = path.relative_to(self.folder).as_posix()
        ignored = False
        for pattern, keeps in self._rules:
            if pattern.fullmatch(relative):
                ignored = not keeps
        return ignored


def _copy_file(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    target.chmod(0o755 if os.access(source, os.X_OK) else 0o644)


def _rule(line: str) -> tuple[re.Pattern[str], bool] | None:
    """A line of `.dockerignore`: the paths it means, and whether it brings them back (`!`).

    https://docs.docker.com/build/concepts/context/#dockerignore-files
    """
    text = line.strip()
    if not text or text.startswith("#"):
        return None
    keeps = text.startswith("!")
    words = PurePosixPath(os.path.normpath(text.lstrip("!").strip().lstrip("/"))).as_posix()
    pattern = ""
    for part in re.split(r"(\*\*/?|\*|\?)", words):
        pattern += {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}.get(part, re.escape(part))
    return re.compile(pattern + "(?:/.*)?"), keeps
