"""A project with a database and a server of its own: nothing of it is reached with another's keys."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from mlflow_server.home import Home
from mlflow_server.isolated import database_name
from mlflow_server.settings import Settings
from mlflow_server.stack.postgres import Postgres

from .conftest import Account, Cli, account_of, made_by, project_of_another_home

API = "/api/2.0/mlflow"


@pytest.fixture(scope="module")
def isolated(postgres_home: Path, cli: Cli) -> Iterator[tuple[Path, str]]:
    """The home of a server, and what was said when an isolated project was made beside it."""
    done = cli(postgres_home, "create-project", "lab", "--isolated", "--member", "lara")
    assert done.returncode == 0, done.stderr
    yield postgres_home, done.stdout
    cli(postgres_home, "delete-project", "lab", "--with-data")


def _administrator(home: Path) -> Account:
    kept = dict(re.findall(r"^export (\w+)=(.*)$", (home / "client.env").read_text(), re.MULTILINE))
    return Account(
        kept["MLFLOW_TRACKING_URI"], kept["MLFLOW_TRACKING_USERNAME"], kept["MLFLOW_TRACKING_PASSWORD"], None
    )


def test_its_members_work_in_it_and_are_nobody_on_the_server_beside(isolated: tuple[Path, str], cli: Cli) -> None:
    home, said = isolated
    lara = account_of(home, said, "lara", None)
    made = made_by(lara, "x")
    assert lara.ask("GET", f"/get-artifact?run_id={made.run}&path=s.txt").status == 200
    shared = _administrator(home)
    assert lara.tracking_uri != shared.tracking_uri
    stranger = Account(shared.tracking_uri, lara.name, lara.password, None)
    assert stranger.ask("GET", f"{API}/experiments/search?max_results=1").status == 401
    beside = Account(lara.tracking_uri, shared.name, shared.password, None)
    assert beside.ask("GET", f"{API}/experiments/search?max_results=1").status == 401
    assert "lab  isolated, up: " in cli(home, "list-projects").stdout
    assert "lara" in cli(home, "list-users", "--project", "lab").stdout
    holds = "1 experiments, 1 runs, 1 registered models or prompts, 1 traces, 1 logged models, artifacts"
    assert f"The project lab holds {holds}:" in cli(home, "delete-project", "lab").stderr
    assert "There is a project lab already" in cli(home, "create-project", "lab", "--isolated").stderr


def test_not_even_its_administrator_reads_the_stores_outside_it(isolated: tuple[Path, str]) -> None:
    home, _ = isolated
    shared, own = _administrator(home), _administrator(home / "projects" / "lab")
    theirs = made_by(shared, "theirs")
    place = f"s3://mlflow/artifacts/{theirs.experiment}/{theirs.run}/artifacts"
    assert "AWS_" not in (home / "projects" / "lab" / "client.env").read_text()
    for name, location in (("a", place), ("b", f"s3://mlflow/projects/lab/artifacts/../../../artifacts/{place[21:]}")):
        answer = own.ask("POST", f"{API}/experiments/create", {"name": name, "artifact_location": location})
        if answer.status != 200:
            continue
        run = own.done("POST", f"{API}/runs/create", {"experiment_id": answer.json["experiment_id"]})["run"]["info"]
        for door in (
            f"/get-artifact?run_id={run['run_id']}&path=s.txt",
            f"{API}/artifacts/list?run_id={run['run_id']}",
        ):
            assert own.ask("GET", door).status == 403, door
    own.done("POST", f"{API}/registered-models/create", {"name": "m"})
    for source in (place, "s3://mlflow/artifacts", "file:///etc", "s3://mlflow"):
        own.ask("POST", f"{API}/model-versions/create", {"name": "m", "source": source})
    for version in range(1, 5):
        for path in ("s.txt", f"{theirs.experiment}/{theirs.run}/artifacts/s.txt", "passwd"):
            answer = own.ask("GET", f"/model-versions/get-artifact?name=m&version={version}&path={path}")
            assert answer.status in (403, 404), answer


def test_another_home_on_the_same_database_has_a_project_of_that_name_for_itself(
    isolated: tuple[Path, str], cli: Cli, tmp_path: Path
) -> None:
    home, said = isolated
    lara = account_of(home, said, "lara", None)
    password = json.loads((home / "credentials.json").read_text())["database_password"]
    port = json.loads((home / "postgres" / "service.json").read_text())["port"]
    uri = Postgres(home / "postgres", password).url(port)
    other = project_of_another_home(tmp_path / "other", uri, (tmp_path / "artifacts").as_uri())
    assert lara.ask("GET", f"{API}/experiments/search?max_results=1").status == 200
    assert cli(other, "delete-project", "lab", "--with-data").stdout == "deleted project lab\n"
    assert lara.ask("GET", f"{API}/experiments/search?max_results=1").status == 200
    with psycopg.connect(uri.replace("+psycopg", "")) as connection:
        known = connection.execute("SELECT datname FROM pg_database WHERE datname LIKE 'project_lab%'").fetchall()
    assert known == [(database_name(Home(home / "projects" / "lab")),)]


def test_a_project_with_experiments_or_artifacts_alone_is_not_deleted_unasked(tmp_path: Path, cli: Cli) -> None:
    lab = tmp_path / "projects" / "lab"
    lab.mkdir(parents=True)
    Settings(auth=True, shared_from=str(tmp_path)).keep_in(lab)
    with closing(sqlite3.connect(lab / "mlflow.db")) as connection, connection:
        connection.execute("CREATE TABLE experiments (experiment_id integer)")
        connection.execute("INSERT INTO experiments VALUES (0), (7)")
    assert "holds 1 experiments: look at" in cli(tmp_path, "delete-project", "lab").stderr
    with closing(sqlite3.connect(lab / "mlflow.db")) as connection, connection:
        connection.execute("DELETE FROM experiments WHERE experiment_id = 7")
    (lab / "artifacts").mkdir()
    (lab / "artifacts" / "kept.txt").write_text("here")
    assert "holds artifacts: look at" in cli(tmp_path, "delete-project", "lab").stderr
    (lab / "artifacts" / "kept.txt").unlink()
    assert cli(tmp_path, "delete-project", "lab").stdout == "deleted project lab\n"


def test_its_role_opens_its_own_database_only(isolated: tuple[Path, str]) -> None:
    home, _ = isolated
    password = json.loads((home / "projects" / "lab" / "credentials.json").read_text())["database_password"]
    port = json.loads((home / "postgres" / "service.json").read_text())["port"]
    project = database_name(Home(home / "projects" / "lab"))
    login = {"host": "127.0.0.1", "port": port, "user": project, "password": password}
    with psycopg.connect(**login, dbname=project) as connection:
        row = connection.execute(
            "SELECT rolsuper, rolcreatedb, rolcreaterole FROM pg_roles WHERE rolname = current_user"
        )
        assert row.fetchone() == (False, False, False)
        assert connection.execute("SELECT count(*) FROM experiments").fetchone()
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        psycopg.connect(**login, dbname="mlflow")


def test_it_goes_down_and_up_alone_and_goes_with_all_it_had(isolated: tuple[Path, str], cli: Cli) -> None:
    home, said = isolated
    lara = account_of(home, said, "lara", None)
    assert cli(home, "down", "--project", "lab").stdout == "stopped\n"
    assert cli(home, "status", "--project", "lab").returncode == 3
    assert cli(home, "status").returncode == 0
    assert "lab  isolated, down" in cli(home, "list-projects").stdout
    assert "No server of" in cli(home, "list-users", "--project", "lab").stderr
    done = cli(home, "up", "--project", "lab")
    assert done.returncode == 0, done.stderr
    assert lara.ask("GET", f"{API}/experiments/search?max_results=1").status == 200
    shown = cli(home, "status", "--project", "lab").stdout
    assert f"database: {database_name(Home(home / 'projects' / 'lab'))} in PostgreSQL on 127.0.0.1:" in shown
    assert "artifacts: s3://mlflow/projects/lab/artifacts in S3 (rclone) on 127.0.0.1:" in shown
    assert cli(home, "delete-project", "lab", "--with-data").stdout == "deleted project lab\n"
    assert not (home / "projects" / "lab").exists()
    assert not [path for path in (home / "objects" / "data" / "mlflow" / "projects").rglob("*") if path.is_file()]
    shared = json.loads((home / "credentials.json").read_text())["database_password"]
    port = json.loads((home / "postgres" / "service.json").read_text())["port"]
    with psycopg.connect(f"postgresql://mlflow:{shared}@127.0.0.1:{port}/mlflow") as connection:
        assert not connection.execute("SELECT 1 FROM pg_database WHERE datname LIKE 'project_lab%'").fetchone()
        assert not connection.execute("SELECT 1 FROM pg_roles WHERE rolname LIKE 'project_lab%'").fetchone()


def test_projects_without_accounts_are_refused_with_what_to_do(tmp_path: Path, cli: Cli) -> None:
    done = cli(tmp_path, "create-project", "alpha")
    assert done.returncode == 1
    assert "asks nobody for a password" in done.stderr
