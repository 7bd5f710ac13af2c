"""From a logged model to processes that answer for it: opened once, rehearsed, then served on one port."""

import gc
import socket
import sys
from functools import partial

from http_server import serve_requests
from logged_model import LoggedModel
from predictor import Predictor
from refusals import StartRefused
from settings import Settings
from worker_processes import exit_on_stop_signals, run_in_processes, succeeds_apart


def serve_model(model: LoggedModel, settings: Settings) -> None:
    """Serve `model` until told to stop. Raises StartRefused when it cannot be served, or its port not listened on."""
    predictor = Predictor(model)
    with _bound_socket(settings.host, settings.port) as listening:
        where = f"{settings.host}:{listening.getsockname()[1]}"
        print(f"Serving {settings.model_directory} on {where} in {settings.workers} processes.", flush=True)
        if settings.workers == 1:
            gc.enable()
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
