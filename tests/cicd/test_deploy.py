"""`python -m cicd deploy`, `status` and `destroy` against a cloud: what is asked, done, undone, kept and said."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from .in_process import invoked

ROOT = Path(__file__).parents[2]
# What an endpoint stack looks like to whoever takes the CI/CD away.
ENDPOINT = """
Parameters: {EndpointName: {Type: String}, ExecutionRoleArn: {Type: String}}
Resources: {Log: {Type: "AWS::Logs::LogGroup", Properties: {LogGroupName: !Ref EndpointName}}}
"""


def answer(team: Any, text: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the command at a terminal, and type."""
    ours, theirs = pty.openpty()
    os.write(ours, f"{text}\n".encode())
    try:
        done: subprocess.CompletedProcess[str] = team.process(*words, stdin=theirs)
        return done
    finally:
        os.close(ours)
        os.close(theirs)


def test_nothing_is_deployed_where_nobody_can_say_yes(team: Any) -> None:
    done = team.process("deploy")
    assert done.returncode == 1
    assert "AWS::CodePipeline::Pipeline" in done.stdout
    assert "give --yes" in done.stderr
    assert team.status() is None


def test_a_no_leaves_nothing_behind(team: Any) -> None:
    done = answer(team, "n", "deploy")
    assert done.returncode == 1
    assert "Nothing was changed" in done.stderr
    assert team.status() is None


def test_a_bad_parameters_file_is_said_without_a_traceback(team: Any) -> None:
    team.write(provider="Subversion")
    done = team.run("deploy", "--yes")
    assert done.returncode == 1
    assert "provider is 'Subversion'" in done.stderr
    assert "Traceback" not in done.stderr
    assert team.status() is None


def test_a_pending_connection_is_said_with_the_link_to_finish_it(deployed: Any) -> None:
    done = deployed.run("deploy", "--yes")
    assert done.returncode == 0, done.stderr
    assert "nothing to change" in done.stdout
    assert f"The connection {deployed.outputs()['ConnectionArn']} is PENDING" in done.stdout
    assert "https://us-east-1.console.aws.amazon.com/codesuite/settings/connections" in done.stdout
    assert "executions fail at their stage Source" in done.stdout


def test_the_state_of_all_stages_is_shown(deployed: Any) -> None:
    shown = deployed.process("status").stdout
    for word in ("Package", "Staging", "Approve", "Prod", f"{deployed.project}-model-build", "PENDING"):
        assert word in shown


def test_a_failed_first_deployment_says_why_and_is_removed(team: Any, deployed: Any) -> None:
    team.write(project_name=deployed.project, stack=team.stack)
    done = team.run("deploy", "--yes")
    assert done.returncode == 1
    assert "could not be deployed" in done.stderr
    assert "already exists" in done.stderr
    assert "removed again" in done.stderr
    assert team.status() is None
    assert team.buckets() == set()


def test_an_update_is_shown_one_that_fails_is_rolled_back_and_everything_goes_when_that_is_asked_for(
    team: Any, deployed: Any
) -> None:
    before = team.deploy()
    team.write(branch="release")
    done = team.run("deploy", "--yes")
    assert done.returncode == 0, done.stderr
    row = next(line for line in done.stdout.splitlines() if "Branch" in line)
    assert "main" in row
    assert "release" in row
    assert "ModelDeployPipeline (Stages, Triggers)" in done.stdout
    assert "2 changed" in done.stdout
    assert team.status() == "UPDATE_COMPLETE"

    # The names of another project are taken.
    team.write(branch="release", project_name=deployed.project, stack=team.stack)
    failed = team.run("deploy", "--yes")
    assert failed.returncode == 1
    assert "already exists" in failed.stderr
    assert "rolled back: everything is as it was" in failed.stderr
    assert team.status() == "UPDATE_ROLLBACK_COMPLETE"
    assert team.outputs() == before

    team.write(branch="release")
    team.cloud.client("s3").put_object(Bucket=before["ArtifactBucket"], Key="models/kept", Body=b"first")
    assert team.run("destroy", "--yes", "--delete-artifacts").returncode == 0
    assert team.buckets() == set()


def test_a_removal_is_agreed_to_by_name_and_leaves_models(team: Any) -> None:
    outputs, s3, cloudformation = team.deploy(), team.cloud.client("s3"), team.cloud.client("cloudformation")
    for name in ("ArtifactBucket", "PipelineBucket"):
        for body in (b"first", b"second"):
            s3.put_object(Bucket=outputs[name], Key="models/kept", Body=body)
    endpoint = f"{team.project}-staging"
    given = {"EndpointName": endpoint, "ExecutionRoleArn": outputs["EndpointRoleArn"]}
    cloudformation.create_stack(
        StackName=endpoint,
        TemplateBody=ENDPOINT,
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in given.items()],
    )
    cloudformation.get_waiter("stack_create_complete").wait(StackName=endpoint, WaiterConfig={"Delay": 1})

    refused = team.run("destroy", "--yes")
    assert refused.returncode == 1
    assert f"The endpoints {endpoint} run with roles of this stack" in refused.stderr
    mistyped = answer(team, "yes", "destroy", "--endpoints")
    assert "'yes' is not" in mistyped.stderr
    assert team.status() == "CREATE_COMPLETE"

    done = answer(team, team.project, "destroy", "--endpoints")
    assert done.returncode == 0, done.stderr
    assert f"The bucket {outputs['ArtifactBucket']} is kept" in done.stdout
    assert team.status() is None
    assert team.status(endpoint) is None
    assert team.buckets() == {outputs["ArtifactBucket"]}
    assert s3.get_object(Bucket=outputs["ArtifactBucket"], Key="models/kept")["Body"].read() == b"second"
    again = team.run("destroy", "--yes")
    assert again.returncode == 0
    assert "nothing to remove" in again.stdout


def test_the_template_is_offered_to_studio(cloud: Any, bucket: str) -> None:
    s3 = cloud.client("s3")
    words = ["publish-template", "--bucket", bucket, "--prefix", "templates"]
    assert invoked(*words, environment=cloud.environment).returncode == 0
    done = subprocess.run(
        [sys.executable, "-m", "cicd", *words],
        cwd=ROOT,
        env=cloud.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert f"https://{bucket}.s3.us-east-1.amazonaws.com/templates/cicd.yaml" in done.stdout
    assert f"sagemaker:projectS3TemplatesLocation = s3://{bucket}/templates/" in done.stdout
    tags = s3.get_object_tagging(Bucket=bucket, Key="templates/cicd.yaml")["TagSet"]
    assert tags == [{"Key": "sagemaker:studio-visibility", "Value": "true"}]
    rules = s3.get_bucket_cors(Bucket=bucket)["CORSRules"]
    assert [rule["AllowedOrigins"] for rule in rules] == [["https://*.sagemaker.aws"]]


@pytest.mark.parametrize("command", ["deploy", "destroy", "status", "publish-template"])
def test_every_command_explains_itself(command: str) -> None:
    told = invoked(command, "--help", environment=os.environ)
    assert told.returncode == 0
    assert "--" in told.stdout
