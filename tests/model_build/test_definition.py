"""The pipeline's definition: compiled without calling anything, the same every time, and as it is kept here.

After a wanted change: UPDATE_GOLDEN=1 .venv/bin/pytest tests/model_build/test_definition.py, and read the diff.
"""

import json
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

GOLDEN = Path(__file__).with_name("definition.json")
ARGUMENTS = [
    *("--tracking-uri", "http://mlflow.internal:5000", "--bucket", "artifacts", "--commit", "0123abc"),
    *("--role-arn", "arn:aws:iam::123456789012:role/model-build", "--trigger", "a push"),
]
SECRET = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:mlflow-AbCdEf"


@pytest.fixture(scope="module")
def trap() -> Iterator[tuple[str, list[str]]]:
    """An address that notes whoever connects to it."""
    callers: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                callers.append(connection.recv(200).decode(errors="replace"))
                connection.close()

        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}", callers


@pytest.fixture(scope="module")
def compiled(trap: tuple[str, list[str]], tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Three definitions, printed by processes whose every way out leads into the trap; the third is of a build in a VPC
    whose MLflow server asks for an account."""
    address, _ = trap
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path_factory.mktemp("home")),
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_ENDPOINT_URL": address,
        **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), address),
    }
    command = [sys.executable, "-m", "model_build", "--definition", *ARGUMENTS]
    in_vpc = {"SUBNETS": "subnet-0a, subnet-0b", "SECURITY_GROUPS": "sg-0c", "MLFLOW_SECRET_ARN": SECRET}
    processes = [
        subprocess.Popen(
            command, env={**environment, **more}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for more in ({}, {}, in_vpc)
    ]
    printed = [process.communicate(timeout=120) for process in processes]
    assert [error for _, error in printed] == ["", "", ""]
    return [output for output, _ in printed]


@pytest.fixture
def definition(compiled: list[str]) -> Any:
    return json.loads(compiled[0])


def test_compiling_calls_nothing_and_needs_no_credentials(compiled: list[str], trap: tuple[str, list[str]]) -> None:
    assert trap[1] == []


def test_the_same_settings_give_the_same_bytes(compiled: list[str]) -> None:
    assert compiled[0] == compiled[1]


def test_the_definition_is_the_one_that_is_kept(compiled: list[str]) -> None:
    text = re.sub(r"/code/[0-9a-f]{16}", "/code/digest", compiled[0])
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.write_text(text)
    assert json.loads(text) == json.loads(GOLDEN.read_text())


def test_no_address_of_code_or_data_changes_from_compile_to_compile(definition: Any) -> None:
    addresses = set(re.findall(r"s3://[^\"]+", json.dumps(definition)))
    assert all(re.fullmatch(r"s3://artifacts/(code/[0-9a-f]{16}|data/.*|training)", address) for address in addresses)


def test_what_changes_with_every_push_is_outside_the_cache_keys(definition: Any) -> None:
    """https://docs.aws.amazon.com/sagemaker/latest/dg/pipelines-default-keys.html names what a key covers."""
    prepare, tune = (step["Arguments"] for step in definition["Steps"])
    trial = tune["TrainingJobDefinition"]
    keys = [
        *(prepare[name] for name in ("AppSpecification", "Environment", "ProcessingInputs")),
        tune["HyperParameterTuningJobConfig"],
        *(trial[name] for name in ("AlgorithmSpecification", "InputDataConfig", "StaticHyperParameters")),
    ]
    for varying in ("Parameters.SourceCommit", "Parameters.SourceTrigger", "Execution."):
        assert varying not in json.dumps(keys)
        assert varying in json.dumps(trial["Environment"])


def test_every_parameter_is_used_and_has_a_default(definition: Any) -> None:
    steps = json.dumps(definition["Steps"])
    for parameter in definition["Parameters"]:
        assert "DefaultValue" in parameter
        assert f'Parameters.{parameter["Name"]}"' in steps


def test_in_a_vpc_every_job_is_in_it_and_otherwise_none(compiled: list[str]) -> None:
    for text, expected in ((compiled[0], None), (compiled[2], (["subnet-0a", "subnet-0b"], ["sg-0c"]))):
        prepare, tune = (step["Arguments"] for step in json.loads(text)["Steps"])
        for config in (
            prepare.get("NetworkConfig", {}).get("VpcConfig"),
            tune["TrainingJobDefinition"].get("VpcConfig"),
        ):
            assert (config and (config["Subnets"], config["SecurityGroupIds"])) == expected


def test_a_job_gets_the_name_of_the_mlflow_secret_and_the_cache_key_does_not(compiled: list[str]) -> None:
    prepare, tune = (step["Arguments"] for step in json.loads(compiled[2])["Steps"])
    trial = tune["TrainingJobDefinition"]
    assert trial["Environment"]["MLFLOW_SECRET_ARN"] == SECRET
    assert SECRET not in json.dumps([prepare, trial["StaticHyperParameters"]])
    assert "MLFLOW_SECRET_ARN" not in compiled[0]


def test_the_network_and_the_secret_change_nothing_else(compiled: list[str]) -> None:
    plain, in_vpc = json.loads(compiled[0]), json.loads(compiled[2])
    prepare, tune = (step["Arguments"] for step in in_vpc["Steps"])
    del prepare["NetworkConfig"], tune["TrainingJobDefinition"]["VpcConfig"]
    del tune["TrainingJobDefinition"]["Environment"]["MLFLOW_SECRET_ARN"]
    assert in_vpc == plain
