"""What is in a CodeCommit repository by API: its branches, commits and files.

https://docs.aws.amazon.com/codecommit/latest/APIReference/Welcome.html
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from local_aws.codecommit.repositories import named
from local_aws.errors import AwsError
from local_aws.git_remote import announcement, git, repository
from local_aws.git_remote.git import GitFailed
from local_aws.git_remote.push import Push, RefUpdate
from local_aws.git_remote.repository import NoSuchRevision
from local_aws.operations import CODECOMMIT

if TYPE_CHECKING:
    from local_aws.cloud import Cloud

_MODES = {"100644": "NORMAL", "100755": "EXECUTABLE", "120000": "SYMLINK"}


@CODECOMMIT.operation("GetBranch")
def get_branch(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """A branch and the commit it is at."""
    name = request.get("branchName", "")
    return {"branch": {"branchName": name, "commitId": _tip(cloud, request["repositoryName"], name)}}


@CODECOMMIT.operation("ListBranches")
def list_branches(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """The names of all branches."""
    return {"branches": list(repository.branches(cloud, there(cloud, request["repositoryName"])))}


@CODECOMMIT.operation("CreateBranch")
def create_branch(cloud: Cloud, request: dict[str, Any]) -> None:
    """A new branch at a commit, of which the rules of EventBridge learn as of a push."""
    name, branch, commit_id = there(cloud, request["repositoryName"]), request["branchName"], request["commitId"]
    if branch in repository.branches(cloud, name):
        raise AwsError("BranchNameExistsException", f"A branch named {branch} exists in {name} already")
    _commit(cloud, name, commit_id, "CommitDoesNotExistException")
    try:
        git.run(repository.path(cloud, name), "branch", "--", branch, commit_id)
    except GitFailed as error:
        raise AwsError("InvalidBranchNameException", f"{branch} is not a valid name of a branch: {error}") from error
    announcement.of(cloud, Push(name, (RefUpdate(f"refs/heads/{branch}", None, commit_id),)))


@CODECOMMIT.operation("DeleteBranch")
def delete_branch(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """Remove a branch that is not the default one; of one that is not there, answer nothing, as CodeCommit does."""
    name, branch = there(cloud, request["repositoryName"]), request["branchName"]
    if repository.default_branch(cloud, name) == branch:
        raise AwsError("DefaultBranchCannotBeDeletedException", f"{branch} is the default branch of {name}")
    commit_id = repository.branches(cloud, name).get(branch)
    if commit_id is None:
        return {}
    git.run(repository.path(cloud, name), "update-ref", "-d", f"refs/heads/{branch}", commit_id)
    announcement.of(cloud, Push(name, (RefUpdate(f"refs/heads/{branch}", commit_id, None),)))
    return {"deletedBranch": {"branchName": branch, "commitId": commit_id}}


@CODECOMMIT.operation("UpdateDefaultBranch")
def update_default_branch(cloud: Cloud, request: dict[str, Any]) -> None:
    """Have clones check out another branch."""
    _tip(cloud, request["repositoryName"], request["defaultBranchName"])
    folder = repository.path(cloud, request["repositoryName"])
    git.run(folder, "symbolic-ref", "HEAD", f"refs/heads/{request['defaultBranchName']}")


@CODECOMMIT.operation("GetCommit")
def get_commit(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """A commit by its whole id."""
    name = there(cloud, request["repositoryName"])
    commit = _commit(cloud, name, request["commitId"], "CommitIdDoesNotExistException")
    return {
        "commit": {
            "commitId": commit.id,
            "treeId": commit.tree,
            "parents": list(commit.parents),
            "message": f"{commit.message}\n",
            "author": _person(commit.author, commit.author_email, commit.authored),
            "committer": _person(commit.committer, commit.committer_email, commit.committed),
            "additionalData": "",
        }
    }


@CODECOMMIT.operation("GetFile")
def get_file(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """A file at a commit, a branch or a tag, or on the default branch."""
    name, file = there(cloud, request["repositoryName"]), request["filePath"].strip("/")
    wanted = request.get("commitSpecifier") or repository.default_branch(cloud, name) or ""
    folder = repository.path(cloud, name)
    for revision in (wanted, f"refs/heads/{wanted}", f"refs/tags/{wanted}"):
        try:
            commit = repository.commit(cloud, name, revision)
            break
        except NoSuchRevision:
            continue
    else:
        raise AwsError("CommitDoesNotExistException", f"{name} has no commit, branch or tag {wanted or '(none yet)'}")
    described = _described(folder, commit.id, file)
    if len(described) != 4 or described[1] != "blob":
        raise AwsError("FileDoesNotExistException", f"{name} has no file {file} at {commit.id}")
    mode, _, blob, size = described
    return {
        "commitId": commit.id,
        "blobId": blob,
        "filePath": file,
        "fileMode": _MODES.get(mode, "NORMAL"),
        "fileSize": int(size),
        "fileContent": git.run(folder, "cat-file", "blob", blob),
    }


def _described(folder: Path, commit_id: str, file: str) -> list[str]:
    """Mode, type, id and size of what is at a path in a commit; nothing where the path leads nowhere."""
    try:
        listed = git.run(folder, "ls-tree", "-z", "-l", "--full-tree", commit_id, "--", file)
    except GitFailed:
        return []
    rows = listed.decode(errors="replace").rstrip("\0").split("\0")
    return rows[0].partition("\t")[0].split() if file and len(rows) == 1 else []


def there(cloud: Cloud, name: str) -> str:
    """The name of a repository that is there; raises `AwsError` (RepositoryDoesNotExistException)."""
    return str(named(cloud, name)["repositoryName"])


def _tip(cloud: Cloud, name: str, branch: str) -> str:
    tips = repository.branches(cloud, there(cloud, name))
    if branch not in tips:
        known = ", ".join(tips) or "none"
        raise AwsError("BranchDoesNotExistException", f"{name} has no branch {branch}. There are: {known}")
    return tips[branch]


def _commit(cloud: Cloud, name: str, commit_id: str, code: str) -> repository.Commit:
    try:
        return repository.commit(cloud, name, commit_id)
    except NoSuchRevision as error:
        raise AwsError(code, f"{name} has no commit {commit_id}") from error


def _person(name: str, email: str, at: datetime) -> dict[str, str]:
    """A person in a commit; the time as git writes it: seconds since 1970 and the zone."""
    return {"name": name, "email": email, "date": f"{int(at.timestamp())} {at.strftime('%z')}"}
