"""The processing job: check the data and split it into train, validation and test, stratified by class.
The data are a built-in set of scikit-learn (iris unless told otherwise) or the CSV files of the input folder."""

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer, load_iris, load_wine
from sklearn.model_selection import train_test_split

BUILT_IN = {"iris": load_iris, "wine": load_wine, "breast_cancer": load_breast_cancer}
# In the input folder it names a built-in set instead of bringing data: {"built_in": "iris"}.
REFERENCE = "dataset.json"
TARGET = "target"
SPLITS = ("train", "validation", "test")
# Enough for a cross-validation of five folds within train, and for one row in validation and in test.
FEWEST_ROWS_PER_CLASS = 10


class DataError(Exception):
    """The data cannot be used; the text says what was found and what to do."""


@dataclass(frozen=True)
class Shares:
    """Fractions of the rows that go to validation and to test; the rest is for training."""

    validation: float
    test: float


def read_data(folder: Path, target: str) -> pd.DataFrame:
    """Read the rows, with the column of classes last and named `target`.

    Without the folder: iris. Raises DataError if the folder holds no CSV, or files that cannot be read as one table.
    """
    reference = folder / REFERENCE
    if not folder.is_dir():
        return read_built_in("iris")
    if reference.is_file():
        try:
            name = json.loads(reference.read_text(encoding="utf-8"))["built_in"]
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(f'{REFERENCE} must say which built-in data set: {{"built_in": "iris"}}.') from error
        return read_built_in(str(name))
    files = sorted(folder.rglob("*.csv"))
    if not files:
        found = ", ".join(sorted(path.name for path in folder.iterdir())) or "nothing"
        raise DataError(f"The input holds no .csv file; it holds {found}. Name an S3 object or prefix with CSV files.")
    frames = [read_csv(path) for path in files]
    for path, frame in zip(files, frames, strict=True):
        if list(frame.columns) != list(frames[0].columns):
            raise DataError(
                f"{path.name} has the columns {', '.join(map(str, frame.columns))}, but {files[0].name} has "
                f"{', '.join(map(str, frames[0].columns))}: all files must have the same header."
            )
    return with_target_last(pd.concat(frames, ignore_index=True), target)


def read_built_in(name: str) -> pd.DataFrame:
    """Load one of scikit-learn's own data sets; its classes are whole numbers from 0."""
    if name not in BUILT_IN:
        raise DataError(f"There is no built-in data set {name!r}: there are {', '.join(BUILT_IN)}.")
    return BUILT_IN[name](as_frame=True).frame


def read_csv(path: Path) -> pd.DataFrame:
    """Read one file with a header line."""
    try:
        frame = pd.read_csv(path, skipinitialspace=True)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise DataError(f"{path.name} cannot be read as CSV: {str(error).strip()}.") from error
    header = path.open(encoding="utf-8").readline().strip().split(",")
    names = [name.strip().strip('"') for name in header]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise DataError(f"{path.name} has more than one column named {', '.join(repeated)}.")
    if not isinstance(frame.index, pd.RangeIndex):
        raise DataError(f"{path.name} has rows with more fields than its header has names.")
    return frame


def with_target_last(frame: pd.DataFrame, target: str) -> pd.DataFrame:
    """Name the column of classes `target` and put it last."""
    if target not in frame.columns:
        raise DataError(
            f"There is no column {target!r} with the classes: the columns are {', '.join(map(str, frame))}."
        )
    if target != TARGET and TARGET in frame.columns:
        raise DataError(f"The classes are in {target!r}, but another column is named {TARGET!r}: rename that one.")
    features = [column for column in frame.columns if column != target]
    return frame[[*features, target]].rename(columns={target: TARGET})


def check(frame: pd.DataFrame, fewest_rows_per_class: int) -> pd.DataFrame:
    """Check columns, types, missing values and classes; returns the rows with features as numbers.

    Raises DataError with everything that is wrong, so that one look at the data mends it.
    """
    if not len(frame):
        raise DataError("The data cannot be used: there are no rows.")
    features = [column for column in frame.columns if column != TARGET]
    problems = [] if features else ["there is no column besides the classes"]
    for column in features:
        values = frame[column]
        if not (pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)):
            example = next((value for value in values.dropna() if not _is_number(value)), values.iloc[0])
            problems.append(f"column {column!r} is not numeric (such as {example!r}): encode it as numbers")
        elif np.isinf(values.to_numpy(dtype=np.float64)).any():
            problems.append(f"column {column!r} has infinite values")
    for column, count in frame.isna().sum().items():
        if count:
            name = "the column of classes" if column == TARGET else f"column {column!r}"
            problems.append(f"{name} has {count} missing value(s)")
    problems += _class_problems(frame[TARGET].dropna(), fewest_rows_per_class)
    if problems:
        raise DataError("The data cannot be used: " + "; ".join(problems) + ".")
    checked = frame.astype(dict.fromkeys(features, "float64"))
    return checked.astype({TARGET: "int64"}) if _is_whole(frame[TARGET]) else checked


def split(frame: pd.DataFrame, shares: Shares, seed: int) -> dict[str, pd.DataFrame]:
    """Split the rows, with the classes in equal proportion, the same way for the same seed."""
    held_out = shares.validation + shares.test
    train, rest = train_test_split(frame, test_size=held_out, stratify=frame[TARGET], random_state=seed)
    validation, test = train_test_split(
        rest, test_size=shares.test / held_out, stratify=rest[TARGET], random_state=seed
    )
    return dict(zip(SPLITS, (train, validation, test), strict=True))


def _class_problems(classes: pd.Series, fewest: int) -> list[str]:
    if pd.api.types.is_float_dtype(classes) and not _is_whole(classes):
        return [f"the classes are fractions (such as {classes.iloc[0]}): this is a classifier, not a regression"]
    counts = classes.value_counts()
    if len(counts) < 2:
        return [f"at least two classes are needed, there is {len(counts)}"] if len(classes) else []
    few = counts[counts < fewest].sort_index()
    if len(few) > 5:
        return [f"{len(few)} of {len(counts)} classes have fewer than {fewest} rows"]
    return [f"class {name} has {count} row(s), at least {fewest} are needed" for name, count in few.items()]


def _is_whole(classes: pd.Series) -> bool:
    return pd.api.types.is_float_dtype(classes) and bool((classes.dropna() % 1 == 0).all())


def _is_number(value: object) -> bool:
    try:
        float(str(value))
    except ValueError:
        return False
    return True


def _share(text: str) -> float:
    share = float(text)
    if not 0.05 <= share <= 0.45:
        raise argparse.ArgumentTypeError(f"{text} is not from 0.05 to 0.45")
    return share


def main() -> int:
    """Run the job; the exit code is 0, or 1 after saying on standard error and in the exit message what is wrong."""
    parser = argparse.ArgumentParser(description="Check the data and split it into train, validation and test.")
    parser.add_argument("--base", type=Path, default=Path("/opt/ml"), help="the container's data folder")
    parser.add_argument("--target", default=TARGET, help="the column with the classes")
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--validation-share", type=_share, default=0.2)
    parser.add_argument("--test-share", type=_share, default=0.2)
    given = parser.parse_args()
    folder = given.base / "processing"
    try:
        frame = check(read_data(folder / "input" / "data", given.target), FEWEST_ROWS_PER_CLASS)
    except DataError as error:
        # https://docs.aws.amazon.com/sagemaker/latest/dg/build-your-own-processing-container.html (exit message)
        message = given.base / "output" / "message"
        message.parent.mkdir(parents=True, exist_ok=True)
        message.write_text(str(error), encoding="utf-8")
        print(f"Prepare failed: {error}", file=sys.stderr)
        return 1
    for name, rows in split(frame, Shares(given.validation_share, given.test_share), given.seed).items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        rows.to_csv(folder / name / f"{name}.csv", index=False)
        print(f"{name}: {len(rows)} rows, classes {rows[TARGET].value_counts().sort_index().to_dict()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
