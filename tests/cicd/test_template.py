"""The template as it is deployed: what linters overlook of pipelines and builds, and what must be closed."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import cfnlint.decode
import pytest
import yaml
from botocore.session import Session
from local_aws.codepipeline.push_filters import Criteria

from cicd.template import TEMPLATE, read_template

ROOT = Path(__file__).parents[2]
# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
LARGEST_BODY = 51_200
KINDS = ("build", "deploy")


@pytest.fixture(scope="module")
def pipelines(deployed: Any) -> dict[str, dict[str, Any]]:
    """Both pipelines as CodePipeline has them."""
    client = deployed.cloud.client("codepipeline")
    return {kind: client.get_pipeline(name=f"{deployed.project}-model-{kind}")["pipeline"] for kind in KINDS}


@pytest.fixture(scope="module")
def builds(deployed: Any) -> dict[str, dict[str, Any]]:
    """The build projects by their names without the project's."""
    names = [value for key, value in deployed.resources().items() if key.endswith("Project")]
    found = deployed.cloud.client("codebuild").batch_get_projects(names=names)["projects"]
    return {each["name"].removeprefix(f"{deployed.project}-"): each for each in found}


def actions(pipeline: dict[str, Any]) -> list[dict[str, Any]]:
    return [action for stage in pipeline["stages"] for action in stage["actions"]]


def stage(pipeline: dict[str, Any], name: str) -> dict[str, Any]:
    return next(stage for stage in pipeline["stages"] if stage["name"] == name)


def test_the_linter_finds_nothing() -> None:
    linter = Path(sys.executable).with_name("cfn-lint")
    linted = subprocess.run([linter, TEMPLATE], capture_output=True, text=True, check=False, timeout=120)
    assert linted.returncode == 0, linted.stdout


def test_what_is_sent_means_what_the_template_says_and_fits_into_a_request(tmp_path: Path) -> None:
    sent = tmp_path / "sent.yaml"
    sent.write_text(read_template().request_body)
    assert sent.stat().st_size <= LARGEST_BODY
    assert cfnlint.decode.decode(str(sent))[0] == cfnlint.decode.decode(str(TEMPLATE))[0]


def test_studio_can_start_the_template_with_what_it_fills_in() -> None:
    declared = read_template().parameters
    assert declared["SageMakerProjectName"].default == ""
    assert declared["SageMakerProjectId"].default == ""
    optional = yaml.safe_load(re.search(r"SagemakerTemplateParameterRules:\n((?: {4,}.*\n)+)", TEMPLATE.read_text())[1])  # type: ignore[index]
    assert set(optional) == {name for name, each in declared.items() if each.default == "" and "SageMaker" not in name}


def test_the_cicd_does_not_know_of_a_local_mode() -> None:
    for path in (*(ROOT / "cicd").glob("*.py"), *(ROOT / "cicd").glob("*.yaml")):
        text = path.read_text()
        for word in ("AWS_ENDPOINT_URL", "endpoint_url", "local_aws", "local-aws", "localhost", "127.0.0.1"):
            assert word not in text, f"{path.name} knows {word}"


# ---- what linters overlook: see findings.md -----------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_triggers_are_of_a_v2_pipeline_and_name_its_source(pipelines: dict[str, Any], kind: str) -> None:
    pipeline = pipelines[kind]
    assert pipeline["pipelineType"] == "V2"
    assert pipeline["executionMode"] == "SUPERSEDED"
    sources = {action["name"] for action in actions(pipeline) if action["actionTypeId"]["category"] == "Source"}
    assert {trigger["gitConfiguration"]["sourceActionName"] for trigger in pipeline["triggers"]} == sources


@pytest.mark.parametrize("kind", KINDS)
def test_actions_name_builds_and_artifacts_that_there_are(
    pipelines: dict[str, Any], builds: dict[str, Any], deployed: Any, kind: str
) -> None:
    made: set[str] = set()
    for action in actions(pipelines[kind]):
        assert {each["name"] for each in action.get("inputArtifacts", [])} <= made
        made |= {each["name"] for each in action.get("outputArtifacts", [])}
        configuration = action["configuration"]
        if action["actionTypeId"]["provider"] == "CodeBuild":
            assert configuration["ProjectName"].removeprefix(f"{deployed.project}-") in builds
        for key in ("TemplatePath", "TemplateConfiguration"):
            if key in configuration:
                assert configuration[key].partition("::")[0] in {each["name"] for each in action["inputArtifacts"]}


@pytest.mark.parametrize("kind", KINDS)
def test_variables_come_from_actions_that_ran_before(pipelines: dict[str, Any], kind: str) -> None:
    known: set[str] = set()
    for action in actions(pipelines[kind]):
        used = re.findall(r"#\{(\w+)\.", json.dumps(action["configuration"]))
        assert set(used) <= known, action["name"]
        known.add(action.get("namespace", ""))


def test_builds_run_on_computers_and_images_that_codebuild_has(builds: dict[str, Any]) -> None:
    model = Session().get_service_model("codebuild")
    assert set(builds) == {"model-build", "serving-image", "package", "smoke-test-staging", "smoke-test-prod"}
    for build in builds.values():
        environment = build["environment"]
        assert environment["computeType"] in model.shape_for("ComputeType").enum
        assert environment["image"] == "aws/codebuild/amazonlinux-x86_64-standard:6.0"
        assert environment.get("privilegedMode", False) is (build["name"].endswith("serving-image"))
        assert 5 <= build["timeoutInMinutes"] <= 180
        assert build["cache"]["location"].endswith(f"/cache/{build['logsConfig']['cloudWatchLogs']['streamName']}")


def test_an_endpoint_has_instances_and_a_canary_waits() -> None:
    text = (ROOT / "model-deploy" / "endpoint.yaml").read_text()
    config = text[text.index("  EndpointConfig:") : text.index("  ServerErrorAlarm:")]
    assert "InitialInstanceCount: !Ref InstanceCount" in config
    routing = text[text.index("TrafficRoutingConfiguration:") : text.index("RollingUpdatePolicy:")]
    assert "WaitIntervalInSeconds: !Ref UpdateWaitSeconds" in routing


# ---- what starts what ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pushed", "builds_models", "deploys"),
    [
        (["buildspec.yml"], False, True),
        (["model-build/model_build/steps.py"], True, False),
        (["model-build/source/train.py", "tests/model_build/unit/test_gate.py"], True, False),
        (["model-deploy/endpoint.yaml"], False, True),
        (["model-deploy/stages/prod.yaml"], False, True),
        (["model-build/source/gate.yaml", "buildspec.yml"], True, True),
        (["requirements.lock"], True, True),
        (["requirements-uv.lock"], True, True),
        (["cicd/tasks/run.sh"], True, True),
        (["cicd/tasks/install.sh"], True, True),
        (["cicd/tasks/model_build.sh"], True, False),
        (["cicd/tasks/package.sh"], False, True),
        (["cicd/tasks/serving_image.sh"], False, True),
        (["cicd/tasks/smoke_test.sh"], False, True),
        (["tests/model_build/unit/test_gate.py"], True, False),
        (["README.md", "docs/local-aws.md"], False, False),
        (["local-aws/local_aws/cloud.py"], False, False),
        (["mlflow-server/mlflow_server/up.py"], False, False),
        (["cicd/cicd.yaml"], False, False),
        (["tests/model_deploy/test_pin.py"], False, False),
    ],
)
def test_a_push_starts_what_depends_on_it(
    pipelines: dict[str, Any], pushed: list[str], builds_models: bool, deploys: bool
) -> None:
    started = []
    for kind in KINDS:
        filters = pipelines[kind]["triggers"][0]["gitConfiguration"]["push"]
        paths = filters[0]["filePaths"]
        assert len(filters) == 1
        assert len(paths["includes"]) <= 8
        criteria = Criteria(tuple(paths["includes"]), tuple(paths.get("excludes", ())))
        started.append(any(criteria.admit(path) for path in pushed))
    assert started == [builds_models, deploys]


def test_every_task_of_the_repository_starts_a_pipeline_when_it_changes(pipelines: dict[str, Any]) -> None:
    includes = [
        pattern
        for kind in KINDS
        for pattern in pipelines[kind]["triggers"][0]["gitConfiguration"]["push"][0]["filePaths"]["includes"]
    ]
    criteria = Criteria(tuple(includes))
    tasks = [f"cicd/tasks/{path.name}" for path in (ROOT / "cicd" / "tasks").iterdir() if path.is_file()]
    assert [task for task in tasks if not criteria.admit(task)] == []


# ---- a release ----------------------------------------------------------------------------------------------------


def test_a_release_passes_staging_and_a_person_on_its_way_to_prod(pipelines: dict[str, Any]) -> None:
    names = [stage["name"] for stage in pipelines["deploy"]["stages"]]
    assert names == ["Source", "Package", "Staging", "Approve", "Prod"]
    assert [stage["name"] for stage in pipelines["build"]["stages"]] == ["Source", "Build"]
    for name, mode in (("Staging", "REPLACE_ON_FAILURE"), ("Prod", "CREATE_UPDATE")):
        found = stage(pipelines["deploy"], name)
        assert found["onFailure"] == {"result": "ROLLBACK"}
        assert [(action["name"], action["runOrder"]) for action in found["actions"]] == [
            ("Deploy", 1),
            ("SmokeTest", 2),
        ]
        deploy = found["actions"][0]["configuration"]
        assert deploy["ActionMode"] == mode
        assert deploy["StackName"] == "#{Package.MODEL_NAME}-" + name.lower()
        assert deploy["TemplateConfiguration"] == f"Release::{name.lower()}.json"


def test_the_approval_shows_the_plan_and_tells_somebody(pipelines: dict[str, Any], deployed: Any) -> None:
    action = stage(pipelines["deploy"], "Approve")["actions"][0]
    assert action["configuration"] == {
        "NotificationArn": deployed.outputs()["NotificationTopicArn"],
        "CustomData": "#{Package.PLAN}",
        "ExternalEntityLink": "#{Package.MODEL_URL}",
    }
    assert action["timeoutInMinutes"] == 10080


@pytest.mark.parametrize(
    ("build", "told"),
    [
        ("model-build", {"TASK": "model_build", "SUBNETS": "", "SECURITY_GROUPS": ""}),
        ("serving-image", {"TASK": "serving_image", "SERVING_PYTHON": "3.12"}),
        ("package", {"TASK": "package", "MLFLOW_EXPERIMENT_NAME": "iris", "SERVING_PYTHON": "3.12"}),
        ("smoke-test-staging", {"TASK": "smoke_test", "STAGE": "staging"}),
        ("smoke-test-prod", {"TASK": "smoke_test", "STAGE": "prod"}),
    ],
)
def test_a_build_is_told_its_task_and_no_secret(builds: dict[str, Any], build: str, told: dict[str, str]) -> None:
    variables = {each["name"]: each for each in builds[build]["environment"]["environmentVariables"]}
    assert {name: variables[name]["value"] for name in told} == told
    credentials = {
        name: each for name, each in variables.items() if name.startswith("MLFLOW_TRACKING_") and "URI" not in name
    }
    expected = set() if build == "serving-image" else {"MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"}
    assert set(credentials) == expected
    assert all(each["type"] == "SECRETS_MANAGER" for each in credentials.values())


def test_a_failed_execution_is_told_in_words(deployed: Any) -> None:
    events = deployed.cloud.client("events")
    rule = deployed.resources()["FailureRule"].rpartition("/")[2]
    pattern = json.loads(events.describe_rule(Name=rule)["EventPattern"])
    assert pattern["detail"]["state"] == ["FAILED"]
    assert pattern["detail"]["pipeline"] == [f"{deployed.project}-model-{kind}" for kind in KINDS]
    target = events.list_targets_by_rule(Rule=rule)["Targets"][0]
    assert target["Arn"] == deployed.outputs()["NotificationTopicArn"]
    lines = target["InputTransformer"]["InputTemplate"].splitlines()
    # EventBridge takes text as one quoted string a line.
    assert all(line.startswith('"') and line.endswith('"') for line in lines)
    assert "<pipeline> failed" in lines[0]
