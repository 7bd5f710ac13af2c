"""What a build came to, as model_build's own report has it: read from SageMaker and MLflow by the commit it was of."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from demo.account import Account
from demo.delivery import NotDelivered


def read_build(account: Account, model: str, commit: str, summary: Path) -> dict[str, Any]:
    """The summary of the SageMaker execution that a commit started; raises `NotDelivered` where there is none."""
    # MLflow's client takes two seconds to import, in which the walk can be well under way.
    from model_build.execution import look
    from model_build.report import write_summary
    from model_build.results import read_results

    sagemaker = account.client("sagemaker")
    pages = sagemaker.get_paginator("list_pipeline_executions").paginate(PipelineName=f"{model}-build")
    arns = [
        execution["PipelineExecutionArn"]
        for page in pages
        for execution in page["PipelineExecutionSummaries"]
        if execution.get("PipelineExecutionDescription") == f"commit {commit}"
    ]
    if not arns:
        raise NotDelivered(f"The build of commit {commit[:8]} started no execution of the pipeline {model}-build.")
    execution = look(sagemaker, arns[0])
    tune = execution.step("Tune")
    experiment = account.environment["MLFLOW_EXPERIMENT_NAME"]
    results = read_results(account.environment["MLFLOW_TRACKING_URI"], experiment, model, tune.trials if tune else ())
    write_summary(summary, execution, results)
    read: dict[str, Any] = json.loads(summary.read_text())
    if not read["registered_versions"]:
        raise NotDelivered("No trial passed the gate, so there is no version to release.")
    return read
