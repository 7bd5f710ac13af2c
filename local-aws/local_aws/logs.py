"""The logs of jobs and endpoints in CloudWatch Logs, under SageMaker's own names, as they are written.

A process writes to a file; a forwarder follows that file. The file is the truth and stays: at a restart of the cloud
its events are forwarded anew. What a process writes faster than events are kept is in the file alone, and the stream
says so.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

from botocore.exceptions import ClientError

from local_aws.cloud import Cloud
from local_aws.lifecycle import on_start
from local_aws.principal import acting, acting_as

# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html
_EVENT_BYTES = 256 * 1024
_BATCH_EVENTS = 1000
_READ_BYTES = 512 * 1024
_KEPT_BYTES = 8 * 1024 * 1024
_SAMPLE_BYTES = 4 * 1024
_TICK_SECONDS = 0.2
_LOG = logging.getLogger(__name__)

OnLine = Callable[[str, float], None]


class Forwarder:
    """Follows one file into one log stream, and hands each line to `on_line(text, epoch seconds)`.

    It writes the stream as the principal that acts when it is made. A role that may not has no stream, as on AWS.
    """

    def __init__(self, cloud: Cloud, group: str, stream: str, file: Path, on_line: OnLine | None = None) -> None:
        self._cloud = cloud
        self._group, self._stream, self._file = group, stream, file
        self._principal = acting()
        self._denied = False
        self._on_line = on_line
        self._ending = threading.Event()
        self._forwarded = 0
        self._rest = b""
        self._offset = 0
        self._thread = threading.Thread(target=self._follow, name=f"log {stream}", daemon=True)

    def start(self) -> Forwarder:
        """Make the stream and begin to follow."""
        self._cloud.store.put(
            "log_stream",
            f"{self._group}:{self._stream}",
            {"group": self._group, "stream": self._stream, "file": str(self._file)},
        )
        try:
            _make_stream(self._cloud, self._group, self._stream)
        except ClientError as error:
            self._deny(error)
        self._thread.start()
        return self

    def finish(self) -> None:
        """Forward what is left, once the process has ended."""
        self._ending.set()
        self._thread.join()

    def _follow(self) -> None:
        with acting_as(self._principal):
            self._follow_to_the_end()

    def _follow_to_the_end(self) -> None:
        while True:
            ending = self._ending.is_set()
            more = self._forward()
            if ending and not more:
                if self._rest:
                    self._put([self._rest])
                return
            if not more:
                self._ending.wait(_TICK_SECONDS)

    def _forward(self) -> bool:
        """Forward one piece of the file; whether another should follow at once."""
        flooded = self._forwarded > _KEPT_BYTES
        if flooded:
            self._skip_to_the_end()
        try:
            with self._file.open("rb") as file:
                file.seek(self._offset)
                piece = file.read(_SAMPLE_BYTES if flooded else _READ_BYTES)
        except FileNotFoundError:
            return False
        if not piece:
            return False
        self._offset += len(piece)
        *lines, self._rest = (self._rest + piece).split(b"\n")
        if len(self._rest) > _EVENT_BYTES:
            lines.append(self._rest)
            self._rest = b""
        self._put(lines)
        return not flooded

    def _skip_to_the_end(self) -> None:
        skipped = self._file.stat().st_size - self._offset - _SAMPLE_BYTES
        if skipped > 0:
            self._offset += skipped
            self._rest = b""
            self._put([f"[{skipped} bytes of log were not forwarded; all of it is in {self._file}]".encode()])

    def _put(self, lines: list[bytes]) -> None:
        at = time.time()
        texts = [line.decode("utf-8", "replace").rstrip("\r") for line in lines]
        if self._on_line:
            for text in texts:
                self._on_line(text, at)
        self._forwarded += sum(map(len, lines))
        events = [{"timestamp": int(at * 1000), "message": text[:_EVENT_BYTES]} for text in texts if text.strip()]
        for start in range(0, 0 if self._denied else len(events), _BATCH_EVENTS):
            batch = events[start : start + _BATCH_EVENTS]
            try:
                self._cloud.client("logs").put_log_events(
                    logGroupName=self._group, logStreamName=self._stream, logEvents=batch
                )
            except ClientError as error:
                self._deny(error)
                return

    def _deny(self, error: ClientError) -> None:
        """Go on without a stream, where it is a policy that forbids one; any other error is raised again."""
        if error.response["Error"]["Code"] != "AccessDeniedException":
            raise error
        self._denied = True
        _LOG.warning("no log stream %s in %s: %s", self._stream, self._group, error.response["Error"]["Message"])


def tail(file: Path, lines: int = 20) -> str:
    """The last lines of a log file, or nothing where there is none."""
    try:
        with file.open("rb") as opened:
            opened.seek(0, 2)
            opened.seek(max(0, opened.tell() - 16_384))
            text = opened.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return ""
    return "\n".join(text.splitlines()[-lines:])


@on_start
def forward_again(cloud: Cloud) -> None:
    """Give CloudWatch Logs the events of the streams there were: moto keeps them in memory only."""
    streams = cloud.store.all("log_stream")

    def forward() -> None:
        for row in streams:
            Forwarder(cloud, row["group"], row["stream"], Path(row["file"])).start().finish()

    threading.Thread(target=forward, name="logs of earlier", daemon=True).start()


def _make_stream(cloud: Cloud, group: str, stream: str) -> None:
    client = cloud.client("logs")
    with contextlib.suppress(client.exceptions.ResourceAlreadyExistsException):
        client.create_log_group(logGroupName=group)
    with contextlib.suppress(client.exceptions.ResourceAlreadyExistsException):
        client.create_log_stream(logGroupName=group, logStreamName=stream)
