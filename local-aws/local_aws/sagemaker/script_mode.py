"""Script mode: what the toolkit in the prebuilt framework images does with hyperparameters, sources and SM_ variables.

The contract is that of the `sagemaker-training` toolkit (https://github.com/aws/sagemaker-training-toolkit): the
hyperparameters `sagemaker_program` and `sagemaker_submit_directory` name the script and its sources, the others become
its arguments.
"""

from __future__ import annotations

import json
import os
import re
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local_aws import archives
from local_aws.cloud import Cloud
from local_aws.containers import ML, Container, is_inside
from local_aws.sagemaker.s3_io import download_object

CODE = "/opt/ml/code"
_FOR_THE_TOOLKIT = re.compile(r"sagemaker_\w+|_tuning_objective_metric")


class SourcesRefused(Exception):
    """The script or its sources cannot be used; the message says what was found."""


@dataclass(frozen=True)
class Script:
    """A script of a job: its name below the sources, and the hyperparameters as the user meant them."""

    program: str
    submit_directory: str | None
    hyperparameters: dict[str, Any]
    framework: dict[str, Any]

    @classmethod
    def of(cls, raw: dict[str, str], environment: dict[str, str]) -> Script:
        """Read the hyperparameters of a request, each a string that may be JSON."""
        values = {name: _decoded(value) for name, value in raw.items()}
        framework = {name: value for name, value in values.items() if _FOR_THE_TOOLKIT.fullmatch(name)}
        program = framework.get("sagemaker_program") or environment.get("SAGEMAKER_PROGRAM")
        if not program:
            raise SourcesRefused(
                "the job names no script: give the hyperparameters sagemaker_program and sagemaker_submit_directory, "
                "or a ContainerEntrypoint"
            )
        directory = framework.get("sagemaker_submit_directory") or environment.get("SAGEMAKER_SUBMIT_DIRECTORY")
        own = {name: value for name, value in values.items() if name not in framework}
        return cls(str(program), directory, own, framework)

    @property
    def arguments(self) -> list[str]:
        """`--name value` for each hyperparameter, `-n value` where its name is one letter, in alphabetical order."""
        pairs = [
            (f"--{name}" if len(name) > 1 else f"-{name}", _text(value))
            for name, value in sorted(self.hyperparameters.items())
        ]
        return [word for pair in pairs for word in pair]

    def fetch(self, cloud: Cloud, container: Container) -> Path:
        """Bring the sources to /opt/ml/code; answers the folder on this machine. Raises `SourcesRefused`."""
        folder = container.path(CODE)
        folder.mkdir(parents=True, exist_ok=True)
        if self.submit_directory and self.submit_directory.startswith("s3://"):
            download_object(cloud, self.submit_directory, folder)
            archive = folder / self.submit_directory.rpartition("/")[2]
            try:
                with tarfile.open(archive) as tar:
                    for member in tar:
                        archives.extract(tar, member, folder)
            except tarfile.TarError as error:
                raise SourcesRefused(f"{self.submit_directory} is no tar of sources: {error}") from error
            archive.unlink()
        elif self.submit_directory:
            if not is_inside(self.submit_directory):
                raise SourcesRefused(
                    f"sagemaker_submit_directory is {self.submit_directory}: give s3://... or a folder of {ML}"
                )
            folder = container.path(self.submit_directory)
        if not (folder / self.program).is_file():
            there = ", ".join(sorted(path.name for path in folder.glob("*"))) or "nothing"
            raise SourcesRefused(f"the script {self.program!r} is not among the sources, which hold {there}")
        return folder

    def command(self, folder: str) -> list[str]:
        """What runs the script: Python for `.py`, the shell for anything else."""
        runner = "python" if self.program.endswith(".py") else "/bin/sh"
        return [runner, f"{folder}/{self.program}", *self.arguments]


def environment(
    script: Script, container: Container, described: dict[str, Any], resources: dict[str, Any]
) -> dict[str, str]:
    """The SM_ variables of a training job; `described` is its description, `resources` its resourceconfig.json."""
    inside = container.inside
    channels = {
        item["ChannelName"]: inside(f"/opt/ml/input/data/{item['ChannelName']}")
        for item in described.get("InputDataConfig", [])
    }
    cpus = os.cpu_count() or 1
    host = resources["current_host"]
    program = script.program
    toolkit = {
        "additional_framework_parameters": script.framework,
        "channel_input_dirs": channels,
        "current_host": host,
        "current_instance_type": resources["current_instance_type"],
        "framework_module": "sagemaker_sklearn_container.training:main",
        "hosts": resources["hosts"],
        "hyperparameters": script.hyperparameters,
        "input_config_dir": inside("/opt/ml/input/config"),
        "input_dir": inside("/opt/ml/input"),
        "is_master": host == resources["hosts"][0],
        "job_name": described["TrainingJobName"],
        "log_level": 20,
        "master_hostname": resources["hosts"][0],
        "model_dir": inside("/opt/ml/model"),
        "module_dir": script.submit_directory or inside(CODE),
        "module_name": program.removesuffix(".py"),
        "network_interface_name": "lo",
        "num_cpus": cpus,
        "num_gpus": 0,
        "output_data_dir": inside("/opt/ml/output/data"),
        "output_dir": inside("/opt/ml/output"),
        "output_intermediate_dir": inside("/opt/ml/output/intermediate"),
        "resource_config": resources,
        "user_entry_point": program,
    }
    variables = {
        "SM_HOSTS": resources["hosts"],
        "SM_CURRENT_HOST": host,
        "SM_CURRENT_INSTANCE_TYPE": resources["current_instance_type"],
        "SM_NETWORK_INTERFACE_NAME": "lo",
        "SM_HPS": script.hyperparameters,
        "SM_USER_ENTRY_POINT": program,
        "SM_FRAMEWORK_PARAMS": script.framework,
        "SM_RESOURCE_CONFIG": resources,
        "SM_CHANNELS": sorted(channels),
        "SM_MODULE_NAME": toolkit["module_name"],
        "SM_LOG_LEVEL": 20,
        "SM_FRAMEWORK_MODULE": toolkit["framework_module"],
        "SM_INPUT_DIR": toolkit["input_dir"],
        "SM_INPUT_CONFIG_DIR": toolkit["input_config_dir"],
        "SM_OUTPUT_DIR": toolkit["output_dir"],
        "SM_OUTPUT_DATA_DIR": toolkit["output_data_dir"],
        "SM_OUTPUT_INTERMEDIATE_DIR": toolkit["output_intermediate_dir"],
        "SM_NUM_CPUS": cpus,
        "SM_NUM_GPUS": 0,
        "SM_NUM_NEURONS": 0,
        "SM_MODEL_DIR": toolkit["model_dir"],
        "SM_MODULE_DIR": toolkit["module_dir"],
        "SM_TRAINING_ENV": toolkit,
        "SM_USER_ARGS": script.arguments,
        "SM_INPUT_DATA_CONFIG": {
            item["ChannelName"]: {"TrainingInputMode": "File"} for item in described.get("InputDataConfig", [])
        },
        **{f"SM_CHANNEL_{name.upper()}": path for name, path in channels.items()},
        **{f"SM_HP_{name.upper()}": value for name, value in script.hyperparameters.items()},
    }
    return {name: _text(value) for name, value in variables.items()}


def _decoded(value: str) -> Any:
    try:
        return json.loads(value)
    except ValueError:
        return value


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value) if isinstance(value, dict | list) else str(value)
