"""The server's processes: what slow, broken and greedy clients, signals and crashes do to them."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

PROGRAM = Path(__file__).parents[3] / "model-deploy" / "serving" / "serve.py"
ROW = [5.1, 3.5, 1.4, 0.2]
HEAD = b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"


def children(pid: int) -> set[int]:
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False)
    return {int(line) for line in listed.stdout.split()}


def wait_until(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"POST /invo",
        HEAD % 1000 + b"[[1,2",
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /invocations HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
        b"POST /invocations HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 7\r\n\r\n[[1]]",
        b"POST /invocations HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET /ping HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    ],
)
def test_a_client_that_breaks_off_or_talks_nonsense_harms_no_one(tree: Any, sent: bytes) -> None:
    for _ in range(20):
        with tree.raw() as connection:
            connection.sendall(sent)
    assert tree.invoke([ROW]).predictions == [0]


def test_a_client_that_goes_before_its_answer_harms_no_one(tree: Any) -> None:
    body = json.dumps([ROW] * 100_000).encode()
    for _ in range(3):
        with tree.raw() as connection:
            connection.sendall(HEAD % len(body) + body)
    assert tree.invoke([ROW]).predictions == [0]


def test_an_endless_head_is_cut_off(tree: Any) -> None:
    with tree.raw() as connection, pytest.raises(OSError):  # noqa: PT012 (the server may close at any byte)
        connection.sendall(b"GET /ping HTTP/1.1\r\nX-Long: ")
        for _ in range(10_000):
            connection.sendall(b"a" * 10_000)
    with tree.raw() as connection:
        connection.sendall(b"GET /ping HTTP/1.1\r\nX-Long: " + b"a" * 70_000)
        assert connection.recv(1000).startswith(b"HTTP/1.1 431")


def test_a_slow_client_keeps_no_one_else_waiting(tree: Any) -> None:
    slow = [tree.raw() for _ in range(50)]
    try:
        body = json.dumps([ROW]).encode()
        for connection in slow:
            connection.sendall(HEAD % len(body) + body[:5])
        for _ in range(10):
            started = time.monotonic()
            assert tree.invoke([ROW]).predictions == [0]
            assert time.monotonic() - started < 5
        for connection in slow:
            connection.sendall(body[5:])
        assert all(connection.recv(1000).startswith(b"HTTP/1.1 200") for connection in slow)
    finally:
        for connection in slow:
            connection.close()


def test_ping_answers_while_a_large_request_is_scored(tree: Any) -> None:
    body = json.dumps([ROW] * 600_000).encode()
    answers: list[Any] = []
    clients = [threading.Thread(target=lambda: answers.append(tree.invoke(body))) for _ in range(2)]
    for client in clients:
        client.start()
    while any(client.is_alive() for client in clients):
        assert tree.ask("GET", "/ping").status == 200
        time.sleep(0.05)
    assert [len(answer.predictions) for answer in answers] == [600_000, 600_000]


def test_requests_on_one_connection_are_answered_in_turn(tree: Any) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", tree.port, timeout=30)
    for body, status in [(b"[[5.1,3.5,1.4,0.2]]", 200), (b"[[", 400), (b"[[6.3,3.3,6.0,2.5]]", 200)]:
        connection.request("POST", "/invocations", body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        response.read()
        assert response.status == status
    connection.close()


@pytest.mark.parametrize("workers", [1, 2])
def test_sigterm_lets_the_requests_that_are_here_finish(
    own_server: Any, until_ready: Any, tree_model: Path, workers: int
) -> None:
    server = own_server(tree_model, workers=workers)
    until_ready(server)
    body = json.dumps([ROW]).encode()
    with server.raw() as connection:
        connection.sendall(HEAD % len(body) + body[:5])
        time.sleep(0.3)
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        connection.sendall(body[5:])
        assert connection.recv(1000).startswith(b"HTTP/1.1 200")
    assert server.process.wait(timeout=20) == 0
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", server.port), timeout=1)


def test_a_worker_that_is_killed_is_replaced_and_all_end_with_their_parent(
    own_server: Any, until_ready: Any, tree_model: Path
) -> None:
    server = own_server(tree_model, workers=2)
    until_ready(server)
    wait_until(lambda: len(children(server.process.pid)) == 2)
    before = children(server.process.pid)
    os.kill(min(before), signal.SIGKILL)
    wait_until(lambda: len(children(server.process.pid) - before) == 1)
    until_ready(server)
    assert "ended with -9; starting another" in server.log.read_text()
    workers = children(server.process.pid)
    server.process.kill()
    server.process.wait()
    wait_until(lambda: not any(alive(pid) for pid in workers))


def test_a_request_that_does_not_arrive_in_time_is_ended(own_server: Any, until_ready: Any, tree_model: Path) -> None:
    hurried = "import bounded_http, http_server; bounded_http.MAX_ARRIVAL_SECONDS = http_server.LATE_CHECK_SECONDS = 1"
    server = own_server(tree_model, prelude=hurried)
    until_ready(server)
    with server.raw() as silent, server.raw() as in_head, server.raw() as in_body:
        in_head.sendall(b"GET /ping HTTP/1.1\r\n")
        in_body.sendall(HEAD % 1000 + b"[[1,")
        for connection in (silent, in_head, in_body):
            assert connection.recv(1000).startswith(b"HTTP/1.1 408")
    assert server.invoke([ROW]).predictions == [0]


def test_another_task_than_serving_is_refused() -> None:
    command = [sys.executable, str(PROGRAM), "train"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stderr) == (2, "This container serves a model; it cannot train.\n")


def test_a_setting_that_is_no_number_is_refused(refusal: Any, tree_model: Path) -> None:
    assert "SAGEMAKER_MODEL_SERVER_WORKERS is 'many'" in refusal(tree_model, workers="many")
