"""The server's program with all that it imports, run in a fork of this process for each line: an environment, and the
file for what it says. Each answer is the fork's exit code."""

import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any, NoReturn

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "model-deploy" / "serving"))

import model_server  # noqa: F401 (the program imports it when the model's files are read)
import serve


def run(start: dict[str, Any]) -> NoReturn:
    """Become the program, as `python serve.py serve` would be it."""
    code = 1
    log = os.open(start["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    os.dup2(log, 1)
    os.dup2(log, 2)
    try:
        os.environ.clear()
        os.environ.update(start["environment"])
        code = serve.main(["serve"], os.environ)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


for line in sys.stdin:
    pid = os.fork()
    if pid == 0:
        run(json.loads(line))
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
