"""The pages by plain HTTP: who is answered, what is refused, and what a name that does not exist leads to."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
import requests

HTML = {"Accept": "text/html"}


def get(cloud: Any, path: str, **headers: str) -> requests.Response:
    return requests.get(f"{cloud.endpoint_url}{path}", headers={**HTML, **headers}, timeout=20, allow_redirects=False)


def post(cloud: Any, path: str, headers: dict[str, str], **form: str) -> requests.Response:
    return requests.post(
        f"{cloud.endpoint_url}{path}", data=form, headers={**HTML, **headers}, timeout=20, allow_redirects=False
    )


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/_local/pipelines/nope", "no pipeline named nope"),
        ("/_local/pipelines/nope/executions/nope", "no pipeline named nope"),
        ("/_local/builds/nope:1", "no build nope:1"),
        ("/_local/executions/nope", "no execution nope"),
        ("/_local/sagemaker-pipelines/nope", "no SageMaker pipeline named nope"),
        ("/_local/tuning-jobs/nope", "no tuning job named nope"),
        ("/_local/training-jobs/nope", "no training job named nope"),
        ("/_local/processing-jobs/nope", "no processing job named nope"),
        ("/_local/transform-jobs/nope", "no transform job named nope"),
        ("/_local/endpoints/nope", "no endpoint named nope"),
        ("/_local/stacks/nope", "no stack named nope"),
        ("/_local/logs?group=/aws/none&stream=nope", "no log stream nope"),
        ("/_local/logs?group=/aws/none", "asked for by its group and stream"),
        ("/_local/assets/nope", "no asset nope"),
        ("/_local/nope", "no page /_local/nope"),
    ],
)
def test_a_name_that_does_not_exist_is_not_found_and_says_so(cloud: Any, path: str, says: str) -> None:
    answer = get(cloud, path)
    assert answer.status_code == 404
    assert says in answer.text


def test_a_missing_page_leads_to_those_of_its_kind_that_there_are(cloud: Any, stacks: Any) -> None:
    name = stacks.create("Resources: {Note: {Type: AWS::SSM::Parameter, Properties: {Type: String, Value: a}}}")
    answer = get(cloud, "/_local/stacks/nope")
    assert f'href="/_local/stacks/{name}"' in answer.text


def test_a_stack_shows_its_events_and_why_it_failed(cloud: Any, stacks: Any) -> None:
    name = stacks.create("Resources: {Bucket: {Type: AWS::S3::Bucket, Properties: {BucketName: Not_A_Name}}}")
    page = get(cloud, f"/_local/stacks/{name}").text
    assert "ROLLBACK_COMPLETE" in page
    assert stacks.reason(name, "Bucket", "CREATE_FAILED").split(".")[0].split("&")[0].split("'")[0] in page


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Host": "evil.example"},
    ],
)
def test_a_form_of_another_site_changes_nothing(cloud: Any, releases: Any, headers: dict[str, str]) -> None:
    name, execution = releases.pipeline()
    token = releases.asked(name)
    form = {"stage": "Approve", "action": "Ask", "token": token, "verdict": "Approved"}
    assert post(cloud, f"/_local/pipelines/{name}/approval", headers, **form).status_code == 403
    assert post(cloud, f"/_local/pipelines/{name}/start", headers).status_code == 403
    assert [row["pipelineExecutionId"] for row in releases.executions(name)] == [execution]
    assert releases.asked(name) == token


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", ""])
@pytest.mark.parametrize("path", ["/", "/_local", "/_local/endpoints/a", "/_local/assets/style.css"])
def test_a_name_that_was_pointed_here_is_not_answered(cloud: Any, path: str, host: str) -> None:
    assert get(cloud, path, Host=host).status_code in (400, 403)


def test_localhost_is_a_name_of_this_machine(cloud: Any) -> None:
    port = cloud.endpoint_url.rpartition(":")[2]
    assert get(cloud, "/", Host=f"localhost:{port}").status_code == 200


def test_an_approval_that_is_no_answer_or_comes_too_late_is_refused_in_words(cloud: Any, releases: Any) -> None:
    name, _ = releases.pipeline()
    own = {"Origin": cloud.endpoint_url}
    form = {"stage": "Approve", "action": "Ask", "token": releases.asked(name)}
    answer = post(cloud, f"/_local/pipelines/{name}/approval", own, **form, verdict="Perhaps")
    assert answer.status_code == 400
    assert "Approved or Rejected" in answer.text
    late = {**form, "token": str(uuid.uuid4()), "verdict": "Approved"}
    answer = post(cloud, f"/_local/pipelines/{name}/approval", own, **late)
    assert 400 <= answer.status_code < 500
    assert "To the overview" in answer.text


def test_a_page_may_load_nothing_and_run_nothing_but_its_own(cloud: Any) -> None:
    policy = get(cloud, "/").headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy


def test_only_a_browser_sees_the_pages_at_the_address_without_a_path(cloud: Any) -> None:
    bucket = cloud.new_bucket()
    assert "<html" in get(cloud, "/").text
    assert bucket in requests.get(cloud.endpoint_url, timeout=20).text
    assert bucket in [row["Name"] for row in cloud.client("s3").list_buckets()["Buckets"]]


def test_a_job_that_wrote_a_lot_shows_the_end_and_leads_to_all_of_it(cloud: Any, scripts: Any) -> None:
    job = scripts.train("for number in range(20000): print('line', number)")["TrainingJobName"]
    page = get(cloud, f"/_local/training-jobs/{job}").text
    assert "line 19999" in page
    assert "line 12\n" not in page
    assert "bytes come before this" in page
    stream = f"{job}/algo-1"
    streams = cloud.client("logs").describe_log_streams(logGroupName="/aws/sagemaker/TrainingJobs")["logStreams"]
    stream = next(row["logStreamName"] for row in streams if row["logStreamName"].startswith(f"{job}/"))
    whole = get(cloud, f"/_local/logs?group=/aws/sagemaker/TrainingJobs&stream={stream}").text
    assert whole.splitlines()[12] == "line 12"
