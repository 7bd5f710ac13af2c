"""How CodePipeline refuses: its error codes, each with the one occasion it is for.

https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_Operations.html
"""

from __future__ import annotations

from local_aws.errors import AwsError


def invalid_structure(message: str) -> AwsError:
    """A declaration whose stages, artifacts or settings do not fit together."""
    return AwsError("InvalidStructureException", message)


def invalid_stage(message: str) -> AwsError:
    """A stage that breaks a rule by itself."""
    return AwsError("InvalidStageDeclarationException", message)


def invalid_action(message: str) -> AwsError:
    """An action that breaks a rule by itself."""
    return AwsError("InvalidActionDeclarationException", message)


def no_pipeline(cloud_account: str, name: str) -> AwsError:
    """A pipeline that there is none of."""
    return AwsError(
        "PipelineNotFoundException", f"Account '{cloud_account}' does not have a pipeline with name '{name}'"
    )


def no_stage(pipeline: str, stage: str) -> AwsError:
    """A stage that the pipeline does not have."""
    return AwsError("StageNotFoundException", f"Stage '{stage}' not found in pipeline '{pipeline}'")


def no_execution(pipeline: str, execution_id: str) -> AwsError:
    """An execution that the pipeline does not have."""
    return AwsError(
        "PipelineExecutionNotFoundException",
        f"Pipeline execution with id {execution_id} does not exist in pipeline '{pipeline}'",
    )
