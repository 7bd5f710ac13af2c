"""One process's HTTP server around the opened model: uvicorn, with uvloop and httptools.

uvicorn's settings: https://www.uvicorn.org/settings/"""

from concurrent.futures import ThreadPoolExecutor

import uvicorn
from bound_sockets import shared_socket
from bounded_http import BoundedHttp, closing_late_connections
from predictor import Predictor
from scoring_app import ASGIApplication, ScoringApp
from settings import Settings

# SageMaker kills a container 30 seconds after it has asked it to stop.
STOP_SECONDS = 25
# Longer than the clients here keep an idle connection, so that it is never this side that closes one just being used.
KEEP_ALIVE_SECONDS = 75
# A prediction slower than this would keep the other connections, and `/ping`, waiting: it belongs in a thread.
SLOW_PREDICTION_SECONDS = 0.005
LATE_CHECK_SECONDS = 5


def serve_requests(predictor: Predictor, example: bytes | None, settings: Settings) -> None:
    """Answer scoring requests on the reserved port until SIGTERM or SIGINT; those that are here by then are answered.

    Raises StartRefused when the model cannot score its own example.
    """
    seconds = predictor.rehearse(example)
    with ThreadPoolExecutor(max_workers=2, thread_name_prefix="prediction") as executor:
        app = ScoringApp(predictor, executor, inline=seconds < SLOW_PREDICTION_SECONDS, served=settings.served)
        run_app(app, settings.host, settings.port)


def run_app(app: ASGIApplication, host: str, port: int) -> None:
    """Run one ASGI application on a reserved port in this process, until it is told to stop."""
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http=BoundedHttp,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=STOP_SECONDS,
        timeout_notify=LATE_CHECK_SECONDS,
    )
    server = uvicorn.Server(config)
    config.callback_notify = closing_late_connections(server)
    with shared_socket(host, port) as listening:
        server.run(sockets=[listening])
