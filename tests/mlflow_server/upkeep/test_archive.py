"""The file of a backup: where none can be made, and where none is."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner
from mlflow_server.commands.group import group


def refusal(*words: str | Path) -> str:
    ended = CliRunner().invoke(group, [str(word) for word in words])
    assert isinstance(ended.exception, SystemExit), ended.exception
    assert ended.exit_code == 1, ended.output
    return ended.output


def test_no_folder_is_made_for_a_backup_by_a_slip_of_the_pen(small_home: Path, tmp_path: Path) -> None:
    where = tmp_path / "bakcups" / "b.zip"
    assert f"There is no folder {where.parent} for the backup" in refusal("backup", "--home", small_home, where)
    assert not where.parent.exists()


def test_the_homes_own_folder_of_backups_is_made(small_home: Path) -> None:
    assert CliRunner().invoke(group, ["backup", "--home", str(small_home)]).exit_code == 0
    assert len(list((small_home / "backups").glob("mlflow-*.zip"))) == 1


def test_a_backup_that_is_not_there_is_not_said_to_be_damaged(tmp_path: Path) -> None:
    said = refusal("restore", tmp_path / "none.zip", "--home", tmp_path / "home")
    assert f"There is no backup {tmp_path}/none.zip" in said
    assert not (tmp_path / "home").exists()
