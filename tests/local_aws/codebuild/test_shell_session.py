"""One shell for all commands of a build: what stays from one to the next, what ends it, and what a failure leads to."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from local_aws.codebuild.shell import OutOfTime, Shell


def _spec(**phases: Any) -> str:
    return json.dumps({"version": "0.2", "phases": phases})


def test_a_failed_build_phase_still_runs_post_build_which_is_told(builds: Any) -> None:
    built = builds.run(
        _spec(
            build={"commands": ["false", "echo never"]},
            post_build={"commands": ["echo succeeding=$CODEBUILD_BUILD_SUCCEEDING"]},
        )
    )

    assert built.status == "FAILED"
    assert built.phases["BUILD"] == "FAILED"
    assert built.phases["POST_BUILD"] == "SUCCEEDED"
    assert built.context("BUILD") == (
        "COMMAND_EXECUTION_ERROR: Error while executing command: false. Reason: exit status 1"
    )
    assert built.said == ["succeeding=0"]


@pytest.mark.parametrize("phase", ["install", "pre_build"])
def test_a_failed_install_or_pre_build_phase_runs_no_other(builds: Any, phase: str) -> None:
    later = {"commands": ["echo later"]}
    built = builds.run(_spec(**{phase: {"commands": ["exit 3"], "finally": ["echo finally"]}, "build": later}))

    assert built.status == "FAILED"
    assert "BUILD" not in built.phases
    assert built.phases["UPLOAD_ARTIFACTS"] == "SUCCEEDED"
    assert "exit status 3" in built.context(phase.upper())
    assert built.said == ["finally"]


def test_exit_ends_the_shell_but_not_what_it_knew(builds: Any) -> None:
    built = builds.run(
        _spec(
            build={
                "commands": [
                    "mkdir deep && cd deep && export A=kept",
                    "exit 0",
                    'echo $A $(basename "$PWD")',
                    "exit 4",
                ],
                "finally": ["echo finally $A"],
            }
        )
    )

    assert built.said == ["kept deep", "finally kept"]
    assert "exit status 4" in built.context("BUILD")


def test_a_command_that_is_no_shell_fails_its_phase_and_no_other(builds: Any) -> None:
    built = builds.run(_spec(build={"commands": ["if then"]}, post_build={"commands": ["echo after"]}))

    assert built.phases["BUILD"] == "FAILED"
    assert built.said[-1] == "after"


def test_folder_variables_and_functions_last_across_commands_and_phases(builds: Any) -> None:
    built = builds.run(
        _spec(
            install={"commands": ["mkdir deep && cd deep", "A=plain", "export B=exported", "say() { echo said $1; }"]},
            build={"commands": ['echo $A $B $(basename "$PWD")', "say it", "cat <<END\nmore\nEND"]},
        )
    )

    assert built.said == ["plain exported deep", "said it", "more", "END", "more"]
    assert built.status == "SUCCEEDED"


def test_the_shell_is_the_one_that_the_buildspec_names(builds: Any) -> None:
    spec = {
        "version": "0.2",
        "env": {"shell": "bash"},
        "phases": {"build": {"commands": ["[[ ab == a* ]] && echo bash"]}},
    }

    assert builds.run(json.dumps(spec)).said == ["bash"]


def test_on_failure_abort_stops_and_continue_goes_on(builds: Any) -> None:
    post = {"commands": ["echo post"]}
    aborted = builds.run(_spec(build={"commands": ["false"], "on-failure": "ABORT"}, post_build=post))
    continued = builds.run(_spec(install={"commands": ["false"], "on-failure": "CONTINUE"}, post_build=post))

    assert (aborted.status, aborted.said) == ("FAILED", [])
    assert (continued.status, continued.said) == ("FAILED", ["post"])


def test_on_failure_retry_runs_the_phase_again_while_the_error_matches(builds: Any) -> None:
    twice = "echo x >> tries; [ $(wc -l < tries) -ge 3 ] || exit 7"
    built = builds.run(_spec(build={"commands": [twice], "on-failure": "RETRY-2-exit status 7"}))
    other = builds.run(_spec(build={"commands": ["echo tried; exit 8"], "on-failure": "RETRY-2-exit status 7"}))

    assert built.status == "SUCCEEDED"
    assert (other.status, other.said) == ("FAILED", ["tried"])


def test_a_stopped_build_leaves_no_process_behind(builds: Any) -> None:
    marker = "4242.4242"
    build = builds.start(
        builds.project({"buildspec.yml": _spec(build={"commands": [f"sleep {marker} & setsid sleep {marker} & wait"]})})
    )
    _wait(lambda: len(_sleeping(marker)) == 2)

    builds.codebuild.stop_build(id=build)
    built = builds.ended(build, 20)

    assert built.status == "STOPPED"
    assert built.phases["BUILD"] == "STOPPED"
    assert _sleeping(marker) == []
    assert builds.codebuild.stop_build(id=build)["build"]["buildStatus"] == "STOPPED"


def test_what_commands_leave_running_ends_with_the_build(builds: Any) -> None:
    built = builds.run(_spec(build={"commands": ["sleep 4343.4343 &", "echo done"]}))

    assert built.said == ["done"]
    assert _sleeping("4343.4343") == []


def test_a_command_past_the_deadline_is_ended(tmp_path: Path) -> None:
    started: list[Any] = []

    class Child:
        id = "child"

        def __init__(self, argv: list[str], env: dict[str, str], cwd: str) -> None:
            self.process = subprocess.Popen(argv, env=env, cwd=cwd)

        def wait(self, timeout: float | None = None) -> int | None:
            try:
                return self.process.wait(timeout)
            except subprocess.TimeoutExpired:
                return None

        def signal(self, number: int) -> None:
            self.process.send_signal(number)

    def start(argv: list[str], env: dict[str, str], cwd: str) -> Any:
        started.append(Child(argv, env, cwd))
        return started[-1]

    shell = Shell(start, "/bin/sh", tmp_path / "shell", {"A": "b"}, tmp_path, time.monotonic() + 0.5)
    assert shell.run("[ $A = b ]") == 0
    with pytest.raises(OutOfTime):
        shell.run("while :; do :; done")
    shell.close()

    assert started[-1].process.returncode == -9


def _sleeping(marker: str) -> list[int]:
    found = []
    for process in psutil.process_iter(["cmdline"]):
        if process.info["cmdline"] == ["sleep", marker]:
            found.append(process.pid)
    return found


def _wait(until: Any) -> None:
    deadline = time.monotonic() + 20
    while not until():
        assert time.monotonic() < deadline
        time.sleep(0.02)
