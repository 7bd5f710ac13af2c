"""One shell for all commands of a build: what stays from one to the next, and what ends it."""

from __future__ import annotations

import json
from typing import Any


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


def test_folder_variables_and_functions_last_across_commands_and_phases(builds: Any) -> None:
    built = builds.run(
        _spec(
            install={"commands": ["mkdir deep && cd deep", "A=plain", "export B=exported", "say() { echo said $1; }"]},
            build={"commands": ['echo $A $B $(basename "$PWD")', "say it"]},
        )
    )

    assert built.said == ["plain exported deep", "said it"]
    assert built.status == "SUCCEEDED"
