"""Rules of a template: what they refuse, before anything is made."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

TEMPLATE = """
Parameters:
  Access: {Type: String, Default: internal}
  Certificate: {Type: String, Default: ""}
  Size: {Type: String, Default: small}
  Zones: {Type: CommaDelimitedList, Default: "a,b"}
Rules:
  NoPasswordsInClear:
    RuleCondition: !Equals [!Ref Access, public]
    Assertions:
      - {Assert: !Not [!Equals [!Ref Certificate, ""]], AssertDescription: Public access needs a certificate.}
  KnownSizes:
    Assertions:
      - {Assert: {"Fn::Contains": [[small, large], !Ref Size]}, AssertDescription: Sizes are small and large.}
      - Assert: {"Fn::EachMemberIn": [!Ref Zones, [a, b, c]]}
  Together:
    Assertions:
      - Assert: !Or [!Not [{"Fn::EachMemberEquals": [!Ref Zones, a]}], !Equals [!Ref "AWS::Region", us-east-1]]
Resources:
  Group: {Type: AWS::Logs::LogGroup}
"""


def refusal(stacks: Any, template: str, parameters: dict[str, str]) -> str:
    with pytest.raises(ClientError) as refused:
        stacks.create(template, parameters)
    assert refused.value.response["Error"]["Code"] == "ValidationError"
    return str(refused.value)


def test_parameters_that_break_a_rule_are_refused_with_what_the_rule_says(stacks: Any) -> None:
    said = refusal(stacks, TEMPLATE, {"Access": "public", "Size": "huge"})
    assert "NoPasswordsInClear: Public access needs a certificate." in said
    assert "KnownSizes: Sizes are small and large." in said
    assert "KnownSizes: the assertion does not hold" in refusal(stacks, TEMPLATE, {"Zones": "a,z"})


def test_a_rule_whose_condition_is_false_and_one_that_holds_let_a_stack_pass(stacks: Any) -> None:
    name = stacks.create(TEMPLATE)
    assert stacks.status(name) == "CREATE_COMPLETE"
    public = {"Access": "public", "Certificate": "arn", "Zones": "a,a"}
    group = TEMPLATE.replace(
        "{Type: AWS::Logs::LogGroup}", "{Type: AWS::Logs::LogGroup, Properties: {RetentionInDays: 3}}"
    )
    assert stacks.update(name, group, public)["StackStatus"] == "UPDATE_COMPLETE"
    with pytest.raises(ClientError, match="Public access needs a certificate"):
        stacks.update(name, TEMPLATE, {"Access": "public"})
    given = stacks.request(TEMPLATE, {"Access": "public"}, {})
    with pytest.raises(ClientError, match="Public access needs a certificate"):
        stacks.cloudformation.create_change_set(StackName=name, ChangeSetName="public", **given)


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("{Assertions: []}", "must contain a list of Assertions"),
        ("{Assertions: [{Asert: true}]}", "must contain an Assert"),
        ("{Assertions: [{Assert: true}], Condition: a}", "Invalid rule property 'Condition'"),
        ("{Assertions: [{Assert: !GetAtt A.Arn}]}", "Fn::GetAtt is not allowed in rules"),
        ("{Assertions: [{Assert: !Condition Yes}]}", "Condition is not allowed in rules"),
        ("{Assertions: [{Assert: {'Fn::Contains': [a, b]}}]}", "requires a list of strings"),
        ("{Assertions: [{Assert: {'Fn::Equals': [{'Fn::RefAll': T}, b]}}]}", "Fn::RefAll is not carried out"),
    ],
)
def test_a_rule_that_is_not_written_as_one_is_refused(stacks: Any, rule: str, said: str) -> None:
    template = f"Rules: {{R: {rule}}}\nResources: {{A: {{Type: AWS::Logs::LogGroup}}}}"
    assert said in refusal(stacks, template, {})
