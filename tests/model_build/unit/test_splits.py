"""The channels of a training job: what is refused before anything is trained."""

from pathlib import Path

import pytest
from failure import TrainingError
from splits import read_splits


@pytest.fixture
def channels(tmp_path: Path) -> tuple[Path, Path, Path]:
    for name in ("train", "validation", "test"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "data.csv").write_text("a,target\n1,x\n2,y\n")
    return tmp_path / "train", tmp_path / "validation", tmp_path / "test"


def test_a_channel_that_is_missing_is_named(channels: tuple[Path, Path, Path], tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"Channel test has no CSV file: .*nowhere does not exist"):
        read_splits(channels[0], channels[1], tmp_path / "nowhere")


def test_a_channel_without_csv_says_what_it_holds(channels: tuple[Path, Path, Path]) -> None:
    (channels[1] / "data.csv").rename(channels[1] / "data.json")
    with pytest.raises(TrainingError, match=r"Channel validation has no CSV file: .* holds data.json"):
        read_splits(*channels)


@pytest.mark.parametrize("content", ["", "a,b\n1,2\n", "target\nx\n", "a,target\n"])
def test_a_channel_without_rows_features_or_classes_is_refused(channels: tuple[Path, Path, Path], content: str) -> None:
    (channels[0] / "data.csv").write_text(content)
    with pytest.raises(TrainingError, match="Channel train"):
        read_splits(*channels)


def test_channels_with_different_columns_are_refused(channels: tuple[Path, Path, Path]) -> None:
    (channels[2] / "data.csv").write_text("b,target\n1,x\n")
    with pytest.raises(TrainingError, match=r"channel test \(b, target\) are not those of train \(a, target\)"):
        read_splits(*channels)


def test_the_digest_is_of_the_content_not_of_the_place(channels: tuple[Path, Path, Path], tmp_path: Path) -> None:
    digest = read_splits(*channels).digest
    moved = tmp_path / "moved"
    channels[0].rename(moved)
    assert read_splits(moved, channels[1], channels[2]).digest == digest
    (moved / "data.csv").write_text("a,target\n1,x\n3,y\n")
    assert read_splits(moved, channels[1], channels[2]).digest != digest
