"""The program in the endpoint's container: checks the model SageMaker has unpacked, opens it, and serves it.

SageMaker starts it with the argument `serve`: https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html"""

import logging
import os
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from platform import python_version
from typing import Self

from environment_skew import Environment, refuse_skew
from http_server import serve_requests
from logged_model import LoggedModel
from predictor import Predictor
from refusals import StartRefused
from worker_processes import exit_on_stop_signals, run_in_processes, succeeds_apart


@dataclass(frozen=True)
class Settings:
    """Where the model is, where to listen, and in how many processes."""

    model_directory: Path
    host: str
    port: int
    workers: int

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Self:
        """Read SageMaker's variables, and uvicorn's UVICORN_HOST. Raises StartRefused for a number that is none."""
        return cls(
            model_directory=Path(environ.get("SM_MODEL_DIR", "/opt/ml/model")),
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


def main(arguments: list[str], environ: Mapping[str, str]) -> int:
    """Serve until told to stop. Returns the exit code: 0, or 1 with the reason not to start on stderr."""
    if arguments not in ([], ["serve"]):
        print(f"This container serves a model; it cannot {' '.join(arguments)}.", file=sys.stderr)
        return 2
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s", stream=sys.stderr)
    try:
        settings = Settings.from_environment(environ)
        model = LoggedModel.read(settings.model_directory)
        refuse_skew(model, Environment(python=python_version(), scikit_learn=version("scikit-learn")))
        _serve(model, settings)
    except StartRefused as refusal:
        print(f"Not serving: {refusal}", file=sys.stderr)
        return 1
    return 0


def _serve(model: LoggedModel, settings: Settings) -> None:
    predictor = Predictor(model)
    with _bound_socket(settings.host, settings.port) as listening:
        where = f"{settings.host}:{listening.getsockname()[1]}"
        print(f"Serving {settings.model_directory} on {where} in {settings.workers} processes.", flush=True)
        if settings.workers == 1:
            exit_on_stop_signals()
            serve_requests(predictor, model.example, listening)
        elif succeeds_apart(partial(_rehearse, predictor, model.example)):
            run_in_processes(settings.workers, listening, partial(serve_requests, predictor, model.example))
        else:
            raise StartRefused("The model failed its rehearsal; the lines above say why.")


def _rehearse(predictor: Predictor, example: bytes | None) -> None:
    try:
        predictor.rehearse(example)
    except StartRefused as refusal:
        sys.exit(str(refusal))


def _bound_socket(host: str, port: int) -> socket.socket:
    # Bound, not yet listening: until a worker is ready, a connection is refused.
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise StartRefused(f"Port {port} of {host} cannot be listened on: {error.strerror}.") from error
    return listening


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
