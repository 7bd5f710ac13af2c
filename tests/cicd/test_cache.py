"""What a build downloads is there for the next one: kept and found again with the rights that its role has."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
ENDED = ("SUCCEEDED", "FAILED", "FAULT", "STOPPED", "TIMED_OUT")


def log_of_build(team: Any, task: str, command: str) -> str:
    """Run one command in place of a task, with the cache of the repository's buildspec.yml; the log of the build."""
    kept = yaml.safe_load((ROOT / "buildspec.yml").read_text())["cache"]
    buildspec = {"version": 0.2, "phases": {"build": {"commands": [command]}}, "cache": kept}
    codebuild = team.cloud.client("codebuild")
    started = codebuild.start_build(
        projectName=f"{team.project}-{task}",
        sourceTypeOverride="NO_SOURCE",
        artifactsOverride={"type": "NO_ARTIFACTS"},
        buildspecOverride=yaml.safe_dump(buildspec),
    )["build"]
    until = time.monotonic() + 60
    while (build := codebuild.batch_get_builds(ids=[started["id"]])["builds"][0])["buildStatus"] not in ENDED:
        assert time.monotonic() < until, build
        time.sleep(0.05)
    where = build["logs"]
    events = team.cloud.client("logs").get_log_events(
        logGroupName=where["groupName"], logStreamName=where["streamName"], startFromHead=True
    )["events"]
    log = "".join(event["message"] for event in events)
    assert build["buildStatus"] == "SUCCEEDED", log
    return log


def test_a_build_keeps_what_it_downloaded_for_the_next_one(deployed: Any) -> None:
    first = log_of_build(deployed, "serving-image", "mkdir -p .cache/uv && echo wheel > .cache/uv/scipy.whl")
    assert "No cache to restore" in first
    assert "Kept 1 file(s) in the cache" in first
    second = log_of_build(deployed, "serving-image", "grep wheel .cache/uv/scipy.whl")
    assert "Restored 1 file(s) of the cache" in second
    assert "not authorized" not in first + second
    listed = deployed.cloud.client("s3").list_objects_v2(Bucket=deployed.outputs()["PipelineBucket"], Prefix="cache/")
    assert [row["Key"].split("/")[1] for row in listed["Contents"]] == ["serving-image"]
