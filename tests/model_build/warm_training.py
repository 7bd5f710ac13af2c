"""train.py imported once, and its `main` run in a fork of that process for each line: a job's environment, arguments
and the file for its output. Each answer is the fork's exit code."""

import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any, NoReturn

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "model-build" / "source"))

_BEFORE = dict(os.environ)
import train  # noqa: E402 (what it sets of the environment is looked for)

# In a process of its own a job has these too, where it is not given others.
_SET_BY_IMPORTS = {name: value for name, value in os.environ.items() if name not in _BEFORE}


def run(job: dict[str, Any]) -> NoReturn:
    """Become the job, as `python train.py arguments` would be it."""
    code = 1
    output = os.open(job["output"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    os.dup2(output, 1)
    os.dup2(output, 2)
    try:
        os.environ.clear()
        os.environ.update({**_SET_BY_IMPORTS, **job["environment"]})
        sys.argv = ["train.py", *job["arguments"]]
        code = train.main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
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
