"""Accounts and projects by command: what is refused, what is said, and what a member may do afterwards."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import Any

import pytest

from .conftest import Account, Cli, account_of, made_by

API = "/api/2.0/mlflow"


@pytest.fixture
def refused(projects_home: Path, cli: Cli) -> Any:
    """Run a command that must be refused with one sentence; returns it."""

    def run(*words: str, **options: Any) -> str:
        done = cli(projects_home, *words, **options)
        assert done.returncode == 1, done
        assert done.stderr.startswith("Error: "), done.stderr
        assert "Traceback" not in done.stderr
        return done.stderr

    return run


def _made(home: Path, cli: Cli, *words: str, **options: Any) -> str:
    done = cli(home, *words, **options)
    assert done.returncode == 0, done.stderr
    return str(done.stdout)


@pytest.mark.parametrize("name", ["default", "Alpha", "a", "../a", "a-", "a" * 25, "a_b"])
def test_a_name_that_no_store_can_have_is_refused_with_those_that_can(refused: Any, name: str) -> None:
    assert "take" in refused("create-project", name)


def test_what_is_not_there_is_named_with_what_is(refused: Any) -> None:
    assert "There is no user nobody: there are admin" in refused("set-password", "nobody")
    assert "There is no user nobody" in refused("delete-user", "nobody")
    assert "There is no project nowhere" in refused("grant", "admin", "member", "--project", "nowhere")
    assert "There is no project nowhere" in refused("delete-project", "nowhere")
    assert "No project nowhere has a server of its own" in refused("status", "--project", "nowhere")
    assert "say with --project in which of them" in refused("grant", "admin", "member")


def test_a_name_that_a_user_has_is_not_given_again(refused: Any) -> None:
    assert "There is a user admin already" in refused("create-user", "admin")


def test_a_server_elsewhere_is_asked_as_the_environment_says(projects_home: Path, cli: Cli, refused: Any) -> None:
    uri = re.search(r"MLFLOW_TRACKING_URI=(\S+)", (projects_home / "client.env").read_text())
    assert uri
    wrong = {**os.environ, "MLFLOW_TRACKING_USERNAME": "admin", "MLFLOW_TRACKING_PASSWORD": "wrong"}
    assert "did not let admin in" in refused("list-users", "--tracking-uri", uri[1], env=wrong)
    assert "is no server's address" in refused("list-users", "--tracking-uri", "mlflow.example.org")
    assert "does not answer" in refused("list-users", "--tracking-uri", "http://127.0.0.1:1", env=wrong)
    password = re.search(r"MLFLOW_TRACKING_PASSWORD=(\S+)", (projects_home / "client.env").read_text())
    assert password
    right = {**wrong, "MLFLOW_TRACKING_PASSWORD": password[1]}
    listed = _made(projects_home, cli, "list-users", "--tracking-uri", uri[1], env=right, process=True)
    assert "admin  administrator" in listed
    assert "starts a server on this machine" in refused(
        "create-project", "x1", "--isolated", "--tracking-uri", uri[1], env=right
    )


def test_roles_let_a_reader_read_a_member_write_and_a_manager_delete(projects_home: Path, cli: Cli) -> None:
    said = _made(projects_home, cli, "create-project", "roles", "--member", "writer", process=True)
    writer = account_of(projects_home, said, "writer", "roles")
    made = made_by(writer, "x")
    others = {}
    for name in ("reader", "manager"):
        others[name] = account_of(projects_home, _made(projects_home, cli, "create-user", name), name, "roles")
        assert others[name].ask("GET", f"{API}/runs/get?run_id={made.run}").status == 403
        said = _made(projects_home, cli, "grant", name, name, "--project", "roles")
        assert said == f"{name} is {name} of the project roles\n"
    listed = _made(projects_home, cli, "list-projects", process=True)
    assert "roles  manager: manager, reader: reader, writer: member" in listed
    tag = {"run_id": made.run, "key": "k", "value": "v"}
    for name, may in (("reader", False), ("manager", True)):
        account = others[name]
        assert account.ask("GET", f"{API}/runs/get?run_id={made.run}").status == 200
        assert account.ask("GET", f"/get-artifact?run_id={made.run}&path=s.txt").status == 200
        assert (account.ask("POST", f"{API}/runs/set-tag", tag).status == 200) is may
        assert (account.ask("POST", f"{API}/experiments/create", {"name": f"of-{name}"}).status == 200) is may
        assert (account.ask("POST", f"{API}/runs/delete", {"run_id": made.run}).status == 200) is may
    second = account_of(projects_home, _made(projects_home, cli, "create-user", "second"), "second", "roles")
    _made(projects_home, cli, "grant", "second", "member", "--project", "roles")
    assert second.ask("POST", f"{API}/runs/restore", {"run_id": made.run}).status == 403
    _made(projects_home, cli, "revoke", "second", "--project", "roles", process=True)
    assert second.ask("GET", f"{API}/experiments/get?experiment_id={made.experiment}").status == 403


def test_a_new_password_replaces_the_old_one_within_ten_seconds(projects_home: Path, cli: Cli) -> None:
    old = account_of(projects_home, _made(projects_home, cli, "create-user", "forgetful"), "forgetful", None)
    assert old.ask("GET", f"{API}/users/get?username=forgetful").status == 200
    said = _made(projects_home, cli, "set-password", "forgetful")
    assert "shown this once" in said
    new = account_of(projects_home, said, "forgetful", None)
    assert new.ask("GET", f"{API}/users/get?username=forgetful").status == 200
    deadline = time.monotonic() + 20
    while old.ask("GET", f"{API}/users/get?username=forgetful").status != 401:
        assert time.monotonic() < deadline, "the old password opens doors still"
        time.sleep(0.2)
    assert _made(projects_home, cli, "delete-user", "forgetful", process=True) == "deleted user forgetful\n"


def test_a_project_goes_only_with_what_it_holds(projects_home: Path, cli: Cli, refused: Any) -> None:
    said = _made(projects_home, cli, "create-project", "shortlived", "--member", "passer")
    made = made_by(account_of(projects_home, said, "passer", "shortlived"), "x")
    assert "There is a project shortlived already" in refused("create-project", "shortlived")
    files = projects_home / "objects" / "data" / "mlflow" / "artifacts" / "workspaces" / "shortlived"
    assert list(files.rglob("s.txt"))
    assert "holds experiments, runs or models" in refused("delete-project", "shortlived")
    assert list(files.rglob("s.txt"))
    said = _made(projects_home, cli, "delete-project", "shortlived", "--with-data", process=True)
    assert said == "deleted project shortlived\n"
    assert not [path for path in files.rglob("*") if path.is_file()]
    assert "shortlived" not in _made(projects_home, cli, "list-projects")
    # One of the same name is another: it opens nothing of the first.
    said = _made(projects_home, cli, "create-project", "shortlived", "--member", "heir")
    heir: Account = account_of(projects_home, said, "heir", "shortlived")
    assert heir.ask("GET", f"{API}/runs/get?run_id={made.run}").status in (403, 404)
    assert heir.ask("GET", f"{API}/experiments/search?max_results=9").json.get("experiments", []) == []
