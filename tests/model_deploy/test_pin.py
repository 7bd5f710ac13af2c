"""The pin: what MODEL_NAME and MODEL_VERSION may say."""

import pytest
from model_deploy.errors import DeploymentError
from model_deploy.pin import Pin, parse_pin


@pytest.mark.parametrize(
    ("name", "version", "says"),
    [
        (None, "1", "MODEL_NAME is empty"),
        ("  ", "1", "MODEL_NAME is empty"),
        ("iris", None, "MODEL_VERSION is empty"),
        ("iris", "", "MODEL_VERSION is empty"),
        ("iris", "0", "'0'"),
        ("iris", "-1", "'-1'"),
        ("iris", "1.0", "'1.0'"),
        ("iris", "007", "'007'"),
        ("iris", "v3", "'v3'"),
        ("iris", "1; rm -rf /", "neither a version's number"),
        ("iris", "latest", "pins nothing"),
        ("iris", "Latest", "pins nothing"),
        ("iris tree", "1", "cannot name an endpoint"),
        ("iris/tree", "1", "cannot name an endpoint"),
        ("1iris", "1", "a letter first"),
        ("iris--tree", "1", "cannot name an endpoint"),
        ("i" * 56, "1", "at most 55"),
    ],
)
def test_a_pin_that_pins_nothing_is_refused_plainly(name: str | None, version: str | None, says: str) -> None:
    with pytest.raises(DeploymentError, match=says.replace("(", r"\(").replace(".", r"\.")):
        parse_pin(name, version)


def test_a_number_pins_a_version() -> None:
    assert parse_pin(" iris-decision-tree ", " 12 ") == Pin("iris-decision-tree", "12")
    assert parse_pin("iris", "12").number == 12


@pytest.mark.parametrize("alias", ["champion", "staging", "_best", "release-2026-11"])
def test_an_alias_pins_by_way_of_the_registry(alias: str) -> None:
    pin = parse_pin("iris", alias)
    assert pin.number is None
    assert str(pin) == f"iris@{alias}"
