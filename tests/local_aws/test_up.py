"""`local-aws up`, `down` and `status` as a person meets them."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from click.testing import CliRunner
from local_aws.__main__ import main

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run() -> Run:
    """Run one command of the command line on a home."""

    def once(command: str, home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-m", "local_aws", command, "--home", str(home), *arguments]
        return subprocess.run(argv, capture_output=True, text=True, timeout=90, check=False)

    return once


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A home on which whatever a test starts in the background is ended."""
    folder = tmp_path / "home"
    yield folder
    record = folder / "server.json"
    if record.exists():
        pid = json.loads(record.read_text())["pid"]
        if psutil.pid_exists(pid):
            os.kill(pid, signal.SIGKILL)


def refusal(done: subprocess.CompletedProcess[str]) -> str:
    """The one sentence that a command that failed has said."""
    assert done.returncode != 0
    assert "Traceback" not in done.stdout + done.stderr
    return done.stderr


def test_a_home_that_is_served_is_not_served_again(cloud: Any, run: Run) -> None:
    record = (cloud.home / "server.json").read_text()
    (cloud.home / "server.json").unlink()  # as a second server would find it that started at the same moment
    told = refusal(run("up", cloud.home, "--foreground"))
    assert f"home {cloud.home} is served already by process {cloud.process.pid}" in told
    (cloud.home / "server.json").write_text(record)
    from local_aws.server import CannotServe, serve

    with pytest.raises(CannotServe, match=f"by process {cloud.process.pid} at {cloud.endpoint_url}"):
        serve(cloud.home, 0, "us-east-1", ready=lambda _: None)


def test_of_two_servers_started_at_once_one_serves(home: Path) -> None:
    command = [sys.executable, "-m", "local_aws", "up", "--foreground", "--home", str(home)]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    try:
        said = []
        for process in both:
            assert process.stdout is not None
            said.append(process.stdout.readline())
        assert sorted("listening on" in line for line in said) == [False, True]
        loser = both[said.index("")]
        assert loser.wait(30) != 0
        assert loser.stderr is not None
        assert "is served already by process" in loser.stderr.read()
    finally:
        for process in both:
            process.terminate()
            process.communicate(timeout=30)


def test_a_home_under_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for home in (tmp_path / "file", tmp_path / "file" / "home"):
        for command in (["up"], ["up", "--foreground"], ["status"], ["down"]):
            told = CliRunner().invoke(main, [*command, "--home", str(home)])
            assert told.exit_code == 2
            assert "file" in told.stderr
            assert "not a folder" in told.stderr or "is a file" in told.stderr


def test_a_port_that_is_taken_is_named(run: Run, home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        told = refusal(run("up", home, "--foreground", "--port", str(port)))
    assert f"Port {port} on 127.0.0.1 cannot be had" in told


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_not_taken_for_a_port(run: Run, home: Path) -> None:
    home.mkdir()
    (home / "lock").symlink_to("/dev/full")
    told = refusal(run("up", home, "--foreground"))
    assert f"home {home} cannot be used: No space left on device" in told
    assert "Port" not in told


def test_a_database_that_is_none_is_named(run: Run, home: Path) -> None:
    home.mkdir()
    (home / "state.sqlite").write_text("this is no database, though long enough to be read as one" * 50)
    assert f"home {home} cannot be used: file is not a database" in refusal(run("up", home, "--foreground"))


def test_a_port_file_that_a_full_disk_left_empty_does_not_matter(run: Run, home: Path) -> None:
    home.mkdir()
    (home / "port").write_text("")
    assert run("up", home).returncode == 0
    assert run("down", home).stdout == "stopped\n"


def test_down_and_status_where_nothing_runs(run: Run, home: Path) -> None:
    assert run("down", home).stdout == "not running\n"
    done = run("status", home)
    assert (done.stdout, done.returncode) == ("down\n", 3)


def test_a_record_whose_number_went_to_another_cloud_stops_nobody(cloud: Any, run: Run, home: Path) -> None:
    home.mkdir()
    record = json.loads((cloud.home / "server.json").read_text())
    (home / "server.json").write_text(json.dumps({**record, "started": record["started"] - 60}))
    assert run("down", home).stdout == "not running\n"
    assert cloud.process.poll() is None
    (home / "server.json").unlink()


def test_the_profile_of_whoever_starts_the_cloud_is_not_the_clouds(make_cloud: Callable[..., Any]) -> None:
    cloud = make_cloud(AWS_PROFILE="theirs", AWS_ENDPOINT_URL_S3="http://127.0.0.1:9")
    cloudformation = cloud.client("cloudformation")
    template = json.dumps({"Resources": {"Bucket": {"Type": "AWS::S3::Bucket"}}})
    cloudformation.create_stack(StackName="theirs", TemplateBody=template)
    cloudformation.get_waiter("stack_create_complete").wait(StackName="theirs", WaiterConfig={"Delay": 1})


def test_an_interrupt_before_the_cloud_is_up_leaves_none_that_comes_up_later(home: Path) -> None:
    command = [sys.executable, "-m", "local_aws", "up", "--home", str(home)]
    starting = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    while not (home / "server.log").exists():
        assert starting.poll() is None
    time.sleep(0.1)
    starting.send_signal(signal.SIGINT)
    said = starting.communicate(timeout=60)
    assert starting.returncode == 1, said
    time.sleep(2)
    assert not [
        process.info["cmdline"]
        for process in psutil.process_iter(["cmdline"])
        if str(home) in (process.info["cmdline"] or ())
    ]
