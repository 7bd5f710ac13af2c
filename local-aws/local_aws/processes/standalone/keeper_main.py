"""The keeper: the parent of every process of the cloud. When the server is gone, however it went, so are they.

It reads processes to start and signals to send from a control socket, and tells of starts and exits. The end of that
socket is the end of the server: then everything that descends from here is killed. As "child subreaper" it also
inherits what a job leaves behind, so nothing escapes by forking twice
(https://man7.org/linux/man-pages/man2/PR_SET_CHILD_SUBREAPER.2const.html).
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import launch
import psutil
import rooms

_PR_SET_CHILD_SUBREAPER = 36
_MOST_WARM = 3
_MARK = "LOCAL_AWS_PROCESS"
_KEPT = "LOCAL_AWS_KEEPER"
_HERE = Path(__file__).parent


class Keeper:
    """The loop and what it knows: processes by id, and the warm ones by what they have imported."""

    def __init__(self, control: socket.socket, folder: Path) -> None:
        self._control = control
        self._folder = folder
        self._selector = selectors.DefaultSelector()
        self._buffers: dict[socket.socket, bytes] = {}
        self._pids: dict[str, int] = {}
        # Held open: the number of a namespace is given to another as soon as nobody holds it.
        self._namespaces: dict[str, int] = {}
        self._warm: dict[str, socket.socket] = {}
        # What each warm process was asked to start: by id, and removed when that has ended.
        self._asked: dict[socket.socket, dict[str, dict[str, Any]]] = {}
        self._unsent: dict[socket.socket, bytes] = {}
        self._warm_pids: dict[socket.socket, int] = {}

    def run(self) -> None:
        """Serve until the server is gone, then leave nothing behind."""
        wake_read, wake_write = os.pipe()
        os.set_blocking(wake_write, False)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        self._listen(self._control)
        self._selector.register(wake_read, selectors.EVENT_READ)
        while True:
            for key, events in self._selector.select():
                if key.fileobj == wake_read:
                    os.read(wake_read, 4096)
                    self._reap()
                elif key.fileobj not in self._buffers:
                    continue
                elif events & selectors.EVENT_WRITE:
                    self._flush(key.fileobj)
                elif not self._receive(key.fileobj):
                    return

    def _listen(self, source: socket.socket) -> None:
        self._buffers[source] = b""
        self._selector.register(source, selectors.EVENT_READ)

    def _receive(self, source: socket.socket) -> bool:
        try:
            received = source.recv(65536)
        except ConnectionError:
            received = b""
        if not received:
            if source is self._control:
                return False
            self._warm_one_is_gone(source)
            return True
        *lines, self._buffers[source] = (self._buffers[source] + received).split(b"\n")
        for line in lines:
            message = json.loads(line)
            if source is self._control:
                self._obey(message)
            else:
                self._relay(source, message)
        return True

    def _obey(self, message: dict[str, Any]) -> None:
        if "signal" in message:
            self._signal(message["id"], message["signal"])
        elif message.get("warm"):
            self._start_warm(message)
        else:
            self._start(message)

    def _start(self, spec: dict[str, Any]) -> None:
        pid, namespace = launch.child_of_this(spec)
        if pid == 0:
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
                signal.signal(number, signal.SIG_DFL)
            try:
                os.execvpe(spec["argv"][0], spec["argv"], spec["env"])  # noqa: S606 - starting programs is its trade
            except OSError as error:
                launch.fail(error)
        self._started(spec["id"], pid, namespace)

    def _started(self, name: str, pid: int, namespace: int) -> None:
        self._pids[name] = pid
        held = _held_namespace(pid, namespace)
        if held is not None:
            self._namespaces[name] = held
        self._tell({"started": name, "pid": pid})

    def _ended(self, name: str, code: int) -> None:
        """A process is gone: so is all that it left running."""
        self._signal_family(name, signal.SIGKILL)
        self._forget(name)
        self._tell({"exited": name, "code": code})

    def _forget(self, name: str) -> None:
        self._pids.pop(name, None)
        if name in self._namespaces:
            os.close(self._namespaces.pop(name))

    def _start_warm(self, spec: dict[str, Any]) -> None:
        warm = self._warm.pop(spec["warm"], None) or self._new_warm(spec)
        self._warm[spec["warm"]] = warm
        self._asked[warm][spec["id"]] = spec
        self._unsent[warm] += json.dumps(spec).encode() + b"\n"
        self._flush(warm)

    def _flush(self, warm: socket.socket) -> None:
        """Send what a warm process takes now: one that is importing must not hold up the others."""
        with contextlib.suppress(BlockingIOError, ConnectionError):
            sent = warm.send(self._unsent[warm]) if self._unsent[warm] else 0
            self._unsent[warm] = self._unsent[warm][sent:]
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._unsent[warm] else 0)
        self._selector.modify(warm, events)

    def _new_warm(self, spec: dict[str, Any]) -> socket.socket:
        ours, theirs = socket.socketpair()
        process = subprocess.Popen(
            [spec["argv"][0], str(_HERE / "warm.py"), str(theirs.fileno()), str(self._folder / spec["warm"])],
            env={**spec["warm_env"], _KEPT: os.environ[_KEPT]},
            stdin=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            start_new_session=True,
        )
        theirs.close()
        ours.setblocking(False)
        self._asked[ours], self._unsent[ours], self._warm_pids[ours] = {}, b"", process.pid
        self._listen(ours)
        while len(self._warm) >= _MOST_WARM:
            idle = next((name for name, it in self._warm.items() if not self._asked[it]), None)
            if idle is None:
                break
            self._drop_warm(self._warm.pop(idle))
        return ours

    def _relay(self, warm: socket.socket, message: dict[str, Any]) -> None:
        name = message.get("started") or message["exited"]
        if name not in self._asked.get(warm, {}):
            self._end_unwanted(message)
        elif "started" in message:
            self._started(name, message["pid"], message["namespace"])
        else:
            del self._asked[warm][name]
            self._ended(name, message["code"])

    def _end_unwanted(self, message: dict[str, Any]) -> None:
        """A process that was given up before it started, and has started all the same."""
        if "started" in message:
            name = message["started"]
            self._pids[name] = message["pid"]
            self._signal_family(name, signal.SIGKILL)
            self._forget(name)

    def _warm_one_is_gone(self, warm: socket.socket) -> None:
        asked = self._asked[warm]
        self._warm = {name: it for name, it in self._warm.items() if it is not warm}
        self._drop_warm(warm)
        for name, spec in asked.items():
            if name in self._pids:
                self._ended(name, -signal.SIGKILL)
            else:
                self._start(spec)

    def _drop_warm(self, warm: socket.socket) -> None:
        self._selector.unregister(warm)
        for table in (self._buffers, self._asked, self._unsent, self._warm_pids):
            table.pop(warm)
        warm.close()

    def _signal(self, name: str, number: int) -> None:
        if name in self._pids:
            self._signal_family(name, number)
            return
        warm = next((it for it, asked in self._asked.items() if name in asked), None)
        if warm is None:
            return
        # Its imports are not done. What never began is ended by forgetting it, and a warm process that has started
        # nothing is ended with it: its imports may never be done.
        del self._asked[warm][name]
        self._tell({"exited": name, "code": -number})
        if not any(other in self._pids for other in self._asked[warm]):
            pid = self._warm_pids[warm]
            self._warm_one_is_gone(warm)
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _reap(self) -> None:
        ids = {pid: name for name, pid in self._pids.items()}
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            name = ids.get(pid)
            if name is not None and name in self._pids:
                self._ended(name, os.waitstatus_to_exitcode(status))

    def _signal_family(self, name: str, number: int) -> None:
        """Signal a process and all that comes from it: what shares its session, its mark or its mount namespace.

        Nothing leaves a namespace by forking, so with rooms this is complete.
        """
        leader = self._pids.get(name)
        if leader is None:
            return
        namespace = os.fstat(self._namespaces[name]).st_ino if name in self._namespaces else None
        for process in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.Error, OSError):
                if (
                    os.getsid(process.pid) == leader
                    or (namespace and os.stat(f"/proc/{process.pid}/ns/mnt").st_ino == namespace)
                    or process.environ().get(_MARK) == name
                ):
                    process.send_signal(number)

    def _tell(self, event: dict[str, Any]) -> None:
        with contextlib.suppress(BrokenPipeError, ConnectionError):
            self._control.sendall(json.dumps(event).encode() + b"\n")


def _held_namespace(pid: int, inode: int) -> int | None:
    """A descriptor that keeps a process's mount namespace, if it has one of its own and is still there."""
    if not inode:
        return None
    try:
        held = os.open(f"/proc/{pid}/ns/mnt", os.O_RDONLY)
    except OSError:
        return None
    if os.fstat(held).st_ino == inode:
        return held
    os.close(held)
    return None


def _become_subreaper() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _leave_nothing() -> None:
    signal.set_wakeup_fd(-1)
    while True:
        family = psutil.Process().children(recursive=True)
        if not family:
            return
        for process in family:
            with contextlib.suppress(psutil.Error):
                process.kill()
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        time.sleep(0.01)


def main(control: socket.socket, folder: Path) -> None:
    """Say first whether rooms can be had, then keep."""
    _become_subreaper()
    wanted = os.environ.get("LOCAL_AWS_ROOMS") != "off"
    control.sendall(json.dumps({"rooms": wanted and rooms.available()}).encode() + b"\n")
    try:
        Keeper(control, folder).run()
    finally:
        _leave_nothing()


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])), Path(sys.argv[2]))
