"""Commits made by API: files put, moved from one mode to another, and deleted on top of a branch.

https://docs.aws.amazon.com/codecommit/latest/APIReference/API_CreateCommit.html
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from local_aws.codecommit.commits import there
from local_aws.errors import AwsError
from local_aws.git_remote import announcement, git, repository
from local_aws.git_remote.git import GitFailed
from local_aws.git_remote.push import Push, RefUpdate
from local_aws.operations import CODECOMMIT

if TYPE_CHECKING:
    from local_aws.cloud import Cloud

_MODES = {"NORMAL": "100644", "EXECUTABLE": "100755", "SYMLINK": "120000"}
_SHOWN = {mode: name for name, mode in _MODES.items()}


@dataclass(frozen=True)
class _Author:
    name: str
    email: str


@dataclass(frozen=True)
class _Made:
    """A commit that was made; `files` are the entries of its tree by path: mode and blob."""

    commit_id: str
    tree_id: str
    before: Mapping[str, tuple[str, str]]
    files: Mapping[str, tuple[str, str]]


@CODECOMMIT.operation("CreateCommit")
def create_commit(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """A commit of several files on a branch, which it moves; on an empty repository it makes the branch."""
    puts = request.get("putFiles", [])
    for put in puts:
        if "sourceFile" in put:
            raise AwsError(
                "RestrictedSourceFileException", "sourceFile is not carried out by local-aws: give fileContent"
            )
        if "fileContent" not in put:
            raise AwsError("SourceFileOrContentRequiredException", f"{put['filePath']} has no fileContent")
    contents = {_path(put["filePath"]): put["fileContent"] for put in puts}
    modes = {
        _path(row["filePath"]): row["fileMode"]
        for row in (*puts, *request.get("setFileModes", []))
        if "fileMode" in row
    }
    deleted = [_path(row["filePath"]) for row in request.get("deleteFiles", [])]
    if not contents and not modes and not deleted:
        raise AwsError("FileEntryRequiredException", "The commit names no file to put, delete or change the mode of")
    made = _commit(cloud, request, contents, modes, deleted, request.get("authorName", ""))
    return {
        "commitId": made.commit_id,
        "treeId": made.tree_id,
        "filesAdded": [_shown(made.files, path) for path in made.files if path not in made.before],
        "filesUpdated": [
            _shown(made.files, path)
            for path in made.files
            if path in made.before and made.before[path] != made.files[path]
        ],
        "filesDeleted": [_shown(made.before, path) for path in made.before if path not in made.files],
    }


@CODECOMMIT.operation("PutFile")
def put_file(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """A commit of one file on a branch."""
    path = _path(request["filePath"])
    modes = {path: request["fileMode"]} if "fileMode" in request else {}
    made = _commit(cloud, request, {path: request["fileContent"]}, modes, [], request.get("name", ""))
    return {"commitId": made.commit_id, "treeId": made.tree_id, "blobId": made.files[path][1]}


def _commit(
    cloud: Cloud,
    request: Mapping[str, Any],
    contents: Mapping[str, bytes],
    modes: Mapping[str, str],
    deleted: list[str],
    author: str,
) -> _Made:
    name, branch = there(cloud, request["repositoryName"]), request["branchName"]
    folder = repository.path(cloud, name)
    parent = _parent(cloud, name, branch, request.get("parentCommitId"))
    before = _tree(folder, parent) if parent else {}
    files = dict(before)
    for path in deleted:
        if path not in files:
            raise AwsError("FileDoesNotExistException", f"{name} has no file {path} on {branch}")
        del files[path]
    for path, content in contents.items():
        blob = git.run(folder, "hash-object", "-w", "--stdin", standard_input=content).decode().strip()
        files[path] = (before.get(path, ("100644", ""))[0], blob)
    for path, mode in modes.items():
        if path not in files:
            raise AwsError("FileDoesNotExistException", f"{name} has no file {path} on {branch}")
        files[path] = (_MODES[mode], files[path][1])
    if files == before:
        code = "SameFileContentException" if len(contents) == 1 and not deleted else "NoChangeException"
        raise AwsError(code, f"The commit would change nothing on {branch} of {name}")
    try:
        tree = _write_tree(folder, files)
        commit_id = _write_commit(
            folder, tree, parent, request, _Author(author or "local-aws", request.get("email", ""))
        )
        git.run(folder, "update-ref", f"refs/heads/{branch}", commit_id, parent or "0" * 40)
    except GitFailed as error:
        raise AwsError("InvalidPathException", f"git refuses the commit: {error}") from error
    announcement.of(cloud, Push(name, (RefUpdate(f"refs/heads/{branch}", parent, commit_id),)))
    return _Made(commit_id, tree, before, files)


def _parent(cloud: Cloud, name: str, branch: str, given: str | None) -> str | None:
    """The commit that a branch is at, which the caller has to know; None in an empty repository."""
    known = repository.branches(cloud, name)
    if not known:
        return None
    if branch not in known:
        listed = ", ".join(known)
        raise AwsError("BranchDoesNotExistException", f"{name} has no branch {branch}. There are: {listed}")
    if given is None:
        raise AwsError("ParentCommitIdRequiredException", f"{branch} is at {known[branch]}: give it as parentCommitId")
    if given != known[branch]:
        raise AwsError("ParentCommitIdOutdatedException", f"{branch} is at {known[branch]} and not at {given}")
    return given


def _tree(folder: Path, commit_id: str) -> dict[str, tuple[str, str]]:
    listed = git.run(folder, "ls-tree", "-r", "-z", commit_id).decode(errors="surrogateescape")
    rows = (row.split("\t", 1) for row in listed.split("\0") if row)
    return {path: (described.split()[0], described.split()[2]) for described, path in rows}


def _write_tree(folder: Path, files: Mapping[str, tuple[str, str]]) -> str:
    """The tree of all files, by way of an index of its own: the repository is a bare one."""
    with tempfile.TemporaryDirectory() as place:
        variables = {"GIT_INDEX_FILE": str(Path(place) / "index")}
        entries = "".join(f"{mode} {blob}\t{path}\0" for path, (mode, blob) in files.items())
        git.run(
            folder,
            *("update-index", "-z", "--index-info"),
            standard_input=entries.encode(errors="surrogateescape"),
            variables=variables,
        )
        return git.run(folder, "write-tree", variables=variables).decode().strip()


def _write_commit(folder: Path, tree: str, parent: str | None, request: Mapping[str, Any], author: _Author) -> str:
    email = author.email or "local-aws@localhost"
    variables = {
        f"GIT_{who}_{what}": value
        for who in ("AUTHOR", "COMMITTER")
        for what, value in (("NAME", author.name), ("EMAIL", email))
    }
    parents = ("-p", parent) if parent else ()
    message = request.get("commitMessage") or "Change files by API"
    made = git.run(folder, "commit-tree", tree, *parents, standard_input=message.encode(), variables=variables)
    return made.decode().strip()


def _path(given: str) -> str:
    path = given.strip("/")
    if not path or any(part in ("", ".", "..", ".git") for part in path.split("/")):
        raise AwsError("InvalidPathException", f"{given} is not the path of a file in a repository")
    return path


def _shown(files: Mapping[str, tuple[str, str]], path: str) -> dict[str, str]:
    mode, blob = files[path]
    return {"absolutePath": path, "blobId": blob, "fileMode": _SHOWN.get(mode, "NORMAL")}
