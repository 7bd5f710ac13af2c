"""Steps that make a model or register a model package: one call, and it is there."""

from __future__ import annotations

from local_aws.errors import AwsError
from local_aws.sagemaker.pipelines.expressions import evaluate
from local_aws.sagemaker.pipelines.steps.turn import Properties, Turn


def create_model(turn: Turn) -> Properties:
    """Make a model; the properties of the step are what DescribeModel answers."""
    name = turn.new_name()
    created = turn.call("CreateModel", {**evaluate(turn.step.arguments, turn.scope), "ModelName": name})
    turn.note({"Metadata": {"Model": {"Arn": created["ModelArn"]}}})
    return turn.call("DescribeModel", {"ModelName": name})


def register_model(turn: Turn) -> Properties:
    """Register a version in a model package group, which is made when it is not there yet.

    The properties of the step are what DescribeModelPackage answers.
    """
    request = evaluate(turn.step.arguments, turn.scope)
    group = request.get("ModelPackageGroupName")
    if group is not None:
        try:
            turn.cloud.call("sagemaker", "DescribeModelPackageGroup", {"ModelPackageGroupName": group})
        except AwsError:
            turn.call("CreateModelPackageGroup", {"ModelPackageGroupName": group})
    created = turn.call("CreateModelPackage", request)
    turn.note({"Metadata": {"RegisterModel": {"Arn": created["ModelPackageArn"]}}})
    return turn.call("DescribeModelPackage", {"ModelPackageName": created["ModelPackageArn"]})
