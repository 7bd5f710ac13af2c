"""The stack of a team whose MLflow is SageMaker's managed one: its roles may call it, and no secret is read."""

from __future__ import annotations

from typing import Any

ARN = "arn:aws:sagemaker:us-east-1:123456789012:"
APP = f"{ARN}mlflow-app/app-0a1b2c"
CALLERS = ("JobRole", "ModelBuildRole", "PackageRole", "SmokeTestStagingRole", "SmokeTestProdRole")


def may(team: Any, role: str, action: str, resource: str) -> bool:
    arn = f"arn:aws:iam::123456789012:role/{team.resources()[role]}"
    asked = {"PolicySourceArn": arn, "ActionNames": [action], "ResourceArns": [resource]}
    answer = team.cloud.client("iam").simulate_principal_policy(**asked)
    return bool(answer["EvaluationResults"][0]["EvalDecision"] == "allowed")


def test_those_who_speak_to_mlflow_may_call_it_and_nobody_another(elsewhere: Any) -> None:
    for role in CALLERS:
        assert may(elsewhere, role, "sagemaker:CallMlflowAppApi", APP)
        assert may(elsewhere, role, "sagemaker-mlflow:SearchRuns", APP)
        assert not may(elsewhere, role, "sagemaker:CallMlflowAppApi", f"{ARN}mlflow-app/app-of-others")
        assert not may(elsewhere, role, "sagemaker:DeleteMlflowApp", APP)
    for role in ("EndpointRole", "ServingImageRole"):
        assert not may(elsewhere, role, "sagemaker:CallMlflowAppApi", APP)


def test_artifacts_are_written_by_jobs_and_read_for_a_release(elsewhere: Any) -> None:
    artifact = "arn:aws:s3:::team-mlflow/1/models/MLmodel"
    assert may(elsewhere, "JobRole", "s3:PutObject", artifact)
    assert may(elsewhere, "PackageRole", "s3:GetObject", artifact)
    assert may(elsewhere, "PackageRole", "s3:ListBucket", "arn:aws:s3:::team-mlflow")
    for role in ("PackageRole", "ModelBuildRole", "EndpointRole"):
        assert not may(elsewhere, role, "s3:PutObject", artifact)


def test_no_secret_is_read(elsewhere: Any) -> None:
    projects = elsewhere.cloud.client("codebuild").batch_get_projects(
        names=[f"{elsewhere.project}-model-build", f"{elsewhere.project}-package"]
    )["projects"]
    for project in projects:
        variables = {item["name"]: item["value"] for item in project["environment"]["environmentVariables"]}
        assert variables["MLFLOW_TRACKING_URI"] == APP
        assert "SECRETS_MANAGER" not in str(project)


def test_another_server_gives_no_role_these_rights(deployed: Any) -> None:
    resources = deployed.resources()
    assert not {"ManagedMlflowPolicy", "MlflowArtifactPolicy", "MlflowArtifactWritePolicy"} & set(resources)
    assert not may(deployed, "JobRole", "sagemaker:CallMlflowAppApi", APP)
