"""From a logged model to processes that answer for it: opened once, rehearsed, then served on one port."""

import gc
import sys
from functools import partial

from bound_sockets import reserved
from http_server import serve_requests
from logged_model import LoggedModel
from predictor import Predictor
from refusals import StartRefused
from settings import Settings
from worker_processes import exit_on_stop_signals, run_in_processes, succeeds_apart


def serve_model(model: LoggedModel, settings: Settings) -> None:
    """Serve `model` until told to stop. Raises StartRefused when it cannot be served, or its port not listened on."""
    predictor = Predictor(model)
    with reserved(settings.host, settings.port):
        serve = partial(serve_requests, predictor, model.example, settings)
        if settings.workers > 1 and not succeeds_apart(partial(_rehearse, predictor, model.example)):
            raise StartRefused("The model failed its rehearsal; the lines above say why.")
        print(
            f"Serving {model.path} on port {settings.port} of {settings.host} in {settings.workers} process(es).",
            flush=True,
        )
        if settings.workers > 1:
            run_in_processes(settings.workers, serve)
        else:
            gc.enable()
            exit_on_stop_signals()
            serve()


def _rehearse(predictor: Predictor, example: bytes | None) -> None:
    try:
        predictor.rehearse(example)
    except StartRefused as refusal:
        sys.exit(str(refusal))
