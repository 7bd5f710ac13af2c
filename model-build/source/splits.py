"""The data of one training job: the train, validation and test channels as arrays.
Each channel is a folder of CSV files with a header, as prepare.py leaves them."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from failure import TrainingError

TARGET = "target"


@dataclass(frozen=True)
class Split:
    """One channel: features (rows x columns, float64), labels (rows), and the frame they came from."""

    name: str
    frame: pd.DataFrame
    digest: str

    @property
    def columns(self) -> list[str]:
        return [str(column) for column in self.frame.columns if column != TARGET]

    @property
    def features(self) -> np.ndarray:
        return self.frame[self.columns].to_numpy(dtype=np.float64)

    @property
    def labels(self) -> np.ndarray:
        """The classes as the data spell them: whole numbers, or text as fixed-width strings that skops can save."""
        labels = self.frame[TARGET].to_numpy()
        return labels.astype(str) if labels.dtype == object else labels


@dataclass(frozen=True)
class Splits:
    """The three channels, which have the same columns."""

    train: Split
    validation: Split
    test: Split

    @property
    def digest(self) -> str:
        """SHA-256 over the bytes of all three: the same data give the same digest wherever they lie."""
        joined = " ".join(split.digest for split in (self.train, self.validation, self.test))
        return hashlib.sha256(joined.encode()).hexdigest()


def read_splits(train: Path, validation: Path, test: Path) -> Splits:
    """Read the three channel folders. Raises TrainingError if one is missing, empty or differs in its columns."""
    splits = Splits(_read("train", train), _read("validation", validation), _read("test", test))
    for split in (splits.validation, splits.test):
        if list(split.frame.columns) != list(splits.train.frame.columns):
            raise TrainingError(
                f"The columns of channel {split.name} ({', '.join(map(str, split.frame.columns))}) are not those of "
                f"train ({', '.join(map(str, splits.train.frame.columns))})."
            )
    return splits


def _read(name: str, directory: Path) -> Split:
    files = sorted(directory.glob("*.csv"))
    if not files:
        raise TrainingError(f"Channel {name} has no CSV file: {directory} {_found(directory)}. Run prepare.py first.")
    content = [path.read_bytes() for path in files]
    try:
        frame = pd.concat([pd.read_csv(path) for path in files], ignore_index=True)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise TrainingError(f"Channel {name} holds a file that is not CSV: {error}.") from error
    if TARGET not in frame.columns or len(frame.columns) < 2 or frame.empty:
        raise TrainingError(f"Channel {name} needs rows with features and a column {TARGET!r}; it has {list(frame)}.")
    return Split(name, frame, hashlib.sha256(b"\0".join(content)).hexdigest())


def _found(directory: Path) -> str:
    if not directory.is_dir():
        return "does not exist"
    return f"holds {', '.join(sorted(path.name for path in directory.iterdir())) or 'nothing'}"
