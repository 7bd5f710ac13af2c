"""An isolated project on a MariaDB of one's own: a database of its own in it, or a sentence where none may be made."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pymysql
import pytest
from mlflow_server.home import Home
from mlflow_server.isolated import database_name
from mlflow_server.settings import Settings

from .conftest import Cli, account_of, made_by, project_of_another_home


@pytest.fixture
def lonely_home(tmp_path: Path, cli: Cli) -> Iterator[Callable[[Settings], Path]]:
    """Make a home whose own server is down, which its projects need not know; they are stopped after the test."""
    home = tmp_path / "home"

    def make(settings: Settings) -> Path:
        Home(home).make()
        settings.keep_in(home)
        return home

    yield make
    cli(home, "down")


def test_a_project_has_its_own_database_where_the_server_may_make_one(
    mariadb: Any, lonely_home: Callable[[Settings], Path], cli: Cli, tmp_path: Path
) -> None:
    uri = mariadb.make("shared")
    home = lonely_home(Settings(backend_store_uri=uri, artifacts_destination=(tmp_path / "artifacts").as_uri()))
    refused = cli(home, "create-project", "lab", "--isolated")
    assert refused.returncode == 1
    assert "lets mlflow make no database for a project" in refused.stderr
    assert not (home / "projects" / "lab").exists()
    with pymysql.connect(host="127.0.0.1", port=mariadb.port, user="root") as root:
        root.cursor().execute("GRANT ALL PRIVILEGES ON `project_%`.* TO mlflow@`127.0.0.1` WITH GRANT OPTION")
        root.cursor().execute("GRANT CREATE USER ON *.* TO mlflow@`127.0.0.1`")
    done = cli(home, "create-project", "lab", "--isolated", "--member", "lara")
    assert done.returncode == 0, done.stderr
    lara = account_of(home, done.stdout, "lara", None)
    made = made_by(lara, "x")
    assert lara.ask("GET", f"/get-artifact?run_id={made.run}&path=s.txt").status == 200
    project = database_name(Home(home / "projects" / "lab"))
    assert list((tmp_path / "projects" / project.removeprefix("project_")).rglob("s.txt"))
    password = Path(home / "projects" / "lab" / "credentials.json").read_text().split('"database_password": "')[1]
    own = {"host": "127.0.0.1", "port": mariadb.port, "user": project, "password": password.split('"')[0]}
    with pymysql.connect(**own, database=project):
        pass
    with pytest.raises(pymysql.err.OperationalError, match="Access denied"):
        pymysql.connect(**own, database="shared")
    shown = cli(home, "status", "--project", "lab").stdout
    assert f"database: {project} in shared at 127.0.0.1:{mariadb.port} (mysql)\n" in shown
    other = project_of_another_home(tmp_path / "other", uri, (tmp_path / "artifacts").as_uri())
    assert cli(other, "delete-project", "lab", "--with-data").stdout == "deleted project lab\n"
    assert lara.ask("GET", f"/get-artifact?run_id={made.run}&path=s.txt").status == 200
    assert cli(home, "delete-project", "lab", "--with-data").returncode == 0
    assert not list(tmp_path.rglob("s.txt"))
