"""The processing script as the processing job runs it: a process of its own."""

import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2] / "model-build" / "source"


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(splits: Path, tmp_path: Path) -> None:
    for name, seed in (("same", "42"), ("other", "43")):
        base = tmp_path / name
        subprocess.run([sys.executable, SOURCE / "prepare.py", "--base", base, "--seed", seed], check=True)
    train = (splits / "train" / "train.csv").read_bytes()
    assert (tmp_path / "same" / "processing" / "train" / "train.csv").read_bytes() == train
    assert (tmp_path / "other" / "processing" / "train" / "train.csv").read_bytes() != train


def test_a_refusal_is_readable_on_standard_error_and_ends_non_zero(tmp_path: Path) -> None:
    folder = tmp_path / "processing" / "input" / "data"
    folder.mkdir(parents=True)
    (folder / "data.csv").write_text("a,target\n1,x\n")
    done = subprocess.run(
        [sys.executable, SOURCE / "prepare.py", "--base", tmp_path], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith("Prepare failed: The data cannot be used: at least two classes are needed")
    assert "Traceback" not in done.stderr
