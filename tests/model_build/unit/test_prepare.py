"""The processing script: which data it refuses and why, and how it splits what it accepts."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import prepare
import pytest

GOOD = pd.DataFrame({"a": [n / 10 for n in range(60)], "b": range(60), "kind": ["x", "y", "z"] * 20})


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str]]:
    """Run prepare.py's main with files in its input folder; returns the exit code and the exit message."""

    def prepared(*arguments: str, **files: str) -> tuple[int, str]:
        folder = tmp_path / "processing" / "input" / "data"
        folder.mkdir(parents=True)
        for name, content in files.items():
            (folder / name.replace("_", ".")).write_text(content)
        monkeypatch.setattr(sys, "argv", ["prepare.py", "--base", str(tmp_path), *arguments])
        code = prepare.main()
        message = tmp_path / "output" / "message"
        return code, message.read_text() if message.exists() else ""

    return prepared


def csv(frame: pd.DataFrame) -> str:
    return frame.to_csv(index=False)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "cannot be read as CSV"),
        ("a,b,kind\n", "there are no rows"),
        (csv(GOOD.drop(columns="kind")), "no column 'kind' with the classes: the columns are a, b"),
        (csv(GOOD[["kind"]]), "no column besides the classes"),
        (csv(GOOD.assign(b="red")), "column 'b' is not numeric (such as 'red')"),
        (csv(GOOD.assign(a=GOOD["a"].where(GOOD["a"] > 1))), "column 'a' has 11 missing value(s)"),
        (csv(GOOD.assign(kind=GOOD["kind"].where(GOOD["b"] > 2))), "the column of classes has 3 missing value(s)"),
        (csv(GOOD.assign(a=float("inf"))), "column 'a' has infinite values"),
        (csv(GOOD.assign(kind="x")), "at least two classes are needed, there is 1"),
        (csv(GOOD.head(15)), "class x has 5 row(s), at least 10 are needed"),
        (csv(GOOD.assign(kind=GOOD["a"] + 0.05)), "this is a classifier, not a regression"),
        (csv(GOOD.assign(target=1)), "another column is named 'target'"),
        ("a,a,kind\n1,2,x\n", "more than one column named a"),
        ("a,b,kind\n1,2,x,9\n3,4,y,9\n", "more fields than its header"),
        ("a,b,kind\n1,2,x\n1,2,x,4,5\n", "cannot be read as CSV"),
    ],
)
def test_data_that_cannot_be_used_are_refused_with_what_is_wrong(
    run: Callable[..., tuple[int, str]], content: str, says: str
) -> None:
    code, message = run("--target", "kind", data_csv=content)
    assert code == 1
    assert says in message


def test_everything_that_is_wrong_is_said_at_once(run: Callable[..., tuple[int, str]]) -> None:
    _, message = run("--target", "kind", data_csv=csv(GOOD.assign(a="red", b=None, kind="x")))
    assert "column 'a'" in message
    assert "column 'b'" in message
    assert "two classes" in message


def test_files_with_different_headers_are_not_mixed(run: Callable[..., tuple[int, str]]) -> None:
    code, message = run("--target", "kind", a_csv=csv(GOOD), b_csv=csv(GOOD.rename(columns={"b": "c"})))
    assert code == 1
    assert "all files must have the same header" in message


def test_an_input_without_csv_says_what_it_holds(run: Callable[..., tuple[int, str]]) -> None:
    code, message = run(data_parquet="PAR1")
    assert code == 1
    assert "it holds data.parquet" in message


@pytest.mark.parametrize("content", ['{"built_in": "titanic"}', "{}", "[1]", "iris"])
def test_an_unknown_built_in_data_set_is_refused(run: Callable[..., tuple[int, str]], content: str) -> None:
    code, message = run(dataset_json=content)
    assert code == 1
    assert "built-in data set" in message


def test_the_splits_are_stratified_and_share_no_row(run: Callable[..., tuple[int, str]], tmp_path: Path) -> None:
    code, _ = run("--target", "kind", data_csv=csv(GOOD))
    assert code == 0
    parts = {name: pd.read_csv(tmp_path / "processing" / name / f"{name}.csv") for name in prepare.SPLITS}
    assert {name: len(part) for name, part in parts.items()} == {"train": 36, "validation": 12, "test": 12}
    for part in parts.values():
        assert list(part.columns) == ["a", "b", "target"]
        assert part["target"].value_counts(normalize=True).round(3).to_dict() == {"x": 0.333, "y": 0.333, "z": 0.333}
    assert sorted(pd.concat(parts.values())["b"]) == list(range(60))


def test_a_built_in_data_set_can_be_named(run: Callable[..., tuple[int, str]], tmp_path: Path) -> None:
    assert run(dataset_json=json.dumps({"built_in": "wine"})) == (0, "")
    assert "alcohol" in pd.read_csv(tmp_path / "processing" / "train" / "train.csv").columns


def test_whole_number_classes_stay_whole_numbers(run: Callable[..., tuple[int, str]], tmp_path: Path) -> None:
    content = csv(GOOD.assign(kind=[float(n % 2) for n in range(60)]))
    assert run("--target", "kind", data_csv=content)[0] == 0
    assert set(pd.read_csv(tmp_path / "processing" / "test" / "test.csv")["target"].map(repr)) == {"0", "1"}
