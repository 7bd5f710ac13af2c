"""The file of a backup: where none can be made, and where none is."""

from __future__ import annotations

from pathlib import Path

from .conftest import Cli, refused


def test_no_folder_is_made_for_a_backup_by_a_slip_of_the_pen(cli: Cli, small_home: Path, tmp_path: Path) -> None:
    where = tmp_path / "bakcups" / "b.zip"
    refused(cli("backup", "--home", small_home, where), f"There is no folder {where.parent} for the backup")
    assert not where.parent.exists()


def test_the_homes_own_folder_of_backups_is_made(cli: Cli, small_home: Path) -> None:
    assert cli("backup", "--home", small_home).returncode == 0
    assert len(list((small_home / "backups").glob("mlflow-*.zip"))) == 1


def test_a_backup_that_is_not_there_is_not_said_to_be_damaged(cli: Cli, tmp_path: Path) -> None:
    done = cli("restore", tmp_path / "none.zip", "--home", tmp_path / "home")
    refused(done, f"There is no backup {tmp_path}/none.zip")
    assert not (tmp_path / "home").exists()
