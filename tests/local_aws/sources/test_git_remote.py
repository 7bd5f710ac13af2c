"""The git remote: what git itself does with it, large and small, rightly and wrongly."""

from __future__ import annotations

import os
import shutil
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests


def test_what_is_pushed_can_be_cloned_and_fetched(sources: Any, work: Any, working_copy: Any) -> None:
    url = sources.url(sources.repository())
    first = work.commit(a_txt="one")
    work.push(url)
    other = working_copy()
    other.git("fetch", "--quiet", url, "main")
    assert other.git("rev-parse", "FETCH_HEAD") == first
    second = work.commit(a_txt="two")
    work.push(f"{url}.git")
    other.git("clone", "--quiet", url, "clone")
    assert (other.folder / "clone" / "a.txt").read_text() == "two"
    assert other.git("-C", "clone", "rev-parse", "HEAD") == second


def test_a_clone_checks_out_the_branch_that_was_pushed(sources: Any, work: Any, working_copy: Any) -> None:
    url = sources.url(sources.repository())
    work.commit(a_txt="one")
    work.push(url, "HEAD:refs/heads/trunk")
    other = working_copy()
    other.git("clone", "--quiet", url, "clone")
    assert other.git("-C", "clone", "branch", "--show-current") == "trunk"


@pytest.mark.parametrize("version", ["0", "2"])
def test_both_protocols_of_git_and_a_shallow_clone_work(
    sources: Any, work: Any, working_copy: Any, version: str
) -> None:
    url = sources.url(sources.repository())
    for number in range(3):
        work.commit(a_txt=str(number))
    work.push(url)
    other = working_copy()
    other.git("-c", f"protocol.version={version}", "clone", "--quiet", "--depth=1", url, "clone")
    assert (other.folder / "clone" / "a.txt").read_text() == "2"


def test_a_shallow_clone_can_be_pushed_from_and_starts_pipelines(sources: Any, work: Any, working_copy: Any) -> None:
    for number in range(3):
        work.commit(a_txt=str(number))
    shallow = working_copy()
    shallow.git("fetch", "--quiet", "--depth=1", f"file://{work.folder}", "main")
    shallow.git("reset", "--quiet", "--hard", "FETCH_HEAD")
    repository = sources.repository()
    shallow.push(sources.url(repository))
    pipeline = sources.on_connection(
        repository, {"branches": {"includes": ["main"]}, "filePaths": {"includes": ["b.txt"]}}
    )
    commit = shallow.commit(b_txt="new")
    assert f"{pipeline}: started" in shallow.push(sources.url(repository))
    other = working_copy()
    other.git("clone", "--quiet", sources.url(repository), "clone")
    assert other.git("-C", "clone", "rev-parse", "HEAD") == commit


def test_a_large_push_passes_in_chunks_and_not_through_memory(sources: Any, work: Any, working_copy: Any) -> None:
    url = sources.url(sources.repository())
    server = sources.cloud.process.pid
    work.git("config", "core.compression", "0")
    (work.folder / "large.bin").write_bytes(os.urandom(48 * 1024 * 1024))
    work.commit()
    before = psutil.Process(server).memory_info().rss
    work.push(url)
    assert psutil.Process(server).memory_info().rss - before < 24 * 1024 * 1024
    other = working_copy()
    other.git("clone", "--quiet", url, "clone")
    assert (other.folder / "clone" / "large.bin").stat().st_size == 48 * 1024 * 1024
    assert psutil.Process(server).memory_info().rss - before < 24 * 1024 * 1024


def test_a_repository_that_nobody_pushed_is_said_to_be_missing(sources: Any, work: Any) -> None:
    done = work.run("ls-remote", sources.url("team/nothing-here"))
    assert done.returncode != 0
    assert "There is no repository team/nothing-here yet: it comes into being with the first push" in done.stderr


def test_a_name_without_an_owner_has_to_be_made_in_codecommit_first(sources: Any, work: Any) -> None:
    work.commit(a_txt="one")
    done = work.run("push", sources.url("never-made"), "main")
    assert done.returncode != 0
    assert "create-repository --repository-name never-made" in done.stderr


@pytest.mark.parametrize(
    "path",
    [
        "/git/../state.sqlite/info/refs?service=git-upload-pack",
        "/git/%2e%2e/%2e%2e/etc/info/refs?service=git-receive-pack",
        "/git/team/..%2f..%2fescaped/info/refs?service=git-receive-pack",
        "/git/team/.hidden/info/refs?service=git-receive-pack",
        "/git/a.git/objects/info/refs?service=git-receive-pack",
        "/git/team/-x/info/refs?service=git-receive-pack",
        "/git/team/repo/HEAD",
        "/git/team/repo/config",
        "/git//info/refs?service=git-receive-pack",
    ],
)
def test_a_path_that_is_no_repository_is_refused_and_makes_nothing(cloud: Any, path: str) -> None:
    def folders() -> set[Path]:
        return set((cloud.home / "git").rglob("*.git"))

    before = folders()
    session = requests.Session()
    request = requests.Request("GET", cloud.endpoint_url).prepare()
    request.url = f"{cloud.endpoint_url}{path}"
    assert session.send(request, timeout=30).status_code == 404
    assert folders() == before


def test_a_page_of_another_site_and_a_rebound_name_are_refused(cloud: Any) -> None:
    url = f"{cloud.endpoint_url}/git/team/lured/info/refs?service=git-receive-pack"
    assert requests.get(url, headers={"Host": "evil.example"}, timeout=30).status_code == 403
    assert requests.get(url, headers={"Origin": "http://evil.example"}, timeout=30).status_code == 403
    assert not (cloud.home / "git" / "team" / "lured.git").exists()


def test_a_push_that_is_no_push_is_refused_by_git_itself(sources: Any) -> None:
    url = sources.url(sources.repository())
    kind = {"Content-Type": "application/x-git-receive-pack-request"}
    requests.get(f"{url}/info/refs?service=git-receive-pack", timeout=30).raise_for_status()
    answer = requests.post(f"{url}/git-receive-pack", data=b"not a pack at all", headers=kind, timeout=30)
    assert b"unpack ok" not in answer.content
    assert requests.post(f"{url}/git-receive-pack", data=b"0000", timeout=30).status_code == 415


def test_hooks_and_signing_of_whoever_runs_the_server_do_not_matter(
    make_cloud: Callable[..., Any], sources_of: Any, work: Any, tmp_path: Path
) -> None:
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    for name in ("pre-receive", "post-receive", "update"):
        (hooks / name).write_text("#!/bin/sh\necho refused by the hook of the machine >&2\nexit 1\n")
        (hooks / name).chmod(0o755)
    settings = tmp_path / "gitconfig"
    settings.write_text(
        f"[core]\n hooksPath = {hooks}\n[receive]\n denyNonFastForwards = true\n[commit]\n gpgSign = true\n"
    )
    running = make_cloud(GIT_CONFIG_GLOBAL=str(settings), GIT_DIR=str(tmp_path / "elsewhere"))
    sources = sources_of(running)
    work.commit(a_txt="one")
    said = work.push(sources.url("team/repo"))
    assert said == "No pipeline listens to the repository team/repo."
    work.git("commit", "--quiet", "--amend", "--message", "another")
    work.push(sources.url("team/repo"), "+HEAD:refs/heads/main")


def test_pipelines_start_even_where_the_hook_of_a_push_cannot_run(
    make_cloud: Callable[..., Any], sources_of: Any, work: Any, tmp_path: Path
) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "git").symlink_to(str(shutil.which("git")))
    running = make_cloud(PATH=str(programs))
    sources = sources_of(running)
    work.commit(a_txt="one")
    work.push(sources.url("team/repo"))
    pipeline = sources.on_connection("team/repo")
    commit = work.commit(a_txt="two")
    work.push(sources.url("team/repo"))
    deadline = time.monotonic() + 20
    while not sources.started_by_pushes(pipeline) and time.monotonic() < deadline:
        time.sleep(0.02)
    [execution] = sources.started_by_pushes(pipeline)
    assert sources.variables(execution)["CommitId"] == commit
    assert "the hook of a push to team/repo could not be run" in (running.home / "test.log").read_text()


def test_repositories_and_their_pipelines_survive_a_restart(
    restartable: Callable[[], Any], sources_of: Any, work: Any
) -> None:
    running, repository = restartable(), f"team/{uuid.uuid4().hex[:8]}"
    first = work.commit(a_txt="one")
    work.push(sources_of(running).url(repository))
    running.stop()
    sources = sources_of(restartable())
    assert work.git("ls-remote", sources.url(repository), "refs/heads/main").split()[0] == first
    pipeline = sources.on_connection(repository)
    work.commit(a_txt="two")
    assert f"{pipeline}: started" in work.push(sources.url(repository))


def test_a_push_takes_hardly_longer_than_git_itself(sources: Any, work: Any, tmp_path: Path) -> None:
    repository = sources.repository()
    work.commit(a_txt="0")
    work.push(sources.url(repository))
    sources.on_connection(repository)
    sources.on_connection(repository, {"branches": {"includes": ["main"]}, "filePaths": {"includes": ["b.txt"]}})
    plain = tmp_path / "plain.git"
    work.git("init", "--quiet", "--bare", str(plain))

    def seconds(url: str) -> float:
        best = 60.0
        for _ in range(4):
            work.commit(a_txt=str(time.monotonic()))
            began = time.monotonic()
            work.push(url)
            best = min(best, time.monotonic() - began)
        return best

    assert seconds(sources.url(repository)) - seconds(str(plain)) < 0.5


def test_two_pushes_at_once_to_one_repository_both_arrive(sources: Any, working_copy: Any) -> None:
    url = sources.url(sources.repository())
    copies = [working_copy() for _ in range(4)]
    commits = [copy.commit(f"commit {number}", a_txt=str(number)) for number, copy in enumerate(copies)]
    threads = [
        threading.Thread(target=copy.push, args=(url, f"HEAD:refs/heads/b{number}"))
        for number, copy in enumerate(copies)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    there = dict(reversed(line.split()) for line in copies[0].git("ls-remote", "--heads", url).splitlines())
    assert [there[f"refs/heads/b{number}"] for number in range(4)] == commits


def test_a_fetch_that_asks_at_length_is_read_when_git_compresses_it(sources: Any, work: Any, working_copy: Any) -> None:
    url = sources.url(sources.repository())
    work.commit(a_txt="one")
    work.push(url)
    other = working_copy()
    other.git("fetch", "--quiet", url, "main")
    other.git("reset", "--quiet", "--hard", "FETCH_HEAD")
    for number in range(60):
        other.commit(f"mine {number}")
    commit = work.commit(a_txt="two")
    work.push(url)
    other.git("fetch", "--quiet", url, "main")
    assert other.git("rev-parse", "FETCH_HEAD") == commit
