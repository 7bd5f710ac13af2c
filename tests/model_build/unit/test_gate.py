"""The gate: what passes, with which tier, and which declarations are refused."""

from pathlib import Path

import pytest
from failure import TrainingError
from gate import load_gate

METRICS = ("accuracy", "f1", "cv_accuracy")
SOURCE = Path(__file__).resolve().parents[3] / "model-build" / "source"


def scores(accuracy: float, f1: float = 0.5, cv_accuracy: float = 0.5) -> dict[str, float]:
    return {"accuracy": accuracy, "f1": f1, "cv_accuracy": cv_accuracy}


@pytest.mark.parametrize(
    ("declaration", "says"),
    [
        ("", "at least one tier"),
        ("accuracy", "not of the form"),
        ("accuracy = 0.9", "not of the form"),
        ("accuracy > high", "not of the form"),
        ("accuracy > 0.9.1", "not a number"),
        ("recall > 0.9", "accuracy, f1, cv_accuracy, not recall"),
        ("gold: accuracy > 0.9; gold: f1 > 0.9", "a name of its own"),
        ("a b: accuracy > 0.9", "tier's name"),
        ("missing.yaml", "not among the training code (gate.yaml)"),
    ],
)
def test_a_gate_that_cannot_be_read_is_refused_with_what_is_wrong(declaration: str, says: str) -> None:
    with pytest.raises(TrainingError) as error:
        load_gate(declaration, SOURCE, METRICS)
    assert says in str(error.value)


@pytest.mark.parametrize(
    "content",
    ["tiers: 3", "[]", "tiers:\n- name: gold", "tiers:\n- {name: gold, requires: []}", "tiers: [\n", "tiers: []"],
)
def test_a_gate_file_of_another_shape_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "gate.yaml").write_text(content)
    with pytest.raises(TrainingError, match=r"gate|Tier"):
        load_gate("gate.yaml", tmp_path, METRICS)


def test_the_test_split_cannot_be_used_in_a_gate() -> None:
    with pytest.raises(TrainingError, match="not test_accuracy"):
        load_gate("test_accuracy > 0.9", SOURCE, METRICS)


def test_the_default_gate_is_strict_at_accuracy_09() -> None:
    gate = load_gate("gate.yaml", SOURCE, METRICS)
    assert not gate.judge(scores(0.9)).passed
    assert gate.judge(scores(0.9000001)).tier == "standard"


def test_a_metric_that_is_nan_passes_nothing() -> None:
    gate = load_gate("accuracy > 0.9", SOURCE, METRICS)
    assert not gate.judge(scores(float("nan"))).passed
    assert not load_gate("accuracy < 0.9", SOURCE, METRICS).judge(scores(float("nan"))).passed


def test_a_model_gets_the_first_tier_whose_every_bound_holds() -> None:
    gate = load_gate("gold: accuracy > 0.95 and f1 >= 0.95; standard: accuracy > 0.9", SOURCE, METRICS)
    assert gate.judge(scores(0.97, f1=0.95)).tier == "gold"
    assert gate.judge(scores(0.97, f1=0.94)).tier == "standard"
    assert gate.judge(scores(0.8, f1=0.99)).tier is None


def test_a_verdict_names_the_bounds_that_were_missed() -> None:
    verdict = load_gate("accuracy > 0.9 and f1 > 0.8", SOURCE, METRICS).judge(scores(0.85, f1=0.9))
    assert verdict.reason == "not standard: missed accuracy > 0.9 (it is 0.85)"
