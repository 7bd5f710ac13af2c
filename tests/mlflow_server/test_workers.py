"""Several serving processes: none outlives the one that started them, and what is left of a session is ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
import requests

Run = Callable[..., subprocess.CompletedProcess[str]]
Make = Callable[..., Path]


def of_home(home: Path) -> list[psutil.Process]:
    """The processes that work for a home: the server by its command line, its stores by their folder."""
    found = []
    for process in psutil.process_iter():
        try:
            if any(str(home) in part for part in process.cmdline()):
                found.append(process)
        except psutil.Error:
            continue
    return found


def record(home: Path) -> tuple[psutil.Process, str]:
    kept = json.loads((home / "server.json").read_text())
    return psutil.Process(kept["pid"]), f"http://127.0.0.1:{kept['port']}"


def workers_of(server: psutil.Process) -> list[psutil.Process]:
    return [child for child in server.children() if "spawn_main" in " ".join(child.cmdline())]


def test_a_killed_server_leaves_no_worker_that_the_next_does_not_end_and_that_one_none_at_all(
    make_home: Make, tmp_path: Path
) -> None:
    home, log = make_home("--postgres", "--workers", "2"), tmp_path / "log"
    server, uri = record(home)
    stuck, sound = workers_of(server)
    stuck.suspend()
    server.kill()
    assert psutil.wait_procs([sound], timeout=30)[1] == []
    assert stuck.is_running()

    # Nobody was told the password, as on the first start.
    (home / "client.env").unlink()
    # The worker that is stuck holds the port: it is free only when that is ended.
    command = [sys.executable, "-u", "-m", "mlflow_server", "up", "--home", str(home), "--foreground"]
    with (
        log.open("w") as file,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=file, text=True, start_new_session=True) as process,
    ):
        try:
            # A worker that dies before it serves is replaced, and the server is up with that one too.
            while not (begun := workers_of(psutil.Process(process.pid))):
                assert process.poll() is None, log.read_text()
                time.sleep(0.05)
            begun[0].kill()
            assert process.stdout is not None
            assert process.stdout.readline().startswith(f"up: {uri} "), log.read_text()
            assert process.stdout.readline().startswith("administrator: admin, password: ")
            assert not stuck.is_running()
            assert requests.get(f"{uri}/health", timeout=30).text == "OK"
        finally:
            # As a terminal does it: workers are interrupted too.
            os.killpg(process.pid, signal.SIGINT)
        assert process.wait(60) == 0
    assert of_home(home) == []
    assert "Traceback" not in log.read_text()


def test_an_interrupt_while_up_waits_ends_the_server_and_the_stores_that_it_started(tmp_path: Path) -> None:
    home = tmp_path / "home"
    command = [sys.executable, "-m", "mlflow_server", "up", "--home", str(home), "--postgres"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 60
        while not (home / "server.json").exists():
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        said, complained = process.communicate(timeout=60)
    assert process.returncode == 1
    assert (said, complained.strip()) == ("", "Aborted!")
    assert of_home(home) == []
    assert not (home / "settings.json").exists()


@pytest.mark.parametrize("options", [("--port", "1"), ("--no-auth",), ("--workers", "7")])
def test_a_server_that_is_up_is_not_silently_left_as_it_was(
    postgres_home: Path, here: Run, options: tuple[str, ...]
) -> None:
    done = here("up", postgres_home, *options)
    assert done.returncode == 1
    assert "stop it with `mlflow-server down` before you start it" in done.stderr


def test_a_server_in_the_foreground_leaves_the_stores_of_one_that_is_up_alone(postgres_home: Path, run: Run) -> None:
    before = {process.pid for process in of_home(postgres_home)}
    done = run("up", postgres_home, "--foreground")
    assert done.returncode == 1
    assert "Another server serves" in done.stderr
    assert {process.pid for process in of_home(postgres_home)} >= before
