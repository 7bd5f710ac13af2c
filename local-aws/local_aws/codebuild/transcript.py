"""The log of a build: what the agent and the commands say, in one order, with the secrets masked before it is kept."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from pathlib import Path

from local_aws.store import now

_CHUNK = 65536
_LINE_BYTES = 256 * 1024
_END = b"\0end of the transcript\0\n"
_SHORTEST_SECRET = 4


class Transcript:
    """A pipe at `pipe`, which processes and `say` write to, and the masked text of it in the file `log`."""

    def __init__(self, pipe: Path, log: Path) -> None:
        self.pipe, self._log = pipe, log
        os.mkfifo(pipe)
        # Open at both ends: it neither waits for a writer nor ends with one.
        self._end = os.open(pipe, os.O_RDWR)
        self._secrets: list[bytes] = []
        self._thread = threading.Thread(target=self._keep, name=f"transcript {log.stem}", daemon=True)
        self._thread.start()

    def mask(self, values: Iterable[str]) -> None:
        """Have these texts, line by line, read *** from now on; one so short that it stands everywhere is left."""
        lines = {line.strip().encode() for value in values for line in value.splitlines()}
        lines = {line for line in lines if len(line) >= _SHORTEST_SECRET}
        self._secrets = sorted({*self._secrets, *lines}, key=len, reverse=True)

    def say(self, text: str) -> None:
        """A line of the agent's own."""
        at = now().strftime("%Y/%m/%d %H:%M:%S.%f")
        self._write(f"[Container] {at} {text}\n".encode())

    def finish(self) -> None:
        """Keep what was written so far, and close the pipe; to be called when its writers have ended."""
        self._write(_END)
        self._thread.join()
        os.close(self._end)
        self.pipe.unlink(missing_ok=True)

    def _write(self, text: bytes) -> None:
        while text:
            text = text[os.write(self._end, text) :]

    def _keep(self) -> None:
        rest = b""
        with self._log.open("ab") as log:
            while True:
                text = rest + os.read(self._end, _CHUNK)
                whole, newline, rest = text.rpartition(b"\n")
                if not newline and len(rest) > _LINE_BYTES:
                    whole, rest = rest, b""
                ended = (whole + newline).endswith(_END)
                log.write(self._masked((whole + newline).removesuffix(_END)))
                log.flush()
                if ended:
                    return

    def _masked(self, text: bytes) -> bytes:
        for secret in self._secrets:
            text = text.replace(secret, b"***")
        return text
