"""`python -m model_deploy package` and `smoke-test`: what the pipeline's builds run, CloudFormation between them."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import pytest
from botocore.exceptions import WaiterError
from click.testing import Result

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
WRONG_SERVER = """
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Other(BaseHTTPRequestHandler):
    def do_GET(self): self.answer(b"")
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.answer(b'{"predictions": ["rose", "rose", "rose"]}')
    def answer(self, body):
        self.send_response(200)
        self.send_header("X-Amzn-SageMaker-Custom-Attributes", "another/9")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
ThreadingHTTPServer(("127.0.0.1", int(os.environ["SAGEMAKER_BIND_TO_PORT"])), Other).serve_forever()
"""

Deploy = Callable[..., Result]
Register = Callable[[str], Any]


@pytest.fixture
def put_stack(cloud: Any) -> Callable[[Path, str], None]:
    """Do what CodePipeline's CloudFormation action does with a packaged release."""

    def put(release: Path, stage: str) -> None:
        configuration = json.loads((release / f"{stage}.json").read_text())
        name = configuration["Parameters"]["EndpointName"]
        request = {
            "StackName": name,
            "TemplateBody": (release / "endpoint.yaml").read_text(),
            "Parameters": [
                {"ParameterKey": key, "ParameterValue": value} for key, value in configuration["Parameters"].items()
            ],
            "Tags": [{"Key": key, "Value": value} for key, value in configuration["Tags"].items()],
        }
        cloudformation = cloud.client("cloudformation")
        there = [stack["StackName"] for stack in cloudformation.describe_stacks()["Stacks"]]
        verb = "update" if name in there else "create"
        getattr(cloudformation, f"{verb}_stack")(**request)
        waiter = cloudformation.get_waiter(f"stack_{verb}_complete")
        waiter.wait(StackName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 120})

    return put


def exported(release: Path) -> dict[str, str]:
    """The variables that a shell exports after reading the release's."""
    printed = subprocess.run(
        ["sh", "-c", ". ./variables.sh && env -0"], cwd=release, capture_output=True, text=True, check=True, env={}
    ).stdout
    variables = dict(entry.split("=", 1) for entry in printed.split("\0") if entry)
    return {name: variables[name] for name in ("MODEL_NAME", "MODEL_VERSION", "PLAN", "MODEL_URL")}


def parameters(release: Path, stage: str) -> dict[str, str]:
    return dict(json.loads((release / f"{stage}.json").read_text())["Parameters"])


@pytest.mark.parametrize(
    ("pin", "says"),
    [
        ({"MODEL_VERSION": ""}, "MODEL_VERSION is empty: no version of iris is pinned"),
        ({"MODEL_VERSION": "latest"}, "which pins nothing"),
        ({"MODEL_VERSION": "77"}, "iris has no version 77 in the registry"),
        ({"MODEL_VERSION": "best"}, "iris has no alias 'best'"),
        ({"MODEL_NAME": "rose", "MODEL_VERSION": "1"}, "has no model 'rose'"),
        ({"SERVING_IMAGE": "", "SERVING_REPOSITORY": ""}, "SERVING_REPOSITORY is not set"),
    ],
)
def test_a_pin_that_cannot_be_released_is_told_and_leaves_no_files(
    deploy: Deploy, iris: str, tmp_path: Path, pin: dict[str, str], says: str
) -> None:
    ran = deploy("package", "--output", str(tmp_path / "release"), **{"MODEL_NAME": iris, "MODEL_VERSION": "2", **pin})
    assert (ran.exit_code, "Traceback" in ran.stderr) == (1, False)
    assert says in ran.stderr
    assert not (tmp_path / "release").exists()


def test_a_missing_version_lists_those_there_are(deploy: Deploy, registered: Register, tmp_path: Path) -> None:
    registered("listed").set_registered_model_alias("listed", "champion", "1")
    ran = deploy("package", "--output", str(tmp_path), MODEL_NAME="listed", MODEL_VERSION="77")
    assert "It has versions 2, 1 (champion)." in ran.stderr


def test_a_tier_that_prod_does_not_take_ends_the_release_before_staging(
    deploy: Deploy, registered: Register, tmp_path: Path
) -> None:
    registered("lowly").set_model_version_tag("lowly", "1", "tier", "bronze")
    ran = deploy("package", "--output", str(tmp_path / "release"), MODEL_NAME="lowly", MODEL_VERSION="1")
    assert ran.exit_code == 1
    assert "prod takes versions of tier gold or standard, but lowly version 1 is of tier bronze" in ran.stderr
    assert not (tmp_path / "release").exists()


def test_a_deleted_model_is_named(deploy: Deploy, registered: Register, tmp_path: Path) -> None:
    registered("gone").delete_registered_model("gone")
    ran = deploy("package", "--output", str(tmp_path), MODEL_NAME="gone", MODEL_VERSION="1")
    assert (ran.exit_code, "has no model 'gone'" in ran.stderr) == (1, True)


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({"STAGE": ""}, "STAGE is not set: set it to the stage to test, staging or prod"),
        ({"STAGE": "canary"}, "There is no release in"),
        ({"STAGE": "staging"}, "There is no release in"),
        ({"STAGE": "staging", "MLFLOW_TRACKING_URI": ""}, "MLFLOW_TRACKING_URI is not set"),
    ],
)
def test_a_smoke_test_without_stage_release_or_server_is_refused(
    deploy: Deploy, tmp_path: Path, variables: dict[str, str], says: str
) -> None:
    ran = deploy("smoke-test", "--release", str(tmp_path), **variables)
    assert (ran.exit_code, "Traceback" in ran.stderr) == (1, False)
    assert says in ran.stderr


def test_a_release_that_cannot_be_read_is_named(deploy: Deploy, tmp_path: Path) -> None:
    (tmp_path / "release.json").write_text('{"model_name": "iris"}')
    ran = deploy("smoke-test", "--release", str(tmp_path), "--stage", "staging")
    assert (ran.exit_code, "release.json is no release that this program can read" in ran.stderr) == (1, True)


def test_a_smoke_test_is_quick_because_mlflow_is_not_imported() -> None:
    code = (
        "import sys, model_deploy.__main__; "
        "print(sorted({'mlflow', 'pandas', 'numpy', 'sklearn', 'skops'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"


def test_a_packaged_version_goes_through_both_stages_and_is_gone_back_from(
    cloud: Any,
    deploy: Deploy,
    registered: Register,
    put_stack: Callable[[Path, str], None],
    predictions: Callable[[str], list[str]],
    tmp_path: Path,
    settings: dict[str, str],
) -> None:
    registry = registered("rolled")
    registry.set_model_version_tag("rolled", "1", "source_commit", "abcdef0123456789")
    registry.set_model_version_tag("rolled", "1", "source_trigger", "codepipeline/team-model-build")
    mlflow.MlflowClient().log_metric(registry.get_model_version("rolled", "1").run_id, "accuracy", 0.96667)
    first, second = tmp_path / "first", tmp_path / "second"

    packaged = deploy("package", "--output", str(first), MODEL_NAME="rolled", MODEL_VERSION="1")
    assert packaged.exit_code == 0, packaged.stderr
    told = exported(first)
    assert (told["MODEL_NAME"], told["MODEL_VERSION"]) == ("rolled", "1")
    assert told["MODEL_URL"] == f"{settings['MLFLOW_TRACKING_URI']}/#/models/rolled/versions/1"
    assert told["PLAN"].startswith("Release rolled version 1 (tier gold). staging: nothing serves yet, then version 1.")
    assert "accuracy 0.9667" in told["PLAN"]
    assert "Trained by codepipeline/team-model-build from commit abcdef012345." in told["PLAN"]
    url = parameters(first, "staging")["ModelDataUrl"]
    assert url == parameters(first, "prod")["ModelDataUrl"]
    assert url.split("/")[-2] in told["PLAN"]

    early = deploy("smoke-test", "--release", str(first), "--stage", "staging")
    assert (early.exit_code, "There is no endpoint rolled-staging" in early.stderr) == (1, True)

    put_stack(first, "staging")
    by_hand = deploy("plan", MODEL_NAME="rolled", MODEL_VERSION="1")
    assert "Plan for rolled-staging: nothing to change" in by_hand.stdout, "the same parameters as by hand"
    tested = deploy("smoke-test", "--release", str(first), "--summary", str(tmp_path / "s.json"), STAGE="staging")
    assert tested.exit_code == 0, tested.stderr
    assert "Smoke test of rolled-staging passed: 3 rows as the model predicts them" in tested.stdout
    assert registry.get_model_version_by_alias("rolled", "staging").version == "1"
    tags = registry.get_model_version("rolled", "1").tags
    assert (tags["staging_endpoint"], tags["staging_commit"]) == ("rolled-staging", "c0ffee")
    assert json.loads((tmp_path / "s.json").read_text())["served"] == "rolled/1"

    assert deploy("smoke-test", "--release", str(first), STAGE="staging").exit_code == 0
    assert registry.get_model_version("rolled", "1").tags == tags, "tested again is not deployed again"

    packaged = deploy("package", "--output", str(second), MODEL_NAME="rolled", MODEL_VERSION="2")
    assert packaged.exit_code == 0, packaged.stderr
    plan = exported(second)["PLAN"]
    assert "staging: version 1 now, then version 2." in plan
    assert "prod: nothing serves yet, then version 2." in plan
    stale = deploy("smoke-test", "--release", str(second), STAGE="staging")
    assert stale.exit_code == 1
    assert f"serves the model package {url}, not {parameters(second, 'staging')['ModelDataUrl']}" in stale.stderr

    put_stack(second, "staging")
    put_stack(second, "prod")
    for stage in ("staging", "prod"):
        assert deploy("smoke-test", "--release", str(second), STAGE=stage).exit_code == 0
        assert predictions(f"rolled-{stage}") == ["setosa", "versicolor", "virginica"]
        assert registry.get_model_version_by_alias("rolled", stage).version == "2"

    back = tmp_path / "back"
    assert deploy("package", "--output", str(back), MODEL_NAME="rolled", MODEL_VERSION="1").exit_code == 0
    assert parameters(back, "staging") == parameters(first, "staging"), "the same pin is the same deployment"
    assert "prod: version 2 now, then version 1." in exported(back)["PLAN"]


def test_the_image_is_named_by_what_serving_holds_when_none_is_given(
    deploy: Deploy, registered: Register, serving_image: str, tmp_path: Path
) -> None:
    registered("imaged")
    repository = serving_image.partition(":")[0]
    ran = deploy(
        *("package", "--output", str(tmp_path), "--repository", repository, "--python", PYTHON),
        SERVING_IMAGE="",
        MODEL_NAME="imaged",
        MODEL_VERSION="1",
    )
    assert ran.exit_code == 0, ran.stderr
    assert parameters(tmp_path, "prod")["ServingImage"] == serving_image


def test_an_endpoint_where_another_version_answers_fails_and_moves_no_alias(
    deploy: Deploy,
    registered: Register,
    put_stack: Callable[[Path, str], None],
    image_of: Callable[[Path, str, str], str],
    tmp_path: Path,
) -> None:
    registry = registered("usurped")
    (tmp_path / "image").mkdir()
    image = image_of(tmp_path / "image", WRONG_SERVER, "d")
    release = tmp_path / "release"
    ran = deploy("package", "--output", str(release), MODEL_NAME="usurped", MODEL_VERSION="1", SERVING_IMAGE=image)
    assert ran.exit_code == 0, ran.stderr
    put_stack(release, "staging")
    failed = deploy("smoke-test", "--release", str(release), STAGE="staging")
    assert failed.exit_code == 1
    assert "Smoke test of usurped-staging failed: another/9 answers, not usurped/1" in failed.stderr.replace(
        "The s", "S"
    )
    assert "staging" not in registry.get_registered_model("usurped").aliases


def test_a_version_that_crashes_at_its_start_leaves_the_one_before_and_says_where_to_look(
    cloud: Any,
    deploy: Deploy,
    registered: Register,
    put_stack: Callable[[Path, str], None],
    image_of: Callable[[Path, str, str], str],
    predictions: Callable[[str], list[str]],
    tmp_path: Path,
) -> None:
    registry = registered("crashing")
    good, bad = tmp_path / "good", tmp_path / "bad"
    assert deploy("package", "--output", str(good), MODEL_NAME="crashing", MODEL_VERSION="1").exit_code == 0
    put_stack(good, "staging")
    assert deploy("smoke-test", "--release", str(good), STAGE="staging").exit_code == 0

    (tmp_path / "image").mkdir()
    image = image_of(tmp_path / "image", "raise SystemExit('the licence has run out')", "c")
    ran = deploy("package", "--output", str(bad), MODEL_NAME="crashing", MODEL_VERSION="2", SERVING_IMAGE=image)
    assert ran.exit_code == 0, ran.stderr
    with pytest.raises(WaiterError):
        put_stack(bad, "staging")

    stack = cloud.client("cloudformation").describe_stacks(StackName="crashing-staging")["Stacks"][0]
    events = cloud.client("cloudformation").describe_stack_events(StackName="crashing-staging")["StackEvents"]
    reasons = [event["ResourceStatusReason"] for event in events if event["ResourceStatus"] == "UPDATE_FAILED"]
    assert stack["StackStatus"].startswith("UPDATE_ROLLBACK")
    assert any("CloudWatch" in reason for reason in reasons), reasons
    logs = cloud.client("logs")
    group = "/aws/sagemaker/Endpoints/crashing-staging"
    lines = [event["message"] for event in logs.filter_log_events(logGroupName=group)["events"]]
    assert any("the licence has run out" in line for line in lines), "what failed is still there to be read"
    assert predictions("crashing-staging") == ["setosa", "versicolor", "versicolor"]

    failed = deploy("smoke-test", "--release", str(bad), STAGE="staging")
    assert (failed.exit_code, "Its stack was not updated" in failed.stderr) == (1, True)
    assert registry.get_model_version_by_alias("crashing", "staging").version == "1"


def test_a_registry_that_is_down_fails_the_smoke_test_after_the_endpoint_answered(
    deploy: Deploy, registered: Register, put_stack: Callable[[Path, str], None], tmp_path: Path
) -> None:
    registered("unrecorded")
    assert deploy("package", "--output", str(tmp_path), MODEL_NAME="unrecorded", MODEL_VERSION="2").exit_code == 0
    put_stack(tmp_path, "staging")
    failed = deploy("smoke-test", "--release", str(tmp_path), STAGE="staging", MLFLOW_TRACKING_URI="http://127.0.0.1:9")
    assert (failed.exit_code, "Smoke test of unrecorded-staging passed" in failed.stdout) == (1, True)
    assert "The tracking server at http://127.0.0.1:9 could not look up unrecorded version 2" in failed.stderr
    shutil.rmtree(tmp_path)
