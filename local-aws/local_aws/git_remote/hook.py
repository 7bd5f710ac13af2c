"""The post-receive hook of the git remote: it tells the server what moved, and the client what the server says.

The server gives both ends of the talk to git as open pipes, whose numbers are in the hook's environment: no address,
no port and no program are needed for it, and whoever dies, the other sees the end of the pipe.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

_LOG = logging.getLogger(__name__)
_HOOK = """#!/bin/sh
{ cat; echo; } >"/dev/fd/$LOCAL_AWS_UPDATES"
cat <"/dev/fd/$LOCAL_AWS_ANSWER"
"""


def installed(folder: Path) -> Path:
    """The folder of hooks, with the hook in it."""
    hook = folder / "post-receive"
    if not hook.exists() or hook.read_text() != _HOOK:
        folder.mkdir(parents=True, exist_ok=True)
        draft = folder / f".draft-{threading.get_ident()}"
        draft.write_text(_HOOK)
        draft.chmod(0o755)
        draft.replace(hook)
    return folder


class Talk:
    """The talk with the hook of one push.

    `said` is asked what to tell the client about the lines of the hook; `unheard` is called in its place when git has
    ended and the hook said nothing: it was not reached, or could not be run.
    """

    def __init__(self, said: Callable[[Sequence[str]], Sequence[str]], unheard: Callable[[], None]) -> None:
        self._said = said
        self._unheard = unheard
        self._updates, self.updates = os.pipe()
        self.answer, self._answer = os.pipe()
        self._thread = threading.Thread(target=self._listen, daemon=True)

    @property
    def environment(self) -> dict[str, str]:
        """What the hook has to know."""
        return {"LOCAL_AWS_UPDATES": str(self.updates), "LOCAL_AWS_ANSWER": str(self.answer)}

    def begin(self) -> None:
        """To be called once git has inherited `updates` and `answer`."""
        os.close(self.updates)
        os.close(self.answer)
        self._thread.start()

    def abandon(self) -> None:
        """To be called in place of `begin` where git could not be started."""
        for end in (self._updates, self.updates, self.answer, self._answer):
            os.close(end)

    def _listen(self) -> None:
        with os.fdopen(self._updates, errors="surrogateescape") as updates, os.fdopen(self._answer, "w") as answer:
            lines, heard = [], False
            for line in updates:
                if line == "\n":
                    heard = True
                    break
                lines.append(line.rstrip("\n"))
            if not (heard and lines):
                self._unheard()
                return
            try:
                answer.write("".join(f"{told}\n" for told in self._said(lines)))
                answer.flush()
            except BrokenPipeError:
                _LOG.info("the client of a push left before it was told what the push started")
