"""Whether one place is inside another, however it is written."""

from __future__ import annotations

import pytest
from mlflow_server.locations import inside, open_to, plain

ROOT = "s3://mlflow/artifacts"


@pytest.mark.parametrize(
    ("location", "within"),
    [
        ("s3://mlflow/artifacts", True),
        ("s3://mlflow/artifacts/a/b", True),
        ("S3://MLFLOW/artifacts//a", True),
        ("s3://mlflow/artifacts-of-others/a", False),
        ("s3://mlflow/artifacts/../secrets", False),
        ("s3://mlflow/artifacts/%2e%2e/secrets", False),
        ("s3://mlflow/artifacts/%252e%252e/secrets", False),
        ("s3://mlflow/artifacts/..%5csecrets", False),
        ("s3://mlflow", False),
        ("s3://other/artifacts/a", False),
        ("gs://mlflow/artifacts/a", False),
        ("file:///artifacts/a", False),
        ("/artifacts/a", False),
    ],
)
def test_a_place_is_inside_only_what_it_cannot_climb_out_of(location: str, within: bool) -> None:
    assert inside(location, ROOT) is within


def test_a_file_is_inside_a_folder_in_each_of_its_spellings() -> None:
    for location in ("/srv/a", "file:///srv/a", "file:/srv/a", "file://localhost/srv/a"):
        assert inside(location, "file:///srv")
        assert inside(location, "/srv")


@pytest.mark.parametrize(
    ("workspace", "location", "may"),
    [
        ("beta", f"{ROOT}/workspaces/beta/1", True),
        ("beta", f"{ROOT}/workspaces/alpha/1", False),
        ("beta", f"{ROOT}/workspaces/beta/../alpha", False),
        ("beta", f"{ROOT}/workspaces/beta2/1", False),
        ("beta", f"{ROOT}/workspaces", False),
        ("beta", f"{ROOT}/1", False),
        ("beta", ROOT, False),
        ("beta", "s3://mlflow", False),
        ("beta", "s3://elsewhere/beta", True),
        ("default", f"{ROOT}/1", True),
        ("default", f"{ROOT}/workspaces/alpha/1", False),
        ("default", f"{ROOT}/workspaces", False),
        ("default", ROOT, False),
    ],
)
def test_a_workspace_opens_its_own_part_of_the_destination(workspace: str, location: str, may: bool) -> None:
    assert open_to(workspace, location, ROOT) is may


def test_the_root_of_a_disk_is_not_opened_where_artifacts_lie_on_it() -> None:
    assert not open_to("beta", "file:///", "file:///srv/artifacts")
    assert not open_to("beta", "file:///srv", "file:///srv/artifacts")


@pytest.mark.parametrize(
    "location", ["s3://b/a/../c", "s3://b/a%2fc", "s3://b/a\\c", "s3://b/a?c", "s3://b/a\n", "s3://b/./a"]
)
def test_what_two_readers_may_read_differently_is_not_plain(location: str) -> None:
    assert plain("s3://b/a/c")
    assert not plain(location)
