"""The step types that are carried out here: the API call each makes, and what of its arguments decides about caching.

https://docs.aws.amazon.com/sagemaker/latest/dg/build-and-manage-steps-types.html
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class StepType:
    """What distinguishes one type of step from another.

    `create` is an operation of SageMaker (empty where a step calls nothing), `outputs` are those whose responses
    together are the properties of the step, the first of them its Describe. `named_by` is the member of the request
    that holds the generated name. `members` are those a step may have in a definition besides what all steps have.
    `cache_key` names the arguments that must be the same for an earlier result to be used, nested ones with dots; none
    means that the type has no caching: https://docs.aws.amazon.com/sagemaker/latest/dg/pipelines-default-keys.html
    """

    name: str
    create: str = ""
    outputs: tuple[str, ...] = ()
    named_by: str = ""
    members: frozenset[str] = frozenset()
    cache_key: tuple[str, ...] = ()

    @property
    def describe(self) -> str:
        """The operation that describes what the step has made."""
        return self.outputs[0]


_JOB = frozenset({"RetryPolicies", "CacheConfig"})

STEP_TYPES: dict[str, StepType] = {
    step_type.name: step_type
    for step_type in (
        StepType(
            "Processing",
            create="CreateProcessingJob",
            outputs=("DescribeProcessingJob",),
            named_by="ProcessingJobName",
            members=_JOB | {"PropertyFiles"},
            cache_key=("AppSpecification", "Environment", "ProcessingInputs"),
        ),
        StepType(
            "Training",
            create="CreateTrainingJob",
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
            outputs=("DescribeTransformJob",),
            named_by="TransformJobName",
            members=_JOB,
            cache_key=("DataProcessing", "Environment", "ModelName", "TransformInput"),
        ),
        StepType(
            "Model",
            create="CreateModel",
            outputs=("DescribeModel",),
            named_by="ModelName",
            members=frozenset({"RetryPolicies"}),
        ),
        StepType(
            "RegisterModel",
            create="CreateModelPackage",
            outputs=("DescribeModelPackage",),
            members=frozenset({"RetryPolicies"}),
        ),
        StepType("Condition"),
        StepType("Fail"),
    )
}
