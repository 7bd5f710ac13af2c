"""A process that has imported what a script imports, and becomes that script by forking: imports are paid for once.

It is given a control socket; each line is a process to start. The modules are those that the first such script names
at its top, and after its first run also those that it came to import on its way.
"""

from __future__ import annotations

import ast
import atexit
import contextlib
import gc
import importlib
import json
import os
import random
import selectors
import signal
import socket
import sys
import threading
import types
from pathlib import Path
from typing import Any

import launch

_RUNNING: dict[int, str] = {}


def main(control: socket.socket, learned: Path) -> None:
    """Serve until the keeper closes the control socket; `learned` is a folder for what the first run imported."""
    _forget_this_folder()
    learned.mkdir(parents=True, exist_ok=True)
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_write, False)
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    selector = selectors.DefaultSelector()
    selector.register(control, selectors.EVENT_READ, "control")
    selector.register(wake_read, selectors.EVENT_READ, "child")
    buffer, knows_all = b"", False
    while True:
        for key, _ in selector.select():
            if key.data == "child":
                os.read(wake_read, 4096)
                for name, code in _reaped():
                    _tell(control, {"exited": name, "code": code})
                continue
            received = control.recv(65536)
            if not received:
                return
            buffer += received
            while b"\n" in buffer:
                line, buffer = buffer.split(b"\n", 1)
                spec = json.loads(line)
                if not knows_all:
                    knows_all = _import_learned(learned)
                sys.argv = spec["argv"][1:2]
                _import(_named_at_the_top(spec))
                gc.collect()
                gc.freeze()
                pid, namespace = _fork(spec, learned, control)
                _RUNNING[pid] = spec["id"]
                _tell(control, {"started": spec["id"], "pid": pid, "namespace": namespace})


def _fork(spec: dict[str, Any], learned: Path, control: socket.socket) -> tuple[int, int]:
    pid, namespace = launch.child_of_this(spec)
    if pid:
        return pid, namespace
    control.close()
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    before = set(sys.modules)
    code = _run(spec)
    library = tuple({str(Path(sys.modules[name].__file__ or "").parent) for name in ("os", "json")})
    new = [
        name
        for name, module in list(sys.modules.items())
        if name not in before and _installed(getattr(module, "__file__", None), library)
    ]
    with contextlib.suppress(OSError):
        # Whole or not at all: the warm process may look at any moment.
        draft = learned / f".{os.getpid()}"
        draft.write_text(json.dumps(new))
        draft.replace(learned / str(os.getpid()))
    os._exit(code)


def _run(spec: dict[str, Any]) -> int:
    """Run the script as `python script arguments` would, up to and including what happens at exit; its exit code."""
    # What the warm process found at these paths, outside of the room, is not what is there.
    sys.path_importer_cache.clear()
    os.environ.clear()
    os.environ.update(spec["env"])
    random.seed()
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed()
    script = spec["argv"][1]
    sys.argv = spec["argv"][1:]
    sys.path.insert(0, os.path.dirname(os.path.abspath(script)))
    for name in (sys.stdout, sys.stderr):
        name.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    main_module = types.ModuleType("__main__")
    main_module.__file__ = script
    sys.modules["__main__"] = main_module
    code = 0
    try:
        source = Path(script).read_bytes()
        exec(compile(source, script, "exec"), main_module.__dict__)  # noqa: S102 - this is what running a script is
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        code = 1
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    return code & 0xFF


def _named_at_the_top(spec: dict[str, Any]) -> list[str]:
    """The modules that a script and the files beside it import, as far as they are not beside it themselves."""
    folder = Path(spec["sources"])
    beside = {path.stem for path in folder.glob("*")}
    names: list[str] = []
    for path in sorted(folder.glob("*.py")):
        with contextlib.suppress(SyntaxError, ValueError, OSError):
            for node in ast.parse(path.read_bytes()).body:
                if isinstance(node, ast.Import):
                    names += [alias.name for alias in node.names]
                elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
                    names.append(node.module)
    return [name for name in dict.fromkeys(names) if name.partition(".")[0] not in beside]


def _import(names: list[str]) -> None:
    for name in names:
        if name in sys.modules:
            continue
        try:
            importlib.import_module(name)
        except Exception as error:
            print(f"warm: {name}: {type(error).__name__}: {error}", file=sys.stderr, flush=True)


def _import_learned(folder: Path) -> bool:
    for file in folder.glob("[0-9]*"):
        _import(json.loads(file.read_text()))
        file.unlink()
        return True
    return False


def _installed(file: str | None, library: tuple[str, ...]) -> bool:
    return bool(file) and ("site-packages" in str(file) or str(file).startswith(library))


def _reaped() -> list[tuple[str, int]]:
    ended = []
    while _RUNNING:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            break
        if pid == 0:
            break
        name = _RUNNING.pop(pid, None)
        if name is not None:
            ended.append((name, os.waitstatus_to_exitcode(status)))
    return ended


def _tell(control: socket.socket, event: dict[str, Any]) -> None:
    control.sendall(json.dumps(event).encode() + b"\n")


def _forget_this_folder() -> None:
    here = str(Path(__file__).parent)
    sys.path[:] = [entry for entry in sys.path if entry != here]


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])), Path(sys.argv[2]))
