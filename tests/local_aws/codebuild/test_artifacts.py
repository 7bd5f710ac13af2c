"""What builds take and leave: sources, artifacts, reports and caches."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import pytest

JUNIT = """<testsuites><testsuite name="unit" tests="4">
<testcase classname="a.b" name="passes" time="0.25"/>
<testcase classname="a.b" name="fails" time="0.5"><failure message="1 is not 2">trace</failure></testcase>
<testcase classname="a.b" name="breaks" time="0"><error message="boom"/></testcase>
<testcase classname="a.b" name="waits" time="0"><skipped message="later"/></testcase>
</testsuite></testsuites>"""


def _spec(*commands: str, **sections: Any) -> str:
    return json.dumps({"version": "0.2", "phases": {"build": {"commands": list(commands) or ["true"]}}, **sections})


def _to_s3(builds: Any, **more: Any) -> dict[str, Any]:
    return {"type": "S3", "location": builds.bucket, "path": "out", "name": "result.zip", "packaging": "ZIP", **more}


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({}, "no definition of the artifact in the buildspec: it has no artifacts"),
        ({"artifacts": {"files": ["*.nothing"]}}, "no matching artifact paths found"),
        ({"artifacts": {"files": ["${A?}"]}}, "the shell cannot expand ${A?}: exit status 2"),
        ({"artifacts": {"files": ["*"], "base-directory": "dist"}}, "no matching base directory path found for dist"),
    ],
)
def test_artifacts_that_are_not_there_fail_their_upload(builds: Any, section: dict[str, Any], said: str) -> None:
    built = builds.run(_spec(**section), artifacts=_to_s3(builds))

    assert built.status == "FAILED"
    assert built.context("UPLOAD_ARTIFACTS") == f"CLIENT_ERROR: {said}"


def test_artifacts_are_attempted_after_a_failed_build_too(builds: Any) -> None:
    built = builds.run(_spec("echo why > why.txt; false", artifacts={"files": ["why.txt"]}), artifacts=_to_s3(builds))

    assert built.status == "FAILED"
    assert builds.archive(built.body["artifacts"]["location"]) == {"why.txt": "why\n"}


def test_an_artifact_has_the_files_that_its_patterns_name(builds: Any) -> None:
    files = {"dist/a.txt": "a", "dist/deep/b.txt": "b", "dist/deep/c.log": "c", "dist/.hidden": "h", "other.txt": "o"}
    sections = {"artifacts": {"files": ["**/*"], "exclude-paths": ["**/*.log"], "base-directory": "$PLACE"}}

    built = builds.run(_spec("export PLACE=dist", **sections), files, artifacts=_to_s3(builds))

    assert built.body["artifacts"]["location"] == f"arn:aws:s3:::{builds.bucket}/out/result.zip"
    assert builds.archive(built.body["artifacts"]["location"]) == {"a.txt": "a", "deep/b.txt": "b", ".hidden": "h"}
    assert len(built.body["artifacts"]["sha256sum"]) == 64


def test_paths_can_be_discarded_and_the_name_be_made_by_a_command(builds: Any) -> None:
    sections = {
        "artifacts": {"files": ["dist/**/*.txt"], "discard-paths": "yes", "name": "v-$(echo 1)-$CODEBUILD_BUILD_NUMBER"}
    }

    built = builds.run(_spec(**sections), {"dist/deep/b.txt": "b"}, artifacts=_to_s3(builds, overrideArtifactName=True))

    assert built.body["artifacts"]["location"].endswith("/out/v-1-1")
    assert builds.archive(built.body["artifacts"]["location"]) == {"b.txt": "b"}


def test_secondary_sources_and_artifacts_go_by_their_identifiers(builds: Any) -> None:
    sections = {"artifacts": {"secondary-artifacts": {"docs": {"files": ["copy.txt"]}}}}
    built = builds.run(
        _spec("cp $CODEBUILD_SRC_DIR_extra/extra.txt copy.txt", **sections),
        secondarySources=[{"type": "S3", "location": builds.zip({"extra.txt": "e"}), "sourceIdentifier": "extra"}],
        secondaryArtifacts=[_to_s3(builds, artifactIdentifier="docs", name="docs", packaging="NONE")],
    )

    assert built.status == "SUCCEEDED"
    assert built.body["secondaryArtifacts"][0]["artifactIdentifier"] == "docs"
    assert builds.s3.get_object(Bucket=builds.bucket, Key="out/docs/copy.txt")["Body"].read() == b"e"


@pytest.mark.parametrize(("body", "said"), [(b"no zip", "is no zip file"), (None, "NoSuchKey")])
def test_a_source_that_is_no_zip_or_not_there_fails_the_download(builds: Any, body: bytes | None, said: str) -> None:
    key = f"source-{len(body or b'')}.zip"
    if body:
        builds.put(key, body)

    built = builds.ended(builds.start(builds.project(source={"type": "S3", "location": f"{builds.bucket}/{key}"})))

    assert built.context("DOWNLOAD_SOURCE").startswith("CLIENT_ERROR: ")
    assert said in built.context("DOWNLOAD_SOURCE")


@pytest.mark.parametrize(
    ("name", "mode", "text"),
    [("../out.txt", 0o644, ""), ("/out.txt", 0o644, ""), ("link", 0o120777, "../../other"), ("link", 0o120777, "/etc")],
)
def test_a_source_that_leads_outside_is_refused(builds: Any, name: str, mode: int, text: str) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        member = zipfile.ZipInfo(name)
        member.external_attr = mode << 16
        archive.writestr(member, text)
    builds.put("outside.zip", buffer.getvalue())

    project = builds.project(source={"type": "S3", "location": f"{builds.bucket}/outside.zip"})
    built = builds.ended(builds.start(project))

    assert "leads outside of the source" in built.context("DOWNLOAD_SOURCE")


def test_programs_and_links_of_a_source_stay_what_they_are(builds: Any) -> None:
    buffer = io.BytesIO()
    spec = _spec("./run.sh", "readlink link")
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, mode, text in (
            ("buildspec.yml", 0o100644, spec),
            ("run.sh", 0o100755, "#!/bin/sh\necho ran"),
            ("link", 0o120777, "run.sh"),
        ):
            member = zipfile.ZipInfo(name)
            member.external_attr = mode << 16
            archive.writestr(member, text)
    builds.put("modes.zip", buffer.getvalue())

    project = builds.project(source={"type": "S3", "location": f"{builds.bucket}/modes.zip"})

    assert builds.ended(builds.start(project)).said == ["ran", "run.sh"]


def test_a_git_repository_that_is_not_here_is_named(builds: Any) -> None:
    source = {"type": "GITHUB", "location": "https://github.com/nobody/nothing.git"}

    built = builds.ended(builds.start(builds.project(source=source)))

    assert "there is no git repository nobody/nothing in local-aws" in built.context("DOWNLOAD_SOURCE")


@pytest.mark.parametrize(
    ("written", "said"), [("<testsuite", "is no JUnit XML"), (None, "report files not found in build")]
)
def test_a_report_that_cannot_be_read_fails_the_upload(builds: Any, written: str | None, said: str) -> None:
    files = {"junit.xml": written} if written else {}

    built = builds.run(_spec(reports={"tests": {"files": ["junit.xml"]}}), files)

    assert built.status == "FAILED"
    assert said in built.context("UPLOAD_ARTIFACTS")


def test_test_results_become_a_report_with_its_cases_also_where_the_tests_fail(builds: Any) -> None:
    reports = {"tests": {"files": ["**/*.xml"], "base-directory": "reports", "file-format": "JUNITXML"}}
    built = builds.run(_spec("false", reports=reports), {"reports/junit.xml": JUNIT})
    codebuild = builds.codebuild

    (arn,) = built.body["reportArns"]
    (report,) = codebuild.batch_get_reports(reportArns=[arn])["reports"]
    cases = codebuild.describe_test_cases(reportArn=arn)["testCases"]
    failed = codebuild.describe_test_cases(reportArn=arn, filter={"status": "FAILED"})["testCases"]

    assert report["status"] == "FAILED"
    assert report["testSummary"]["total"] == 4
    assert report["testSummary"]["statusCounts"] == {
        "SUCCEEDED": 1, "FAILED": 1, "ERROR": 1, "SKIPPED": 1, "UNKNOWN": 0,
    }  # fmt: skip
    assert report["testSummary"]["durationInNanoSeconds"] == 750_000_000
    assert (cases[0]["name"], cases[0]["status"]) == ("passes", "SUCCEEDED")
    assert (failed[0]["prefix"], failed[0]["message"]) == ("a.b", "1 is not 2")
    group = report["reportGroupArn"]
    assert group.endswith(f":report-group/{built.body['projectName']}-tests")
    assert codebuild.list_reports_for_report_group(reportGroupArn=group)["reports"] == [arn]
    with pytest.raises(codebuild.exceptions.InvalidInputException, match="has 1 report"):
        codebuild.delete_report_group(arn=group)
    codebuild.delete_report_group(arn=group, deleteReports=True)
    assert codebuild.batch_get_reports(reportArns=[arn])["reportsNotFound"] == [arn]
    assert codebuild.batch_get_report_groups(reportGroupArns=[group])["reportGroupsNotFound"] == [group]


def test_a_role_that_may_not_add_reports_fails_the_upload(builds: Any) -> None:
    statement = {"Effect": "Allow", "Action": ["logs:*", "s3:*"], "Resource": "*"}
    role = builds.role({"Version": "2012-10-17", "Statement": [statement]})

    built = builds.run(_spec(reports={"tests": {"files": ["*.xml"]}}), {"junit.xml": JUNIT}, serviceRole=role)

    assert "codebuild:CreateReportGroup" in built.context("UPLOAD_ARTIFACTS")


@pytest.mark.parametrize("kind", ["S3", "LOCAL"])
def test_what_a_build_caches_the_next_one_finds(builds: Any, kind: str) -> None:
    config = {
        "S3": {"type": "S3", "location": f"{builds.bucket}/cache"},
        "LOCAL": {"type": "LOCAL", "modes": ["LOCAL_CUSTOM_CACHE"]},
    }[kind]
    commands = ["cat ~/.cache/tool/data kept/data 2>/dev/null || echo empty"]
    commands += ["mkdir -p ~/.cache/tool kept && date +%N > ~/.cache/tool/data && echo kept > kept/data"]
    cache = {"paths": ["/root/.cache/tool/**/*", "kept/*"], "key": "k-$(codebuild-hash-files buildspec.yml)"}
    project = builds.project({"buildspec.yml": _spec(*commands, cache=cache)}, cache=config)

    first, second = [builds.ended(builds.start(project)) for _ in range(2)]
    builds.codebuild.invalidate_project_cache(projectName=project)
    third = builds.ended(builds.start(project))

    assert (first.said, third.said) == (["empty"], ["empty"])
    assert second.said[-1] == "kept"
    assert len(second.said) == 2


def test_a_cache_that_the_role_may_not_write_does_not_fail_the_build(builds: Any) -> None:
    allowed = {"Effect": "Allow", "Action": ["logs:*", "s3:GetObject"], "Resource": "*"}
    denied = {"Effect": "Deny", "Action": "s3:PutObject", "Resource": "*"}
    role = builds.role({"Version": "2012-10-17", "Statement": [allowed, denied]})
    cache = {"type": "S3", "location": f"{builds.bucket}/cache"}

    built = builds.run(_spec("echo a > a", cache={"paths": ["a"]}), serviceRole=role, cache=cache)

    assert built.status == "SUCCEEDED"
    assert "Unable to upload cache" in built.log
