"""Projects and builds as the API makes, reads, limits and deletes them."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import psutil
import pytest

TRUE = json.dumps({"version": "0.2", "phases": {"build": {"commands": ["true"]}}})
SLEEP = json.dumps({"version": "0.2", "phases": {"build": {"commands": ["echo begun", "sleep 60"]}}})


@dataclass(frozen=True)
class RunningCloud:
    """A cloud that a test has started by itself."""

    endpoint_url: str
    home: Path

    def client(self, service: str) -> Any:
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        return boto3.client(service, endpoint_url=self.endpoint_url, region_name="us-east-1", **keys)

    def new_bucket(self) -> str:
        self.client("s3").create_bucket(Bucket="bucket")
        return "bucket"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"serviceRole": "arn:aws:iam::123456789012:role/none"}, "sts:AssumeRole on service role"),
        ({"source": {"type": "NO_SOURCE"}}, "NO_SOURCE but no buildspec"),
        ({"source": {"type": "S3"}}, "location is required"),
        ({"source": {"type": "CODEPIPELINE"}}, "must both have the type CODEPIPELINE"),
        ({"artifacts": {"type": "S3"}}, "Invalid artifacts: location is required"),
        ({"cache": {"type": "S3"}}, "Invalid cache: location"),
        ({"environment": {"type": "WINDOWS_CONTAINER"}}, "WINDOWS_CONTAINER is not carried out"),
        ({"logsConfig": {"s3Logs": {"status": "ENABLED", "location": "b/l"}}}, "logsConfig.s3Logs is not carried out"),
        ({"badgeEnabled": True}, "badgeEnabled is not carried out"),
        ({"autoRetryLimit": 2}, "autoRetryLimit is not carried out"),
        ({"fileSystemLocations": [{"type": "EFS"}]}, "fileSystemLocations is not carried out"),
    ],
)
def test_a_project_that_could_not_be_built_is_refused(builds: Any, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(builds.codebuild.exceptions.InvalidInputException, match=said):
        builds.project({}, **changes)


def test_a_role_that_does_not_trust_codebuild_is_refused(builds: Any) -> None:
    statement = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    role = builds.role(trust={"Version": "2012-10-17", "Statement": [statement]})

    with pytest.raises(builds.codebuild.exceptions.InvalidInputException, match="not authorized to perform"):
        builds.project({}, serviceRole=role)


@pytest.mark.parametrize(
    "override",
    [
        {"debugSessionEnabled": True},
        {"reportBuildStatusOverride": True},
        {"certificateOverride": "arn:aws:s3:::b/c"},
        {"autoRetryLimitOverride": 1},
        {"hostKernelOverride": "LINUX_KERNEL_6"},
    ],
)
def test_an_override_that_is_not_carried_out_is_refused_by_name(builds: Any, override: dict[str, Any]) -> None:
    project = builds.project({"buildspec.yml": TRUE})

    with pytest.raises(builds.codebuild.exceptions.InvalidInputException, match=f"^.*{next(iter(override))} is not"):
        builds.start(project, **override)


def test_what_does_not_exist_is_not_found(builds: Any) -> None:
    codebuild, missing = builds.codebuild, builds.codebuild.exceptions.ResourceNotFoundException
    for call in (
        lambda: codebuild.start_build(projectName="none"),
        lambda: codebuild.update_project(name="none"),
        lambda: codebuild.stop_build(id="none:1"),
        lambda: codebuild.retry_build(id="none:1"),
        lambda: codebuild.list_builds_for_project(projectName="none"),
        lambda: codebuild.list_reports_for_report_group(reportGroupArn="arn:none"),
        lambda: codebuild.describe_test_cases(reportArn="arn:none"),
    ):
        with pytest.raises(missing):
            call()
    assert codebuild.batch_get_builds(ids=["none:1"])["buildsNotFound"] == ["none:1"]
    assert codebuild.batch_get_projects(names=["none"])["projectsNotFound"] == ["none"]
    codebuild.delete_project(name="none")


def test_a_taken_name_is_refused_and_an_update_changes_what_it_names(builds: Any) -> None:
    codebuild, project = builds.codebuild, builds.project({"buildspec.yml": TRUE}, description="first")
    before = codebuild.batch_get_projects(names=[project])["projects"][0]
    same = {key: before[key] for key in ("name", "source", "artifacts", "environment", "serviceRole")}

    with pytest.raises(codebuild.exceptions.ResourceAlreadyExistsException):
        codebuild.create_project(**same)
    with pytest.raises(codebuild.exceptions.InvalidInputException):
        codebuild.update_project(name=project, source={"type": "NO_SOURCE"})
    codebuild.update_project(name=project, description="second", timeoutInMinutes=7)
    after = codebuild.batch_get_projects(names=[before["arn"]])["projects"][0]

    assert (after["description"], after["timeoutInMinutes"], after["source"]) == ("second", 7, before["source"])
    assert project in codebuild.list_projects()["projects"]
    codebuild.delete_project(name=project)
    assert project not in codebuild.list_projects()["projects"]


def test_a_build_is_described_with_its_phases_and_where_its_log_is(builds: Any) -> None:
    project = builds.project({"buildspec.yml": TRUE})

    built = builds.ended(builds.start(project))

    body = built.body
    assert list(built.phases) == [
        "SUBMITTED", "QUEUED", "PROVISIONING", "DOWNLOAD_SOURCE", "INSTALL", "PRE_BUILD", "BUILD", "POST_BUILD",
        "UPLOAD_ARTIFACTS", "FINALIZING", "COMPLETED",
    ]  # fmt: skip
    assert all(phase["durationInSeconds"] >= 0 for phase in body["phases"][:-1])
    assert body["id"].startswith(f"{project}:")
    assert body["arn"].endswith(f":build/{body['id']}")
    assert body["buildNumber"] == 1
    assert body["initiator"].startswith("user/")
    assert body["logs"]["groupName"] == f"/aws/codebuild/{project}"
    assert body["logs"]["deepLink"] == f"{builds.cloud.endpoint_url}/_local/builds/{body['id']}"
    assert "Running command true" in built.log
    assert not any(key.startswith("_") for key in body)


def test_a_project_may_choose_its_log_or_have_none(builds: Any) -> None:
    named = {"cloudWatchLogs": {"status": "ENABLED", "groupName": f"/own/{uuid.uuid4().hex}", "streamName": "builds"}}
    none = {"cloudWatchLogs": {"status": "DISABLED"}}

    own = builds.run(TRUE, logsConfig=named)
    silent = builds.ended(builds.start(builds.project({"buildspec.yml": TRUE}), logsConfigOverride=none))

    assert own.body["logs"]["groupName"] == named["cloudWatchLogs"]["groupName"]
    assert own.body["logs"]["streamName"].startswith("builds/")
    assert "Running command true" in own.log
    assert (silent.status, silent.log) == ("SUCCEEDED", "")


def test_more_builds_than_the_project_allows_are_refused_and_the_log_arrives_meanwhile(builds: Any) -> None:
    project = builds.project({"buildspec.yml": SLEEP}, concurrentBuildLimit=1)
    running = builds.start(project)
    deadline = time.monotonic() + 20
    while "begun" not in builds.log(builds.get(running)).splitlines():
        assert time.monotonic() < deadline
        time.sleep(0.05)

    with pytest.raises(builds.codebuild.exceptions.AccountLimitExceededException, match="more than 1 builds"):
        builds.start(project)
    kept = builds.codebuild.batch_delete_builds(ids=[running])["buildsNotDeleted"]
    builds.codebuild.stop_build(id=running)
    stopped = builds.ended(running)

    assert kept == [{"id": running, "statusCode": "BUILD_IN_PROGRESS"}]
    assert stopped.status == "STOPPED"
    builds.codebuild.stop_build(id=builds.start(project))


def test_the_same_token_starts_one_build(builds: Any) -> None:
    project, token = builds.project({"buildspec.yml": TRUE}), uuid.uuid4().hex

    first, second = [builds.start(project, idempotencyToken=token) for _ in range(2)]

    assert first == second
    with pytest.raises(builds.codebuild.exceptions.InvalidInputException, match="other parameters"):
        builds.start(project, idempotencyToken=token, timeoutInMinutesOverride=9)


def test_builds_are_listed_retried_and_deleted(builds: Any) -> None:
    codebuild, project = builds.codebuild, builds.project({"buildspec.yml": TRUE})
    spec = TRUE.replace("true", "echo $A")
    given = [{"name": "A", "value": "again"}]
    first = builds.ended(builds.start(project, buildspecOverride=spec, environmentVariablesOverride=given))

    second = builds.ended(codebuild.retry_build(id=first.body["id"])["build"]["id"])

    ids = [first.body["id"], second.body["id"]]
    assert second.said == first.said == ["again"]
    assert second.body["buildNumber"] == 2
    assert codebuild.list_builds_for_project(projectName=project)["ids"] == ids[::-1]
    assert codebuild.list_builds_for_project(projectName=project, sortOrder="ASCENDING")["ids"] == ids
    assert set(ids) <= set(codebuild.list_builds()["ids"])
    deleted = codebuild.batch_delete_builds(ids=ids)
    assert len(deleted["buildsDeleted"]) == 2
    assert codebuild.batch_get_builds(ids=ids)["buildsNotFound"] == ids


@pytest.mark.parametrize("how", ["kill", "terminate"])
def test_builds_in_progress_at_a_restart_have_failed_with_the_reason(
    restartable: Any, builds_of: Any, how: str
) -> None:
    cloud = restartable()
    builds = builds_of(cloud)
    build = builds.start(builds.project({"buildspec.yml": SLEEP}))
    deadline = time.monotonic() + 20
    while builds.get(build)["currentPhase"] != "BUILD":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    getattr(cloud.process, how)()
    cloud.stop()

    again = restartable()
    body = again.client("codebuild").batch_get_builds(ids=[build])["builds"][0]

    assert body["buildStatus"] == "FAILED"
    assert body["buildComplete"] is True
    failed = next(phase for phase in body["phases"] if phase["phaseType"] == "BUILD")
    assert "local-aws was stopped while the build was in progress" in failed["contexts"][0]["message"]
    assert list((again.home / "builds").glob("*-*")) == []


def test_a_build_that_takes_too_long_is_ended_and_says_so(tmp_path: Path, builds_of: Any) -> None:
    # The shortest time that a project may have is five minutes: here they are short ones.
    program = "from local_aws.codebuild import run; from local_aws.__main__ import main; "
    program += "run.SECONDS_OF_A_MINUTE = 0.4; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", program, "up", "--foreground", "--home", str(tmp_path / "home")],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    running = RunningCloud(process.stdout.readline().split()[-1], tmp_path / "home")
    try:
        builds = builds_of(running)
        spec = SLEEP.replace("echo begun", "sleep 4545.4545 & true")
        built = builds.ended(builds.start(builds.project({"buildspec.yml": spec}, timeoutInMinutes=5)))
    finally:
        process.terminate()
        process.wait(30)
        process.stdout.close()

    assert built.status == "TIMED_OUT"
    assert built.phases["BUILD"] == "TIMED_OUT"
    assert built.context("BUILD").startswith("BUILD_TIMED_OUT: Build has timed out: it ran longer than its 5 minutes")
    assert not [each for each in psutil.process_iter(["cmdline"]) if each.info["cmdline"] == ["sleep", "4545.4545"]]


def test_rules_hear_of_a_builds_phases_and_of_its_end(builds: Any) -> None:
    project = builds.project({"buildspec.yml": TRUE})
    sqs, rules = builds.cloud.client("sqs"), builds.cloud.client("events")
    queue = sqs.create_queue(QueueName=project)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    pattern = {"source": ["aws.codebuild"], "detail": {"project-name": [project]}}
    rules.put_rule(Name=project, EventPattern=json.dumps(pattern))
    rules.put_targets(Rule=project, Targets=[{"Id": "queue", "Arn": arn}])

    built = builds.ended(builds.start(project))
    heard: list[dict[str, Any]] = []
    deadline = time.monotonic() + 20
    while not any(event["detail"].get("build-status") == "SUCCEEDED" for event in heard):
        assert time.monotonic() < deadline, heard
        messages = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
        heard += [json.loads(message["Body"]) for message in messages]
        for message in messages:
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])

    phases = [event["detail"]["completed-phase"] for event in heard if "completed-phase" in event["detail"]]
    assert {"SUBMITTED", "BUILD", "FINALIZING"} <= set(phases)
    assert all(event["resources"] == [built.body["arn"]] for event in heard)


def test_many_builds_at_once_each_have_their_own(builds: Any) -> None:
    spec = TRUE.replace("true", "echo $N > own; sleep 0.2; cat own; echo $HOME")
    project = builds.project({"buildspec.yml": spec})
    started = [
        builds.start(project, environmentVariablesOverride=[{"name": "N", "value": str(number)}]) for number in range(6)
    ]

    said = [builds.ended(build).said for build in started]

    assert [lines[0] for lines in said] == [str(number) for number in range(6)]
    assert len({lines[1] for lines in said}) == 6
    numbers = [builds.get(build)["buildNumber"] for build in started]
    assert numbers == [1, 2, 3, 4, 5, 6]


def test_a_build_of_one_command_takes_little_more_than_the_command(builds: Any) -> None:
    project = builds.project({"buildspec.yml": TRUE})
    builds.ended(builds.start(project))
    started = time.monotonic()

    builds.ended(builds.start(project))

    # The bound is wide for a busy machine; what it measures is in benchmarks/.
    assert time.monotonic() - started < 5
