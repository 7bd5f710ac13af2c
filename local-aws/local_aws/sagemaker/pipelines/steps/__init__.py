"""What each type of step does when its turn comes."""

from __future__ import annotations

from collections.abc import Callable

from local_aws.sagemaker.pipelines.steps.condition import decide
from local_aws.sagemaker.pipelines.steps.fail import fail
from local_aws.sagemaker.pipelines.steps.jobs import run_job
from local_aws.sagemaker.pipelines.steps.models import create_model, register_model
from local_aws.sagemaker.pipelines.steps.turn import Properties, Turn

CARRY_OUT: dict[str, Callable[[Turn], Properties]] = {
    "Processing": run_job,
    "Training": run_job,
    "Tuning": run_job,
    "Transform": run_job,
    "Model": create_model,
    "RegisterModel": register_model,
    "Condition": decide,
    "Fail": fail,
}
