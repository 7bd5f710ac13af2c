"""Everything of CodePipeline that carries out requests or actions, imported to enter itself into the tables."""

from local_aws.codepipeline import (
    approvals,
    execution_operations,
    listing,
    pipelines,
    restart,
    state,
    tags,
    transitions,
)
from local_aws.codepipeline.actions import cloudformation, codebuild, manual_approval

__all__ = [
    "approvals",
    "cloudformation",
    "codebuild",
    "execution_operations",
    "listing",
    "manual_approval",
    "pipelines",
    "restart",
    "state",
    "tags",
    "transitions",
]
