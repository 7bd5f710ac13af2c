"""What a buildspec may say, and how what it should not say is refused: by name and line."""

from __future__ import annotations

import re
from typing import Any

import pytest
from local_aws.codebuild.buildspec import OnFailure, parse
from local_aws.codebuild.yaml_lines import YamlRefused

BUILD = "phases:\n  build:\n    commands:\n      - 'true'\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "needs phases|version: 0.2"),
        ("version: 0.2\n", "phases: a buildspec needs phases"),
        ("phases: {}\n", "write version: 0.2"),
        ("version: 0.1\n" + BUILD, "0.1 runs each command in a shell of its own"),
        ("version: 0.2\nphases: [\n", r"cannot be read at line 3, column 1"),
        ("version: 0.2\n\tphases: 1\n", "cannot be read at line 2, column 1"),
        ("version: 0.2\nphase:\n  build: {}\n", r"phase: unknown key; known here are .*\(line 2\)"),
        ("version: 0.2\n" + BUILD + "    comands: []\n", r"phases.build.comands: unknown key.*\(line 6\)"),
        ("version: 0.2\nphases:\n  test:\n    commands: [a]\n", r"phases.test: unknown key.*\(line 3\)"),
        ("version: 0.2\n" + BUILD + BUILD, r"phases: the key is there twice \(line 6\)"),
        ("version: 0.2\nphases:\n  build:\n    commands:\n      - echo a: b\n", r"commands\[0\].*quotes.*\(line 5\)"),
        ("version: 0.2\nphases:\n  build:\n    commands: make\n", r"phases.build.commands: must be a list \(line 4\)"),
        ("version: 0.2\nphases:\n  build:\n    commands:\n", "phases.build.commands: the phase has no commands"),
        ("version: 0.2\nphases:\n  build:\n    on-failure: STOP\n    commands: [a]\n", "'STOP' is none of ABORT"),
        ("version: 0.2\nphases:\n  build:\n    on-failure: RETRY-[\n    commands: [a]\n", "no regular expression"),
        ("version: 0.2\nphases:\n  install:\n    runtime-versions:\n      cobol: 3\n", "Unknown runtime named 'cobol'"),
        (
            "version: 0.2\nphases:\n  install:\n    runtime-versions:\n      python: 2.7\n",
            "version named '2.7' of python",
        ),
        ("version: 0.2\nphases:\n  install:\n    runtime-versions:\n      nodejs: 22\n", "runtime nodejs"),
        ("version: 0.2\nphases:\n  build:\n    runtime-versions:\n      python: 3.12\n", "only the install phase"),
        ("version: 0.2\nenv:\n  variables:\n    A-B: c\n" + BUILD, "no name of an environment variable"),
        ("version: 0.2\nenv:\n  shell: zsh\n" + BUILD, "'zsh' is none of sh, bash"),
        ("version: 0.2\nenv:\n  exported-variables: [AWS_REGION]\n" + BUILD, "AWS_REGION cannot be exported"),
        (
            "version: 0.2\nenv:\n  secrets-manager:\n    S: s\n  exported-variables: [S]\n" + BUILD,
            "S cannot be exported: its value is a secret",
        ),
        ("version: 0.2\nproxy:\n  logs: yes\n" + BUILD, "proxy: not carried out"),
        ("version: 0.2\nbatch:\n  fast-fail: true\n" + BUILD, "batch: not carried out"),
        ("version: 0.2\n" + BUILD + "artifacts:\n  name: x\n", "artifacts: an artifact needs files"),
        ("version: 0.2\n" + BUILD + "artifacts:\n  files: ['*']\n  discard-paths: maybe\n", "'maybe' is none of yes"),
        (
            "version: 0.2\n" + BUILD + "reports:\n  r:\n    files: [a]\n    file-format: TESTNGXML\n",
            "TESTNGXML is not read",
        ),
        ("version: 0.2\n" + BUILD + "reports:\n  r: {}\n", "reports.r: a report needs files"),
        ("version: 0.2\n" + BUILD + "cache:\n  path: [a]\n", "cache.path: unknown key; known here are action"),
        ("- a\n- b\n", "must be a mapping"),
        ("version: 0.2\n" + "[" * 3000, "cannot be read|nested too deep"),
    ],
)
def test_what_is_not_known_is_refused_with_its_key_and_line(text: str, said: str) -> None:
    with pytest.raises(YamlRefused, match=said):
        parse(text)


def test_words_that_look_like_other_types_stay_text() -> None:
    spec = parse(
        "version: 0.2\nenv:\n  variables:\n    A: 010\n    B: yes\n    C: 1.10\n    D:\n"
        "phases:\n  build:\n    commands:\n      - false\n      - 1\n"
    )

    assert spec.variables == {"A": "010", "B": "yes", "C": "1.10", "D": ""}
    assert spec.phases["build"].commands == ("false", "1")


@pytest.mark.parametrize(
    ("written", "means"),
    [
        ("ABORT", OnFailure("ABORT")),
        ("CONTINUE", OnFailure("CONTINUE")),
        ("RETRY", OnFailure("RETRY", 3, ".*")),
        ("RETRY-5", OnFailure("RETRY", 5, ".*")),
        ("RETRY-.*Error.*", OnFailure("RETRY", 3, ".*Error.*")),
        ("RETRY-2-exit status 7", OnFailure("RETRY", 2, "exit status 7")),
    ],
)
def test_on_failure_is_read_in_all_its_forms(written: str, means: OnFailure) -> None:
    spec = parse(f"version: 0.2\nphases:\n  build:\n    on-failure: '{written}'\n    commands: [a]\n")

    assert spec.phases["build"].on_failure == means


@pytest.mark.parametrize(
    ("files", "source", "said"),
    [
        ({"other.txt": ""}, {}, "YAML_FILE_ERROR: stat .*/buildspec.yml: no such file or directory"),
        (
            {"buildspec.yml": "version: 0.2\nphases: ["},
            {},
            "YAML_FILE_ERROR: buildspec.yml: the YAML cannot be read at line 2",
        ),
        (
            {"buildspec.yml": "version: 0.2\n" + BUILD},
            {"buildspec": "ci/spec.yml"},
            "YAML_FILE_ERROR: stat .*ci/spec.yml",
        ),
        ({"buildspec.yml": "version: 0.2\n" + BUILD}, {"buildspec": "../../x"}, "leads outside of the source"),
        ({"buildspec.yml": "version: 0.2\nrun-as: nobody\n" + BUILD}, {}, "run-as nobody is not carried out"),
    ],
)
def test_a_buildspec_that_cannot_be_read_fails_the_download_of_the_source(
    builds: Any, files: dict[str, str], source: dict[str, str], said: str
) -> None:
    project = builds.project(source={"type": "S3", "location": builds.zip(files), **source})

    built = builds.ended(builds.start(project))

    assert built.status == "FAILED"
    assert list(built.phases) == ["SUBMITTED", "QUEUED", "PROVISIONING", "DOWNLOAD_SOURCE", "COMPLETED"]
    assert built.phases["DOWNLOAD_SOURCE"] == "FAILED"
    assert re.search(said, built.context("DOWNLOAD_SOURCE"))
    assert "Phase context status code: YAML_FILE_ERROR" in built.log


def test_another_python_than_the_one_here_is_said_with_both_versions(builds: Any) -> None:
    built = builds.run("version: 0.2\nphases:\n  install:\n    runtime-versions:\n      python: 3.9\n")

    assert built.status == "SUCCEEDED"
    assert "runtime version '3.9'" in built.log
    assert "local-aws has Python 3." in built.log


def test_a_buildspec_may_be_the_projects_text_or_an_object_in_s3(builds: Any) -> None:
    text = "version: 0.2\nphases:\n  build:\n    commands: [echo from here]\n"
    builds.put("specs/spec.yml", text.encode())
    inline = builds.project(source={"type": "NO_SOURCE", "buildspec": text})
    stored = builds.project(source={"type": "NO_SOURCE", "buildspec": f"arn:aws:s3:::{builds.bucket}/specs/spec.yml"})

    for built in [builds.ended(builds.start(project)) for project in (inline, stored)]:
        assert built.said == ["from here"]
