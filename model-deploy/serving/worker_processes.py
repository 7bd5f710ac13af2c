"""One process a core, forked after the model is open, so that they share its memory.

uvicorn's own supervisor starts each worker as a new interpreter, which opens the model once more, and restarts for ever
one that cannot start."""

import contextlib
import gc
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from types import FrameType

STOP_SIGNALS = {signal.SIGTERM, signal.SIGINT}
RESTART_PAUSE_SECONDS = 1.0


def run_in_processes(count: int, serve: Callable[[], None]) -> None:
    """Run `serve` in `count` forked processes until SIGTERM or SIGINT, and then until each has finished its requests.

    A process that ends by itself is replaced. When this process dies, the others end too.
    """
    # The objects that are there now are never garbage: not walking them keeps the forks' pages shared.
    gc.freeze()
    family = os.pipe()
    workers: set[int] = set()
    stopping = False

    def stop(signum: int, frame: FrameType | None) -> None:
        nonlocal stopping
        stopping = True
        for pid in workers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)

    def start_one() -> None:
        # A signal between the fork and the note of its pid would miss the worker: it waits until both are done.
        signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
        if not stopping:
            pid = os.fork()
            if pid == 0:
                _be_worker(family, serve)
            workers.add(pid)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)

    for number in STOP_SIGNALS:
        signal.signal(number, stop)
    for _ in range(count):
        start_one()
    while workers:
        pid, status = os.wait()
        workers.discard(pid)
        if not stopping:
            print(f"Worker {pid} ended with {os.waitstatus_to_exitcode(status)}; starting another.", file=sys.stderr)
            time.sleep(RESTART_PAUSE_SECONDS)
            start_one()


def succeeds_apart(check: Callable[[], None]) -> bool:
    """Whether `check` runs to its end in a fork of its own.

    What it leaves behind, such as the threads of OpenMP, which do not survive a fork, is gone with it.
    """
    pid = os.fork()
    if pid == 0:
        _exit_after(check)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def exit_on_stop_signals() -> None:
    """SIGTERM and SIGINT end this process as if it had come to its end."""
    for number in STOP_SIGNALS:
        signal.signal(number, lambda signum, frame: sys.exit(0))


def _be_worker(family: tuple[int, int], serve: Callable[[], None]) -> None:
    gc.enable()
    exit_on_stop_signals()
    alive_read, alive_write = family
    os.close(alive_write)
    threading.Thread(target=_end_with_parent, args=(alive_read,), daemon=True).start()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
    _exit_after(serve)


def _end_with_parent(alive_read: int) -> None:
    os.read(alive_read, 1)  # nobody writes: it returns when the parent, who holds the other end, is gone
    os.kill(os.getpid(), signal.SIGTERM)


def _exit_after(function: Callable[[], None]) -> None:
    """End this fork with `function`, without running what the parent has planned for its own end."""
    code = 1
    try:
        function()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
