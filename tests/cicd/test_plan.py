"""The plan: what can be done about a stack, and how a change set reads."""

from __future__ import annotations

import pytest

from cicd.errors import CicdError
from cicd.plan import Action, Kind, action_for, compare, read_changes


@pytest.mark.parametrize(
    ("status", "action"),
    [
        (None, Action.CREATE),
        ("ROLLBACK_COMPLETE", Action.CREATE_ANEW),
        ("REVIEW_IN_PROGRESS", Action.CREATE_ANEW),
        ("UPDATE_ROLLBACK_COMPLETE", Action.UPDATE),
    ],
)
def test_what_is_done_follows_from_the_state_of_the_stack(status: str | None, action: Action) -> None:
    assert action_for(status, "iris-cicd") is action


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ("UPDATE_IN_PROGRESS", "Wait for its end"),
        ("UPDATE_ROLLBACK_FAILED", "continue-update-rollback"),
        ("DELETE_FAILED", "Remove it by python -m cicd destroy"),
    ],
)
def test_a_stack_that_cannot_be_changed_is_said_what_to_do_about(status: str, said: str) -> None:
    with pytest.raises(CicdError, match=said):
        action_for(status, "iris-cicd")


def test_changes_are_told_apart_and_sorted() -> None:
    def change(name: str, action: str, replacement: str = "") -> dict[str, object]:
        details = [{"Target": {"Attribute": "Properties", "Name": "Name"}}]
        row = {"Action": action, "LogicalResourceId": name, "ResourceType": "T", "Details": details}
        return {"ResourceChange": {**row, "Replacement": replacement} if replacement else row}

    rows = [change("Gone", "Remove"), change("Maybe", "Modify", "Conditional"), change("New", "Add")]
    found = read_changes([{"Changes": rows}, {"Changes": [change("Other", "Modify", "True")]}])
    assert [(each.resource, each.kind) for each in found] == [
        ("New", Kind.ADDED),
        ("Maybe", Kind.MAYBE_REPLACED),
        ("Other", Kind.REPLACED),
        ("Gone", Kind.REMOVED),
    ]
    assert found[1].properties == ("Name",)


def test_only_parameters_that_differ_are_shown() -> None:
    found = compare({"Branch": "main", "Old": "x"}, {"Branch": "release", "New": "y"})
    assert [(each.name, each.now, each.then) for each in found] == [("Branch", "main", "release"), ("New", "", "y")]
