"""The step types that are carried out here: the API call each makes, and what of its arguments decides about caching.

https://docs.aws.amazon.com/sagemaker/latest/dg/build-and-manage-steps-types.html
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class StepType:
    """What distinguishes one type of step from another.

    `create` and `describe` are operations of SageMaker (empty where a step calls nothing), `outputs` those whose
    responses together are the properties of the step. `named_by` is the member of the request that holds the generated
    name. `members` are the members a step may have in a definition besides those that all steps have. `cache_key`
    names the arguments that must be the same for an earlier result to be used, nested ones with dots; none means that
    the type has no caching: https://docs.aws.amazon.com/sagemaker/latest/dg/pipelines-default-keys.html
    """

    name: str
    create: str = ""
    describe: str = ""
    outputs: tuple[str, ...] = ()
    named_by: str = ""
    members: frozenset[str] = frozenset()
    cache_key: tuple[str, ...] = ()


_JOB = frozenset({"RetryPolicies", "CacheConfig"})

STEP_TYPES: dict[str, StepType] = {
    step_type.name: step_type
    for step_type in (
        StepType(
            "Processing",
            create="CreateProcessingJob",
            describe="DescribeProcessingJob",
            outputs=("DescribeProcessingJob",),
            named_by="ProcessingJobName",
            members=_JOB | {"PropertyFiles"},
            cache_key=("AppSpecification", "Environment", "ProcessingInputs"),
        ),
        StepType(
            "Training",
            create="CreateTrainingJob",
            describe="DescribeTrainingJob",
            outputs=("DescribeTrainingJob",),
            named_by="TrainingJobName",
            members=_JOB,
            cache_key=(
                "AlgorithmSpecification",
                "CheckpointConfig",
                "DebugHookConfig",
                "DebugRuleConfigurations",
                "Environment",
                "HyperParameters",
                "InputDataConfig",
            ),
        ),
        StepType(
            "Tuning",
            create="CreateHyperParameterTuningJob",
            describe="DescribeHyperParameterTuningJob",
            outputs=("DescribeHyperParameterTuningJob", "ListTrainingJobsForHyperParameterTuningJob"),
            named_by="HyperParameterTuningJobName",
            members=_JOB,
            cache_key=(
                "HyperParameterTuningJobConfig",
                "TrainingJobDefinition.AlgorithmSpecification",
                "TrainingJobDefinition.HyperParameterRanges",
                "TrainingJobDefinition.InputDataConfig",
                "TrainingJobDefinition.StaticHyperParameters",
                "TrainingJobDefinition.TuningObjective",
                "TrainingJobDefinitions",
            ),
        ),
        StepType(
            "Transform",
            create="CreateTransformJob",
            describe="DescribeTransformJob",
            outputs=("DescribeTransformJob",),
            named_by="TransformJobName",
            members=_JOB,
            cache_key=("DataProcessing", "Environment", "ModelName", "TransformInput"),
        ),
        StepType(
            "Model",
            create="CreateModel",
            describe="DescribeModel",
            outputs=("DescribeModel",),
            named_by="ModelName",
            members=frozenset({"RetryPolicies"}),
        ),
        StepType(
            "RegisterModel",
            create="CreateModelPackage",
            describe="DescribeModelPackage",
            outputs=("DescribeModelPackage",),
            members=frozenset({"RetryPolicies"}),
        ),
        StepType("Condition"),
        StepType("Fail"),
    )
}
