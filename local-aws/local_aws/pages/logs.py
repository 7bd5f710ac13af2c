"""Log streams: what of one is shown on a page beside what it is the log of, and all of it as plain text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from botocore.exceptions import ClientError
from werkzeug.wrappers import Response

from local_aws.cloud import Cloud
from local_aws.pages.site import NotThere, Visit, page

_SHOWN_BYTES = 48 * 1024
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_MOST_EVENTS = 10_000


@dataclass(frozen=True)
class LogStream:
    """The end of one stream: `left_out` bytes come before `text`; all of it is at `path`."""

    name: str
    text: str
    left_out: int
    path: str


def streams(visit: Visit, group: str, prefix: str = "") -> list[LogStream]:
    """The streams of a log group whose names begin with `prefix`, oldest first."""
    found = []
    for row in visit.cloud.store.all("log_stream"):
        if row["group"] == group and row["stream"].startswith(prefix):
            raw, left_out = _end(Path(row["file"]), _SHOWN_BYTES)
            found.append(LogStream(row["stream"], readable(raw), left_out, _path(visit, group, row["stream"])))
    return found


def stream(visit: Visit, group: str, name: str) -> LogStream | None:
    """One stream, from its file or else from CloudWatch Logs; None where there is none yet."""
    exact = [each for each in streams(visit, group, name) if each.name == name]
    if exact:
        return exact[0]
    text = "".join(f"{line.rstrip()}\n" for line in _events(visit.cloud, group, name) or ())
    shown = text[-_SHOWN_BYTES:]
    return LogStream(name, readable(shown), len(text) - len(shown), _path(visit, group, name)) if text else None


def readable(text: str) -> str:
    """A log without what moves a terminal's cursor or colours its letters; a progress bar as its last state."""
    lines = (line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n"))
    return _CONTROL.sub("", "\n".join(lines))


@page("/_local/logs")
def log(visit: Visit) -> Response:
    """All of one log stream, `?group=...&stream=...`, as plain text."""
    group, name = visit.request.args.get("group", ""), visit.request.args.get("stream", "")
    if not group or not name:
        raise NotThere("A log is asked for by its group and stream: /_local/logs?group=...&stream=...")
    row = visit.cloud.store.find("log_stream", f"{group}:{name}")
    if row is not None and Path(row["file"]).exists():
        lines: Iterator[str] = iter([Path(row["file"]).read_text(errors="replace")])
    else:
        events = _events(visit.cloud, group, name)
        if events is None:
            raise NotThere(f"There is no log stream {name} in the log group {group}.")
        lines = (f"{line.rstrip()}\n" for line in events)
    return Response(lines, content_type="text/plain; charset=utf-8")


def _path(visit: Visit, group: str, name: str) -> str:
    return f"{visit.path(log)}?{urlencode({'group': group, 'stream': name})}"


def _end(file: Path, size: int) -> tuple[str, int]:
    """The last bytes of a file from the beginning of a line, and how many come before."""
    try:
        with file.open("rb") as opened:
            start = max(0, opened.seek(0, 2) - size)
            opened.seek(start)
            raw = opened.read()
    except FileNotFoundError:
        return "", 0
    if start:
        cut = raw.find(b"\n") + 1
        start, raw = start + cut, raw[cut:]
    return raw.decode("utf-8", "replace"), start


def _events(cloud: Cloud, group: str, name: str) -> list[str] | None:
    """The messages of a stream that CloudWatch Logs has, or None where it has no such stream."""
    client = cloud.client("logs")
    try:
        answer = client.get_log_events(logGroupName=group, logStreamName=name, limit=_MOST_EVENTS, startFromHead=False)
    except ClientError as error:
        if error.response["Error"]["Code"] in ("ResourceNotFoundException", "InvalidParameterException"):
            return None
        raise
    return [event["message"] for event in answer["events"]]
