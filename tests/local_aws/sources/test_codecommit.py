"""CodeCommit's API over repositories that are pushed to with git."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from botocore.exceptions import ClientError


def test_a_repository_is_made_pushed_to_and_described(sources: Any, work: Any) -> None:
    name = f"repo-{uuid.uuid4().hex[:8]}"
    made = sources.codecommit.create_repository(repositoryName=name, repositoryDescription="a try", tags={"team": "ml"})
    metadata = made["repositoryMetadata"]
    assert metadata["cloneUrlHttp"] == sources.url(name)
    assert metadata["Arn"] == f"arn:aws:codecommit:us-east-1:123456789012:{name}"
    assert "defaultBranch" not in metadata
    commit = work.commit("First\n\nwhy", a_txt="one")
    work.push(metadata["cloneUrlHttp"])
    described = sources.codecommit.get_repository(repositoryName=name)["repositoryMetadata"]
    assert (described["defaultBranch"], described["repositoryDescription"]) == ("main", "a try")
    branch = sources.codecommit.get_branch(repositoryName=name, branchName="main")["branch"]
    assert branch == {"branchName": "main", "commitId": commit}
    shown = sources.codecommit.get_commit(repositoryName=name, commitId=commit)["commit"]
    assert (shown["commitId"], shown["message"], shown["parents"]) == (commit, "First\n\nwhy\n", [])
    assert (shown["author"]["name"], shown["author"]["email"]) == ("Ada Lovelace", "ada@example.com")
    assert shown["author"]["date"] == work.git("log", "-1", "--format=%ad", "--date=raw")
    assert sources.codecommit.list_tags_for_resource(resourceArn=metadata["Arn"])["tags"] == {"team": "ml"}


def test_files_are_read_at_a_commit_a_branch_or_the_default(sources: Any, work: Any) -> None:
    name = sources.codecommit_repository()
    first = work.commit(dir__a_txt="one")
    (work.folder / "dir" / "a.txt").chmod(0o755)
    work.commit(dir__a_txt="two")
    work.push(sources.url(name))
    read = sources.codecommit.get_file
    assert read(repositoryName=name, filePath="dir/a.txt", commitSpecifier=first)["fileContent"] == b"one"
    newest = read(repositoryName=name, filePath="/dir/a.txt", commitSpecifier="main")
    assert (newest["fileContent"], newest["fileSize"], newest["fileMode"]) == (b"two", 3, "EXECUTABLE")
    assert read(repositoryName=name, filePath="dir/a.txt")["fileContent"] == b"two"
    for path in ("dir", "nothing", "../x"):
        with pytest.raises(ClientError, match="FileDoesNotExistException"):
            read(repositoryName=name, filePath=path)
    for wrong in ("nothing", "--all", "main:dir", "HEAD~1"):
        with pytest.raises(ClientError, match="CommitDoesNotExistException"):
            read(repositoryName=name, filePath="dir/a.txt", commitSpecifier=wrong)


def test_branches_are_made_listed_and_deleted(sources: Any, work: Any) -> None:
    name, api = sources.codecommit_repository(), sources.codecommit
    commit = work.commit(a_txt="one")
    work.push(sources.url(name))
    api.create_branch(repositoryName=name, branchName="next", commitId=commit)
    assert api.list_branches(repositoryName=name)["branches"] == ["main", "next"]
    with pytest.raises(ClientError, match="BranchNameExistsException"):
        api.create_branch(repositoryName=name, branchName="next", commitId=commit)
    with pytest.raises(ClientError, match="InvalidBranchNameException"):
        api.create_branch(repositoryName=name, branchName="-d", commitId=commit)
    with pytest.raises(ClientError, match="CommitDoesNotExistException"):
        api.create_branch(repositoryName=name, branchName="other", commitId="b" * 40)
    with pytest.raises(ClientError, match="DefaultBranchCannotBeDeletedException"):
        api.delete_branch(repositoryName=name, branchName="main")
    api.delete_branch(repositoryName=name, branchName="next")
    with pytest.raises(ClientError, match=r"BranchDoesNotExistException.*There are: main"):
        api.get_branch(repositoryName=name, branchName="next")


def test_names_that_are_taken_missing_or_not_valid_are_refused(sources: Any) -> None:
    name, api = sources.codecommit_repository(), sources.codecommit
    with pytest.raises(ClientError, match="RepositoryNameExistsException"):
        api.create_repository(repositoryName=name)
    with pytest.raises(ClientError, match="RepositoryDoesNotExistException"):
        api.get_repository(repositoryName="never-made-at-all")
    for wrong in ("x.git", ".hidden", "a..b"):
        with pytest.raises(ClientError, match="InvalidRepositoryNameException"):
            api.create_repository(repositoryName=wrong)
    with pytest.raises(ClientError, match="ValidationException"):
        api.create_repository(repositoryName="a/b")


def test_a_deleted_repository_is_gone_for_git_and_comes_back_empty(sources: Any, work: Any) -> None:
    name, api = sources.codecommit_repository(), sources.codecommit
    work.commit(a_txt="one")
    work.push(sources.url(name))
    assert name in [row["repositoryName"] for row in api.list_repositories()["repositories"]]
    api.delete_repository(repositoryName=name)
    assert work.run("ls-remote", sources.url(name)).returncode != 0
    assert "repositoryId" not in api.delete_repository(repositoryName=name)
    api.create_repository(repositoryName=name)
    assert work.git("ls-remote", sources.url(name)) == ""


def test_files_are_committed_by_api_and_start_pipelines_as_a_push_does(sources: Any, working_copy: Any) -> None:
    name, api = sources.codecommit_repository(), sources.codecommit
    first = api.put_file(
        repositoryName=name, branchName="main", filePath="dir/a.txt", fileContent=b"one", name="Ada", email="ada@x.com"
    )
    assert api.get_branch(repositoryName=name, branchName="main")["branch"]["commitId"] == first["commitId"]
    pipeline = sources.on_codecommit(name, polls=True)
    made = api.create_commit(
        repositoryName=name,
        branchName="main",
        parentCommitId=first["commitId"],
        commitMessage="Three at once",
        putFiles=[{"filePath": "b.sh", "fileContent": b"#!/bin/sh\n", "fileMode": "EXECUTABLE"}],
        deleteFiles=[{"filePath": "dir/a.txt"}],
    )
    assert [row["absolutePath"] for row in made["filesAdded"]] == ["b.sh"]
    assert [row["absolutePath"] for row in made["filesDeleted"]] == ["dir/a.txt"]
    [execution] = sources.started_by_pushes(pipeline)
    assert sources.variables(execution)["CommitMessage"] == "Three at once"
    assert sources.zip(execution).namelist() == ["b.sh"]
    clone = working_copy()
    clone.git("clone", "--quiet", sources.url(name), "clone")
    assert clone.git("-C", "clone", "log", "-1", "--format=%an", first["commitId"]) == "Ada"


def test_a_commit_by_api_on_what_is_not_the_tip_or_changes_nothing_is_refused(sources: Any) -> None:
    name, api = sources.codecommit_repository(), sources.codecommit
    first = api.put_file(repositoryName=name, branchName="main", filePath="a.txt", fileContent=b"one")["commitId"]
    change = {"repositoryName": name, "branchName": "main", "filePath": "a.txt"}
    with pytest.raises(ClientError, match="ParentCommitIdRequiredException"):
        api.put_file(**change, fileContent=b"two")
    with pytest.raises(ClientError, match="ParentCommitIdOutdatedException"):
        api.put_file(**change, fileContent=b"two", parentCommitId="c" * 40)
    with pytest.raises(ClientError, match="SameFileContentException"):
        api.put_file(**change, fileContent=b"one", parentCommitId=first)
    with pytest.raises(ClientError, match="InvalidPathException"):
        api.put_file(**{**change, "filePath": "../a"}, fileContent=b"two", parentCommitId=first)
    with pytest.raises(ClientError, match="BranchDoesNotExistException"):
        api.put_file(**{**change, "branchName": "other"}, fileContent=b"two", parentCommitId=first)
    with pytest.raises(ClientError, match="FileDoesNotExistException"):
        api.create_commit(
            repositoryName=name, branchName="main", parentCommitId=first, deleteFiles=[{"filePath": "nothing"}]
        )
    with pytest.raises(ClientError, match="FileEntryRequiredException"):
        api.create_commit(repositoryName=name, branchName="main", parentCommitId=first)
