"""Which pushes start which pipelines, and what whoever pushes is told."""

from __future__ import annotations

import json
import threading
from typing import Any

MAIN = {"includes": ["main"]}


def pushed_before(sources: Any, work: Any, repository: str) -> None:
    """Let the branch be there: its first push has no list of changed files."""
    work.commit(readme_md="hello")
    work.push(sources.url(repository))


def test_a_push_starts_the_pipeline_with_its_commit_and_says_where_to_watch(sources: Any, work: Any) -> None:
    repository = sources.repository()
    pushed_before(sources, work, repository)
    pipeline = sources.on_connection(repository)
    commit = work.commit("Change the file", a_txt="two")
    said = work.push(sources.url(repository))
    [execution] = sources.started_by_pushes(pipeline)
    assert f"{pipeline}: started, execution {execution[1]}" in said
    assert f"watch it at {sources.cloud.endpoint_url}/_local/pipelines/{pipeline}" in said
    trigger = sources.execution(execution)["trigger"]
    assert trigger["triggerType"] == "WebhookV2"
    assert json.loads(trigger["triggerDetail"])["CommitId"] == commit
    assert sources.variables(execution)["CommitId"] == commit


def test_only_the_pipelines_whose_file_paths_match_start_and_the_others_are_named(sources: Any, work: Any) -> None:
    repository = sources.repository()
    pushed_before(sources, work, repository)
    build = sources.on_connection(
        repository, {"branches": MAIN, "filePaths": {"includes": ["model-build/**", "tests/**"]}}
    )
    deploy = sources.on_connection(
        repository,
        {"branches": MAIN, "filePaths": {"includes": ["**"], "excludes": ["model-build/**", "*.md"]}},
    )
    (work.folder / "model-build").mkdir()
    (work.folder / "model-build" / "train.py").write_text("1")
    work.commit()
    said = work.push(sources.url(repository))
    assert f"{build}: started" in said
    assert f"{deploy}: not started: none of 1 changed file matches its file paths (**" in said
    (work.folder / "buildspec.yml").write_text("pin: 2")
    work.commit(readme_md="more")
    said = work.push(sources.url(repository))
    assert f"{deploy}: started" in said
    assert f"{build}: not started: none of 2 changed files matches its file paths (model-build/**, tests/**)" in said
    assert (len(sources.started_by_pushes(build)), len(sources.started_by_pushes(deploy))) == (1, 1)


def test_a_push_of_only_excluded_files_starts_nothing(sources: Any, work: Any) -> None:
    repository = sources.repository()
    pushed_before(sources, work, repository)
    pipeline = sources.on_connection(repository, {"branches": MAIN, "filePaths": {"excludes": ["docs/**"]}})
    work.commit(docs__a_md="text")
    assert f"{pipeline}: not started: none of 1 changed file matches its file paths (all except docs/**)" in work.push(
        sources.url(repository)
    )
    work.commit(docs__a_md="more text", code_py="1")
    assert f"{pipeline}: started" in work.push(sources.url(repository))


def test_all_commits_of_a_push_count_and_not_only_the_last(sources: Any, work: Any) -> None:
    repository = sources.repository()
    pushed_before(sources, work, repository)
    pipeline = sources.on_connection(repository, {"branches": MAIN, "filePaths": {"includes": ["src/*"]}})
    work.commit(src__a_py="1")
    work.commit(docs__a_md="text")
    assert f"{pipeline}: started" in work.push(sources.url(repository))
    (work.folder / "src" / "a.py").unlink()
    work.commit("a file that is removed is a file that is changed")
    assert f"{pipeline}: started" in work.push(sources.url(repository))


def test_the_first_push_of_a_branch_has_no_changed_files_and_is_told_so(sources: Any, work: Any) -> None:
    repository = sources.repository()
    filtered = sources.on_connection(repository, {"branches": MAIN, "filePaths": {"includes": ["**"]}})
    unfiltered = sources.on_connection(repository, {"branches": MAIN})
    work.commit(a_txt="one")
    said = work.push(sources.url(repository))
    assert f"{filtered}: not started: the branch main is new, so there is no list of changed files" in said
    assert f"{unfiltered}: started" in said


def test_a_branch_that_nobody_listens_to_names_those_that_are_listened_to(sources: Any, work: Any) -> None:
    repository = sources.repository()
    pushed_before(sources, work, repository)
    default = sources.on_connection(repository)
    releases = sources.on_connection(repository, {"branches": {"includes": ["release/*"], "excludes": ["release/0*"]}})
    silent = sources.on_connection(repository, configuration={"DetectChanges": "false"})
    work.commit(a_txt="two")
    said = work.push(sources.url(repository), "HEAD:refs/heads/feature/x").splitlines()
    assert said[0] == f"No pipeline listens to the branch feature/x of {repository}. Listened to:"
    assert f"  {default}: branch main" in said
    assert f"  {releases}: branches release/* except release/0*" in said
    assert f"  {silent}: branch main, when started by hand: it detects no changes" in said
    assert work.push(sources.url(repository), "HEAD:refs/heads/release/2/2").startswith("No pipeline listens")
    assert work.push(sources.url(repository), "HEAD:refs/heads/release/01").startswith("No pipeline listens")
    assert f"{releases}: started" in work.push(sources.url(repository), "HEAD:refs/heads/release/1")


def test_a_trigger_on_other_branches_takes_their_commit_and_not_the_default_branch(sources: Any, work: Any) -> None:
    repository = sources.repository()
    pushed_before(sources, work, repository)
    pipeline = sources.on_connection(repository, {"branches": {"includes": ["feature/**"]}})
    work.git("checkout", "--quiet", "-b", "feature/a/b")
    commit = work.commit(a_txt="on the feature")
    assert f"{pipeline}: started" in work.push(sources.url(repository), "feature/a/b")
    taken = sources.variables(sources.started_by_pushes(pipeline)[0])
    assert (taken["CommitId"], taken["BranchName"]) == (commit, "feature/a/b")
    work.commit(a_txt="on main")
    assert "No pipeline listens to the branch main" in work.push(sources.url(repository), "+HEAD:refs/heads/main")


def test_tags_start_only_the_pipelines_that_filter_by_tags(sources: Any, work: Any) -> None:
    repository = sources.repository()
    pushed_before(sources, work, repository)
    on_branch = sources.on_connection(repository)
    on_tag = sources.on_connection(repository, {"tags": {"includes": ["v*"], "excludes": ["v0.*"]}})
    work.git("tag", "-a", "v1.0", "-m", "first")
    said = work.push(sources.url(repository), "v1.0")
    assert f"{on_tag}: started" in said
    assert on_branch not in said
    assert sources.variables(sources.started_by_pushes(on_tag)[0])["CommitId"] == work.git("rev-parse", "HEAD")
    work.git("tag", "v0.9")
    assert work.push(sources.url(repository), "v0.9").startswith("No pipeline listens to the tag v0.9")


def test_one_of_several_filters_is_enough_and_starts_one_execution(sources: Any, work: Any) -> None:
    repository = sources.repository()
    pushed_before(sources, work, repository)
    pipeline = sources.on_connection(
        repository,
        {"branches": MAIN, "filePaths": {"includes": ["a/**"]}},
        {"branches": MAIN, "filePaths": {"includes": ["b/**"]}},
        {"tags": {"includes": ["v*"]}},
    )
    work.commit(a__x_txt="1", b__x_txt="1")
    work.push(sources.url(repository))
    work.commit(b__x_txt="2")
    work.push(sources.url(repository))
    assert len(sources.started_by_pushes(pipeline)) == 2
    work.commit(c_txt="1")
    assert "(a/**) or (b/**)" in work.push(sources.url(repository))


def test_a_trigger_of_pull_requests_is_kept_and_said_never_to_fire(sources: Any, work: Any) -> None:
    repository = sources.repository()
    pushed_before(sources, work, repository)
    trigger = {
        "providerType": "CodeStarSourceConnection",
        "gitConfiguration": {"sourceActionName": "Take", "pullRequest": [{"events": ["OPEN"], "branches": MAIN}]},
    }
    pipeline = sources.on_connection(repository, triggers=[trigger])
    work.commit(a_txt="two")
    assert f"{pipeline}: pull requests only, which local-aws does not have" in work.push(sources.url(repository))


def test_a_deleted_branch_starts_nothing_and_no_line_is_said(sources: Any, work: Any) -> None:
    repository = sources.repository()
    pushed_before(sources, work, repository)
    work.push(sources.url(repository), "HEAD:refs/heads/gone")
    pipeline = sources.on_connection(repository, {"branches": {"includes": ["**"]}})
    assert work.push(sources.url(repository), ":refs/heads/gone") == ""
    assert sources.started_by_pushes(pipeline) == []


def test_several_references_in_one_push_are_told_one_by_one(sources: Any, work: Any) -> None:
    repository = sources.repository()
    pushed_before(sources, work, repository)
    pipeline = sources.on_connection(repository, {"branches": {"includes": ["one", "two"]}})
    said = work.push(sources.url(repository), "HEAD:refs/heads/one", "HEAD:refs/heads/two", "HEAD:refs/heads/three")
    assert said.count(f"{pipeline}: started") == 2
    assert "No pipeline listens to the branch three" in said


def test_a_forced_push_starts_by_what_differs_from_what_was_there(sources: Any, work: Any) -> None:
    repository = sources.repository()
    pushed_before(sources, work, repository)
    work.commit(a_txt="one")
    work.push(sources.url(repository))
    pipeline = sources.on_connection(repository, {"branches": MAIN, "filePaths": {"includes": ["a.txt"]}})
    work.git("reset", "--quiet", "--hard", "HEAD~1")
    work.commit(b_txt="other history")
    assert f"{pipeline}: started" in work.push(sources.url(repository), "+HEAD:refs/heads/main")


def test_a_connection_that_is_pending_lets_no_push_through_and_says_how_to_finish_it(sources: Any, work: Any) -> None:
    repository = sources.repository()
    pushed_before(sources, work, repository)
    connection = sources.connection(finished=False)
    pipeline = sources.on_connection(repository, connection=connection)
    work.commit(a_txt="two")
    said = work.push(sources.url(repository))
    assert f"{pipeline}: not started: The connection" in said
    assert "PENDING" in said
    assert f"/_local/connections/{connection.rpartition('/')[2]}/finish" in said
    sources.finish(connection).raise_for_status()
    work.commit(a_txt="three")
    assert f"{pipeline}: started" in work.push(sources.url(repository))


def test_two_pushes_at_once_become_two_executions_each_with_its_commit(sources: Any, working_copy: Any) -> None:
    repository = sources.repository()
    pipeline = sources.on_connection(repository, {"branches": {"includes": ["b*"]}}, executionMode="PARALLEL")
    copies = [working_copy() for _ in range(3)]
    commits = {copy.commit(f"commit {number}", a_txt=str(number)) for number, copy in enumerate(copies)}
    threads = [
        threading.Thread(target=copy.push, args=(sources.url(repository), f"HEAD:refs/heads/b{number}"))
        for number, copy in enumerate(copies)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    started = sources.started_by_pushes(pipeline)
    assert {sources.variables(execution)["CommitId"] for execution in started} == commits


def test_a_push_that_is_rejected_beside_one_that_is_taken_starts_nothing(sources: Any, working_copy: Any) -> None:
    repository = sources.repository()
    copies = [working_copy() for _ in range(4)]
    copies[0].commit("begin", a_txt="0")
    copies[0].push(sources.url(repository))
    pipeline = sources.on_connection(repository, executionMode="PARALLEL")
    for number, copy in enumerate(copies):
        copy.git("fetch", "--quiet", sources.url(repository), "main")
        copy.git("reset", "--quiet", "--hard", "FETCH_HEAD")
        copy.commit(f"commit {number}", a_txt=f"changed {number}")
    taken = []

    def push(copy: Any) -> None:
        if copy.run("push", sources.url(repository), "HEAD:refs/heads/main").returncode == 0:
            taken.append(copy)

    threads = [threading.Thread(target=push, args=(copy,)) for copy in copies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == 1
    assert len(sources.started_by_pushes(pipeline)) == 1


def test_a_push_during_an_execution_becomes_the_next_one_with_its_own_commit(sources: Any, work: Any) -> None:
    repository = sources.repository()
    pushed_before(sources, work, repository)
    pipeline = sources.on_connection(repository)
    commits = []
    for text in ("two", "three"):
        commits.append(work.commit(a_txt=text))
        work.push(sources.url(repository))
    assert [sources.variables(each)["CommitId"] for each in sources.started_by_pushes(pipeline)] == commits


def test_a_deleted_pipeline_does_not_listen_any_more_and_other_repositories_are_named(sources: Any, work: Any) -> None:
    repository = sources.repository()
    pushed_before(sources, work, repository)
    other = sources.repository()
    pipeline = sources.on_connection(repository)
    sources.on_connection(other)
    sources.pipelines.delete_pipeline(name=pipeline)
    work.commit(a_txt="two")
    said = work.push(sources.url(repository))
    assert said.startswith(f"No pipeline listens to the repository {repository}. Listened to: ")
    assert other in said
    assert f" {repository}," not in said
