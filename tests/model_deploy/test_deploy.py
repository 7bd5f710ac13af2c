"""Deployments through the front door: `python -m model_deploy` against a running cloud and a running MLflow server."""

import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from click.testing import Result

REPOSITORY = "123456789012.dkr.ecr.us-east-1.amazonaws.com/serving"
# Answers /ping like a good endpoint, and every question with the same class.
WRONG_SERVER = """
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Wrong(BaseHTTPRequestHandler):
    def do_GET(self): self.answer(b"")
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.answer(b'{"predictions": ["rose", "rose", "rose"]}')
    def answer(self, body):
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
ThreadingHTTPServer(("127.0.0.1", int(os.environ["SAGEMAKER_BIND_TO_PORT"])), Wrong).serve_forever()
"""

Deploy = Callable[..., Result]


def endpoint_is(cloud: Any, name: str) -> str:
    found = cloud.client("sagemaker").list_endpoints(NameContains=name)["Endpoints"]
    return str(found[0]["EndpointStatus"]) if found else "missing"


def test_a_pin_goes_to_staging_and_with_approval_to_prod_and_back_again(
    cloud: Any,
    deploy: Deploy,
    settings: dict[str, str],
    registered: Callable[[str], Any],
    tmp_path: Path,
    predictions: Callable[[str], list[str]],
) -> None:
    name = "walk"
    registry, version = registered(name), {"MODEL_NAME": name}

    first = subprocess.run(
        [sys.executable, "-m", "model_deploy"], env={**settings, **version, "MODEL_VERSION": "1"},
        capture_output=True, text=True, check=False, timeout=240,
    )  # fmt: skip
    assert first.returncode == 0, first.stderr
    assert "Plan for walk-staging: create (it is not there yet)" in first.stdout
    assert "Smoke test of walk-staging passed: 3 rows as the model predicts them" in first.stdout
    assert "prod is untouched: deploy it with --approve" in first.stdout
    assert predictions("walk-staging") == ["setosa", "versicolor", "versicolor"]
    assert endpoint_is(cloud, "walk-prod") == "missing"
    tags = registry.get_model_version(name, "1").tags
    assert (tags["staging_endpoint"], tags["staging_commit"]) == ("walk-staging", "c0ffee")

    stack = cloud.client("cloudformation").describe_stacks(StackName="walk-staging")["Stacks"][0]
    outputs = {each["OutputKey"]: each["OutputValue"] for each in stack["Outputs"]}
    assert (outputs["EndpointName"], outputs["ServedModel"]) == ("walk-staging", "walk/1")

    again = deploy(MODEL_VERSION="staging", **version)
    assert again.exit_code == 0, again.stderr
    assert "walk-staging: nothing to change, it serves walk version 1 already" in again.stdout
    assert "there already" in again.stdout
    events = cloud.client("cloudformation").describe_stack_events(StackName="walk-staging")["StackEvents"]
    assert {event["ResourceStatus"] for event in events if "UPDATE" in event["ResourceStatus"]} == set()
    assert registry.get_model_version(name, "1").tags == tags

    approved = deploy("--approve", MODEL_VERSION="2", **version)
    assert approved.exit_code == 0, approved.stderr
    assert "Plan for walk-staging: update; it serves walk version 1" in approved.stdout
    for endpoint in ("walk-staging", "walk-prod"):
        assert predictions(endpoint) == ["setosa", "versicolor", "virginica"]
    assert registry.get_model_version_by_alias(name, "staging").version == "2"
    assert registry.get_model_version_by_alias(name, "prod").version == "2"
    config = cloud.client("sagemaker").describe_endpoint(EndpointName="walk-staging")["EndpointConfigName"]
    models = cloud.client("sagemaker").list_models(NameContains="walk")["Models"]
    assert len(models) == 2, "the model of version 1 is gone, each stage has one"
    assert config

    planned = deploy("plan", MODEL_VERSION="1", **version)
    assert planned.exit_code == 0, planned.stderr
    assert "Plan for walk-prod: update; it serves walk version 2" in planned.stdout
    assert predictions("walk-prod") == ["setosa", "versicolor", "virginica"]

    back = deploy("--approve", MODEL_VERSION="1", **version)
    assert back.exit_code == 0, back.stderr
    assert predictions("walk-prod") == ["setosa", "versicolor", "versicolor"]
    assert registry.get_model_version_by_alias(name, "prod").version == "1"

    rows = tmp_path / "rows.csv"
    rows.write_text(
        "sepal length (cm),sepal width (cm),petal length (cm),petal width (cm)\n5.1,3.5,1.4,0.2\n7.7,2.6,6.9,2.3\n"
    )
    asked = deploy("invoke", "--endpoint", "walk-prod", "--csv", str(rows))
    assert asked.exit_code == 0, asked.stderr
    assert "5.1, 3.5, 1.4, 0.2 │ setosa" in asked.stdout
    plain = deploy(
        "invoke", "--endpoint", "walk-prod", "--plain", "--row", "5.1,3.5,1.4,0.2", "--row", "5.0,2.0,3.5,1.0"
    )
    assert plain.stdout == "setosa\nversicolor\n"
    refused = deploy("invoke", "--endpoint", "walk-prod", "--row", "5.1,3.5")
    assert (refused.exit_code, "answered 400" in refused.stderr) == (1, True)
    absent = deploy("invoke", "--endpoint", "nowhere", "--row", "5.1,3.5,1.4,0.2")
    assert (absent.exit_code, "nowhere cannot be invoked" in absent.stderr) == (1, True)


def test_an_endpoint_that_never_starts_is_told_with_the_end_of_its_log_and_taken_away(
    cloud: Any,
    deploy: Deploy,
    registered: Callable[[str], Any],
    tmp_path: Path,
    image_of: Callable[[Path, str, str], str],
) -> None:
    registered("stillborn")
    broken = image_of(tmp_path, "raise SystemExit('the licence has run out')", "f")
    ran = deploy("--approve", MODEL_NAME="stillborn", MODEL_VERSION="1", SERVING_IMAGE=broken)
    assert ran.exit_code == 1
    assert "stillborn version 1 could not be deployed to stillborn-staging: Endpoint: " in ran.stderr
    assert "log: the licence has run out" in ran.stderr
    assert "What was made of the stack is removed again." in ran.stderr
    assert endpoint_is(cloud, "stillborn") == "missing"
    assert "Traceback" not in ran.stderr


def test_an_update_that_fails_leaves_the_version_before_in_service(
    cloud: Any,
    deploy: Deploy,
    registered: Callable[[str], Any],
    tmp_path: Path,
    predictions: Callable[[str], list[str]],
    image_of: Callable[[Path, str, str], str],
) -> None:
    registry = registered("steady")
    assert deploy(MODEL_NAME="steady", MODEL_VERSION="1").exit_code == 0

    broken = image_of(tmp_path, "raise SystemExit('the licence has run out')", "f")
    failed = deploy("--approve", MODEL_NAME="steady", MODEL_VERSION="2", SERVING_IMAGE=broken)
    assert failed.exit_code == 1
    assert "log: the licence has run out" in failed.stderr
    assert "rolled back: steady-staging serves steady version 1 as before" in failed.stderr
    assert predictions("steady-staging") == ["setosa", "versicolor", "versicolor"]

    wrong = image_of(tmp_path, WRONG_SERVER, "e")
    failed = deploy("--approve", MODEL_NAME="steady", MODEL_VERSION="2", SERVING_IMAGE=wrong)
    assert failed.exit_code == 1
    assert "the model predicts 'setosa', the endpoint answered 'rose'" in failed.stderr
    assert "steady-staging serves steady version 1 again" in failed.stderr
    assert predictions("steady-staging") == ["setosa", "versicolor", "versicolor"]
    assert endpoint_is(cloud, "steady-prod") == "missing"
    assert registry.get_model_version_by_alias("steady", "staging").version == "1"


def test_a_skew_is_refused_before_anything_is_deployed(
    cloud: Any, deploy: Deploy, registered: Callable[[str], Any]
) -> None:
    registered("skewed")
    ran = deploy(MODEL_NAME="skewed", MODEL_VERSION="1", SERVING_IMAGE=f"{REPOSITORY}:py3.9-sklearn1.2.1-0123456789ab")
    assert ran.exit_code == 1
    assert f"requires scikit-learn=={version('scikit-learn')}, the image has scikit-learn 1.2.1" in ran.stderr
    assert "the image has Python 3.9" in ran.stderr
    stacks = cloud.client("cloudformation").describe_stacks()["Stacks"]
    assert not [stack for stack in stacks if stack["StackName"].startswith("skewed")]


def test_a_bucket_that_is_not_there_is_named_before_anything_is_deployed(
    deploy: Deploy, registered: Callable[[str], Any]
) -> None:
    registered("homeless")
    ran = deploy(MODEL_NAME="homeless", MODEL_VERSION="1", ARTIFACT_BUCKET="no-such-bucket-here")
    assert (ran.exit_code, "no such bucket for this account" in ran.stderr) == (1, True)


def test_what_a_broken_off_creation_left_is_made_anew(
    cloud: Any, deploy: Deploy, registered: Callable[[str], Any], predictions: Callable[[str], list[str]]
) -> None:
    registered("resumed")
    cloudformation = cloud.client("cloudformation")
    cloudformation.create_change_set(
        StackName="resumed-staging",
        ChangeSetName="broken-off",
        ChangeSetType="CREATE",
        TemplateBody="Resources: {Log: {Type: AWS::Logs::LogGroup}}",
    )
    ran = deploy(MODEL_NAME="resumed", MODEL_VERSION="2")
    assert ran.exit_code == 0, ran.stderr
    assert "Plan for resumed-staging: create anew (its creation failed before" in ran.stdout
    assert predictions("resumed-staging") == ["setosa", "versicolor", "virginica"]


def test_prod_takes_only_the_tiers_its_stage_file_lists(
    cloud: Any, deploy: Deploy, registered: Callable[[str], Any]
) -> None:
    registered("untried").set_model_version_tag("untried", "1", "tier", "bronze")
    ran = deploy("--approve", MODEL_NAME="untried", MODEL_VERSION="1")
    assert ran.exit_code == 1
    assert "prod takes versions of tier gold or standard, but untried version 1 is of tier bronze" in ran.stderr
    assert endpoint_is(cloud, "untried") == "missing", "staging is not begun when prod is known to refuse"
