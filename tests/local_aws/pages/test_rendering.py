"""Texts, times and statuses as they are rendered: what can be followed, what is escaped, what a person reads."""

from __future__ import annotations

from datetime import timedelta

import pytest
from local_aws.pages import logs, rendering, times
from local_aws.pages.statuses import Status
from local_aws.store import now

ACCOUNT = "arn:aws:sagemaker:us-east-1:123456789012"


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("see http://127.0.0.1:5000/#/runs/1.", "http://127.0.0.1:5000/#/runs/1"),
        ("(https://example.com/a?b=c)", "https://example.com/a?b=c"),
        (f"{ACCOUNT}:pipeline/build/execution/abc123", "/_local/executions/abc123"),
        (f"{ACCOUNT}:training-job/a-1", "/_local/training-jobs/a-1"),
        (f"{ACCOUNT}:hyper-parameter-tuning-job/t", "/_local/tuning-jobs/t"),
        (f"at {ACCOUNT}:endpoint/iris-prod, now", "/_local/endpoints/iris-prod"),
    ],
)
def test_addresses_and_arns_can_be_followed(text: str, path: str) -> None:
    assert f'href="{path}"' in rendering.linked(text)


@pytest.mark.parametrize(
    "text", ["<script>", 'http://a"onmouseover="x', "javascript:alert(1)", "http://a<b>", f"{ACCOUNT}:training-job/<b>"]
)
def test_what_is_linked_is_escaped_all_the_same(text: str) -> None:
    html = str(rendering.linked(text))
    assert "<script" not in html
    assert "<b>" not in html
    assert 'href="javascript' not in html
    assert '"onmouseover' not in html


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.041, "41 ms"),
        (1.24, "1.2 s"),
        (59, "59 s"),
        (200, "3 min 20 s"),
        (4_000, "1 h"),
        (200_000, "2 d"),
    ],
)
def test_durations_are_short_to_read(seconds: float, text: str) -> None:
    assert times.span(seconds) == text


def test_a_time_says_how_long_ago_it_was_and_exactly_when() -> None:
    at = now() - timedelta(minutes=12)
    told = str(times.ago(at))
    assert ">12 min ago<" in told
    assert f'title="{at:%Y-%m-%d %H:%M:%S} UTC"' in told


@pytest.mark.parametrize(
    ("name", "tone"),
    [
        ("Succeeded", "good"),
        ("InService", "good"),
        ("CREATE_COMPLETE", "good"),
        ("UPDATE_ROLLBACK_COMPLETE", "bad"),
        ("CREATE_FAILED", "bad"),
        ("UPDATE_IN_PROGRESS", "busy"),
        ("Executing", "busy"),
        ("PENDING", "waiting"),
        ("Superseded", "quiet"),
        ("Stopped", "quiet"),
        ("SomethingNew", "quiet"),
    ],
)
def test_every_status_has_a_tone_and_words_of_its_own(name: str, tone: str) -> None:
    status = Status.of(name)
    assert status.tone == tone
    assert status.text


def test_a_log_is_read_without_what_moves_a_terminal() -> None:
    assert logs.readable("\x1b[32mdone\x1b[0m\n10%\r50%\r100%\r\n\x07bell") == "done\n100%\nbell"
