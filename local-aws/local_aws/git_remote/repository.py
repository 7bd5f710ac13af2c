"""A bare repository of the git remote: where it lies, and what its branches and commits are."""

from __future__ import annotations

import re
import shutil
import tempfile
import threading
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from local_aws.git_remote import git
from local_aws.git_remote.git import GitFailed

if TYPE_CHECKING:
    from local_aws.cloud import Cloud

_KIND = "git_repository"
_PART = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}"
_NAME = re.compile(rf"{_PART}(?:/{_PART}){{0,5}}")
_COMMIT = re.compile("[0-9a-f]{40}")
_MAKING = threading.Lock()


class NoSuchRevision(Exception):
    """A branch or commit that a repository does not have."""


@dataclass(frozen=True)
class Commit:
    """A commit as the source actions and CodeCommit describe it; `message` whole, times with their zones."""

    id: str
    tree: str
    parents: tuple[str, ...]
    author: str
    author_email: str
    authored: datetime
    committer: str
    committer_email: str
    committed: datetime
    message: str


def is_name(name: str) -> bool:
    """Whether a repository may be called so: "owner/name" (groups in between as in GitLab), or a CodeCommit name."""
    return _NAME.fullmatch(name) is not None and not any(
        part.endswith((".git", ".lock", ".")) or ".." in part for part in name.split("/")
    )


def path(cloud: Cloud, name: str) -> Path:
    """The folder of the bare repository `name` ("owner/name", or a CodeCommit name), whether it is there or not."""
    return cloud.settings.home / "git" / f"{name}.git"


def url(cloud: Cloud, name: str) -> str:
    """What to clone from and to push to."""
    return f"{cloud.settings.endpoint_url}/git/{name}"


def exists(cloud: Cloud, name: str) -> bool:
    """Whether there is a repository of this name."""
    return is_name(name) and (path(cloud, name) / "HEAD").is_file()


def names(cloud: Cloud) -> list[str]:
    """Every repository there is, by name."""
    return sorted(row["name"] for row in cloud.store.all(_KIND) if exists(cloud, row["name"]))


def create(cloud: Cloud, name: str) -> None:
    """Make an empty repository, whole or not at all; one that is there stays as it is."""
    with _MAKING:
        if exists(cloud, name):
            return
        cloud.store.put(_KIND, name, {"name": name, "url": url(cloud, name)})
        folder = path(cloud, name)
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=cloud.settings.home / "git"))
        try:
            git.run(draft, "init", "--quiet", "--bare", "--template=", str(draft))
            draft.chmod(0o755)
            draft.rename(folder)
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise


def delete(cloud: Cloud, name: str) -> None:
    """Remove a repository with all that was pushed to it."""
    folder = path(cloud, name)
    if exists(cloud, name):
        doomed = Path(tempfile.mkdtemp(prefix=".draft-", dir=cloud.settings.home / "git"))
        folder.rename(doomed / "gone")
        shutil.rmtree(doomed)
    if cloud.store.find(_KIND, name) is not None:
        cloud.store.delete(_KIND, name)


def branches(cloud: Cloud, name: str) -> dict[str, str]:
    """The branches of a repository and the commits they are at."""
    there = references(cloud, name).items()
    return {name.removeprefix("refs/heads/"): commit for name, commit in there if name.startswith("refs/heads/")}


def references(cloud: Cloud, name: str) -> dict[str, str]:
    """All references of a repository by their full names, and what they are at (a tag with a text: its own object)."""
    listed = git.text(path(cloud, name), "for-each-ref", "--format=%(objectname) %(refname)")
    rows = (line.split(" ", 1) for line in listed.splitlines())
    return {reference: at for at, reference in rows}


def default_branch(cloud: Cloud, name: str) -> str | None:
    """The branch that a clone checks out, or None while nothing was pushed."""
    head = git.text(path(cloud, name), "symbolic-ref", "HEAD").removeprefix("refs/heads/")
    return head if head in branches(cloud, name) else None


def settle_head(cloud: Cloud, name: str) -> None:
    """Have clones check out a branch that is there: where HEAD names none, `main`, or the only or first one."""
    there = branches(cloud, name)
    if there and default_branch(cloud, name) is None:
        branch = "main" if "main" in there else next(iter(there))
        git.run(path(cloud, name), "symbolic-ref", "HEAD", f"refs/heads/{branch}")


def commit(cloud: Cloud, name: str, revision: str) -> Commit:
    """A commit by its id or by the full name of a reference; raises `NoSuchRevision`."""
    fields = "%H%x00%T%x00%P%x00%an%x00%ae%x00%aI%x00%cn%x00%ce%x00%cI%x00%B"
    if not (_COMMIT.fullmatch(revision) or revision.startswith("refs/")):
        raise NoSuchRevision(revision)
    try:
        shown = git.text(path(cloud, name), "log", "-1", f"--format={fields}", f"{revision}^{{commit}}", "--")
    except GitFailed as error:
        raise NoSuchRevision(revision) from error
    whole = shown.split("\0")
    return Commit(
        id=whole[0],
        tree=whole[1],
        parents=tuple(whole[2].split()),
        author=whole[3],
        author_email=whole[4],
        authored=datetime.fromisoformat(whole[5]),
        committer=whole[6],
        committer_email=whole[7],
        committed=datetime.fromisoformat(whole[8]),
        message=whole[9].rstrip("\n"),
    )


def contains(cloud: Cloud, name: str, branch: str, commit_id: str) -> bool:
    """Whether a commit is in the history of a branch."""
    try:
        git.run(path(cloud, name), "merge-base", "--is-ancestor", commit_id, f"refs/heads/{branch}")
    except GitFailed:
        return False
    return True


def changed_files(cloud: Cloud, name: str, old: str, new: str) -> list[str] | None:
    """The files that differ between two commits, or None where one of them is not there any more."""
    try:
        listed = git.run(path(cloud, name), "diff-tree", "-r", "-z", "--name-only", "--no-renames", old, new, "--")
    except GitFailed:
        return None
    return [file.decode(errors="surrogateescape") for file in listed.split(b"\0") if file]
