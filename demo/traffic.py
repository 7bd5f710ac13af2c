"""The clients of an endpoint while it is updated: one request after the other, every answer counted."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from types import TracebackType
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

ROWS = json.dumps([[5.1, 3.5, 1.4, 0.2]])
PAUSE_SECONDS = 0.1


class Traffic:
    """Requests to one endpoint for as long as this context lives, nearly ten a second."""

    def __init__(self, runtime: Any, endpoint: str) -> None:
        self._runtime, self._endpoint = runtime, endpoint
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._send, name="traffic", daemon=True)
        self._lock = threading.Lock()
        # The moment (time.monotonic) since which every answer has come from the version it is kept with.
        self._since: tuple[str, float] = ("", 0.0)
        self.answers: Counter[str] = Counter()
        self.failures: list[str] = []

    def __enter__(self) -> Traffic:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join(30)

    def only_from(self, version: str) -> float | None:
        """Since when (time.monotonic) all answers are this version's; None if the last one was another's."""
        with self._lock:
            return self._since[1] if self._since[0] == version else None

    def _send(self) -> None:
        while not self._ended.wait(PAUSE_SECONDS):
            try:
                answer = self._runtime.invoke_endpoint(
                    EndpointName=self._endpoint, ContentType="application/json", Body=ROWS
                )
                json.loads(answer["Body"].read())["predictions"]
            except (BotoCoreError, ClientError, ValueError, KeyError) as error:
                self.failures.append(f"{type(error).__name__}: {error}")
                continue
            version = str(answer.get("CustomAttributes", "")).rpartition("/")[2]
            self.answers[version] += 1
            with self._lock:
                if self._since[0] != version:
                    self._since = (version, time.monotonic())
