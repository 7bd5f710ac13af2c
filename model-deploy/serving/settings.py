"""What the program is told by its environment: where the model is, where to listen, in how many processes.

SageMaker's variables: https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html"""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from refusals import StartRefused


@dataclass(frozen=True)
class Settings:
    """Where the model is, which it is, where to listen, and in how many processes.

    `model_name` and `model_version` are the registry's, empty where the deployment does not tell.
    """

    model_directory: Path
    model_name: str
    model_version: str
    host: str
    port: int
    workers: int

    @property
    def served(self) -> str:
        """`name/version` of the model, empty where it is not told."""
        return f"{self.model_name}/{self.model_version}" if self.model_name and self.model_version else ""

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Self:
        """Read SageMaker's variables, and uvicorn's UVICORN_HOST. Raises StartRefused for a number that is none."""
        return cls(
            model_directory=Path(environ.get("SM_MODEL_DIR", "/opt/ml/model")),
            model_name=environ.get("MODEL_NAME", ""),
            model_version=environ.get("MODEL_VERSION", ""),
            host=environ.get("UVICORN_HOST", "0.0.0.0"),  # noqa: S104 (all of the container's own network)
            port=_whole_number(environ, "SAGEMAKER_BIND_TO_PORT", 8080),
            workers=_whole_number(environ, "SAGEMAKER_MODEL_SERVER_WORKERS", _cores()),
        )


def _whole_number(environ: Mapping[str, str], name: str, default: int) -> int:
    text = environ.get(name, str(default))
    if not text.isdecimal() or int(text) < 1:
        raise StartRefused(f"{name} is {text!r}; it must be a whole number above 0.")
    return int(text)


def _cores() -> int:
    # Elsewhere than on Linux the system's libraries may not survive a fork.
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else 1
