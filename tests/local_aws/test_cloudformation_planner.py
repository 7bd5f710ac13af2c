"""What an update will do, planned without a cloud: what changes, what is replaced, and whom that carries along."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import local_aws.cloudformation  # noqa: F401 - registers the resource types
import pytest
from local_aws.cloudformation import blueprint, executor, graph, planner, resource_type, template
from local_aws.cloudformation.blueprint import Blueprint
from local_aws.cloudformation.planner import Action, Plan
from local_aws.cloudformation.resource import Resource
from local_aws.errors import AwsError

TEMPLATE = """
Parameters:
  Data: {Type: String, Default: s3://bucket/1/model.tar.gz}
  Count: {Type: Number, Default: "1"}
  Captures: {Type: String, Default: "no"}
Conditions:
  Captures: !Equals [!Ref Captures, "yes"]
Resources:
  Endpoint:
    Type: AWS::SageMaker::Endpoint
    Properties: {EndpointName: iris, EndpointConfigName: !GetAtt Config.EndpointConfigName}
  Config:
    Type: AWS::SageMaker::EndpointConfig
    Properties:
      ProductionVariants:
        - {VariantName: AllTraffic, ModelName: !GetAtt Model.ModelName, InitialInstanceCount: !Ref Count}
  Model:
    Type: AWS::SageMaker::Model
    Properties: {PrimaryContainer: {Image: image, ModelDataUrl: !Sub "${Data}"}}
  Group:
    Type: AWS::Logs::LogGroup
    Condition: Captures
    Properties: {RetentionInDays: 7}
Outputs:
  Served: {Value: !Ref Data}
"""
PSEUDO = {"AWS::Region": "us-east-1", "AWS::StackName": "iris", "AWS::AccountId": "123456789012"}


def drawn(text: str = TEMPLATE, tags: tuple[tuple[str, str], ...] = (), **values: Any) -> Blueprint:
    loaded = template.load(text)
    defaults = {name: declared.get("Default") for name, declared in loaded.parameters.items()}
    return blueprint.draw(loaded, {**defaults, **values}, PSEUDO, tags, lambda name: f"export {name}")


def made(drawing: Blueprint) -> dict[str, Resource]:
    """The resources of a stack, as if the blueprint had been carried out."""
    found: dict[str, Resource] = {}
    lookup = blueprint.Lookup(
        lambda name: found[name].physical_id,
        lambda name, attribute: found[name].attributes.get(attribute, f"{name.lower()}-1"),
    )
    for name in drawing.order:
        found[name] = Resource(
            name,
            drawing.declared(name).type_name,
            "CREATE_COMPLETE",
            datetime.now(UTC),
            physical_id=f"arn/{name}",
            properties=drawing.properties(name, lookup),
            attributes={"ModelName": "model-1", "EndpointConfigName": "config-1", "EndpointName": "iris"},
            needs=drawing.needs(name),
        )
    return found


def actions(plan: Plan) -> Mapping[str, Action]:
    return {change.logical_id: change.action for change in plan.changes}


def test_the_types_that_the_loop_needs_are_there() -> None:
    services = {name.split("::")[1] for name in resource_type.known_types()}
    assert services >= {"SageMaker", "ApplicationAutoScaling", "CloudWatch", "S3", "IAM", "Logs", "ECR", "SSM"}


def test_nothing_changes_when_the_same_is_asked_for_again() -> None:
    plan = planner.plan(drawn(), made(drawn()))
    assert plan.effective == ()


def test_a_parameter_inside_sub_replaces_the_model_and_carries_the_replacement_through() -> None:
    plan = planner.plan(drawn(Data="s3://bucket/2/model.tar.gz"), made(drawn()))
    assert actions(plan) == {"Model": Action.REPLACE, "Config": Action.REPLACE, "Endpoint": Action.MODIFY}
    assert [change.logical_id for change in plan.changes] == ["Model", "Config", "Endpoint"]


def test_the_plan_can_be_printed_with_what_causes_each_change() -> None:
    printed = str(planner.plan(drawn(Data="s3://bucket/2/model.tar.gz"), made(drawn())))
    assert printed.splitlines() == [
        "replace Model (AWS::SageMaker::Model): PrimaryContainer",
        "replace Config (AWS::SageMaker::EndpointConfig): ProductionVariants",
        "modify  Endpoint (AWS::SageMaker::Endpoint): EndpointConfigName",
    ]


def test_a_number_and_the_same_number_as_text_are_no_change() -> None:
    assert planner.plan(drawn(Count=1), made(drawn(Count="1"))).effective == ()


def test_an_output_alone_can_change() -> None:
    text = TEMPLATE.replace("${Data}", "fixed")
    before, after = drawn(text), drawn(text, Data="s3://bucket/2/model.tar.gz")
    current = made(before)
    assert planner.plan(after, current).effective == ()
    assert planner.plan(after, current).outputs != planner.plan(before, current).outputs


def test_a_condition_that_comes_true_adds_and_one_that_turns_false_removes() -> None:
    plan = planner.plan(drawn(Captures="yes"), made(drawn()))
    assert [str(change) for change in plan.effective] == ["add     Group (AWS::Logs::LogGroup)"]
    plan = planner.plan(drawn(), made(drawn(Captures="yes")))
    assert [str(change) for change in plan.effective] == ["remove  Group (AWS::Logs::LogGroup)"]


def test_another_type_under_the_same_name_is_a_replacement() -> None:
    text = TEMPLATE.replace('Captures, "yes"', "Captures, Captures")
    changed = text.replace("AWS::Logs::LogGroup", "AWS::S3::Bucket").replace("{RetentionInDays: 7}", "{}")
    plan = planner.plan(drawn(changed, Captures="Captures"), made(drawn(text, Captures="Captures")))
    assert plan.action_of("Group") is Action.REPLACE


def test_a_tag_of_the_stack_changes_what_takes_tags_in_place() -> None:
    plan = planner.plan(drawn(tags=(("team", "ml"),)), made(drawn()))
    assert set(actions(plan).values()) == {Action.MODIFY}


def test_a_resource_whose_last_change_failed_is_changed_again() -> None:
    current = made(drawn())
    current["Endpoint"] = Resource(**{**current["Endpoint"].__dict__, "status": "UPDATE_FAILED"})
    assert actions(planner.plan(drawn(), current))["Endpoint"] is Action.MODIFY


def test_resources_are_made_after_what_they_need_and_otherwise_as_written() -> None:
    loaded = template.load(TEMPLATE)
    assert graph.order(loaded) == ["Model", "Config", "Endpoint", "Group"]


def test_what_is_unmade_goes_before_what_it_needs() -> None:
    order = [each.logical_id for each in executor.dependants_first(made(drawn(Captures="yes")).values())]
    assert order.index("Endpoint") < order.index("Config") < order.index("Model")


def test_a_circle_names_the_resources_in_it() -> None:
    group = "{Type: AWS::Logs::LogGroup, Properties: {LogGroupName: !Sub '${%s}-x'}}"
    text = f"Resources: {{A: {group % 'B'}, B: {group % 'C'}, C: {group % 'A'}}}"
    with pytest.raises(AwsError, match=r"Circular dependency between resources: \[[ABC], [ABC], [ABC]\]"):
        graph.order(template.load(text))
