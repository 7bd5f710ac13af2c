"""Serving a model over HTTP: `mlflow models serve` in a process of its own, and a row posted to it as curl would.
`python serve.py` serves the best model of the experiment, asks it once, and ends; with --stay it goes on serving.
"""

from __future__ import annotations

import json
import shlex
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import click
from experiment import EXPERIMENT
from load import best_model
from wines import FEATURES, made

_START_SECONDS = 120
_JSON = {"Content-Type": "application/json"}


@click.command()
@click.option("--model-uri", help="s3://…, models:/…, runs:/…; without it the best model of the experiment.")
@click.option("--experiment", default=EXPERIMENT, show_default=True)
@click.option("--port", type=click.IntRange(1, 65535), default=5001, show_default=True)
@click.option("--stay", is_flag=True, help="Go on serving until Ctrl-C.")
def main(model_uri: str | None, experiment: str, port: int, stay: bool) -> None:
    """Serve, post one wine, print its predicted quality."""
    uri = model_uri or best_model(experiment)
    print(f"serving {uri}", flush=True)
    with served(uri, port) as address:
        wine = made()[list(FEATURES)].head(1)
        body = json.dumps({"dataframe_split": wine.to_dict(orient="split", index=False)})
        print(f"curl {address}/invocations -H 'Content-Type: application/json' -d {shlex.quote(body)}")
        print(json.dumps(post(f"{address}/invocations", body)), flush=True)
        while stay:
            time.sleep(1)


@contextmanager
def served(uri: str, port: int) -> Iterator[str]:
    """The address at which a model is served by the packages of this very environment, until the block ends."""
    address = f"http://127.0.0.1:{port}"
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            raise click.ClickException(f"Port {port} is in use: name another with --port.")
    command = [sys.executable, "-m", "mlflow", "models", "serve", "--model-uri", uri, "--port", str(port)]
    process = subprocess.Popen([*command, "--env-manager", "local"], stdout=sys.stderr)
    try:
        deadline = time.monotonic() + _START_SECONDS
        while not answers(f"{address}/ping"):
            if process.poll() is not None:
                raise click.ClickException(f"{uri} could not be served on port {port}: what was said is above.")
            if time.monotonic() > deadline:
                raise click.ClickException(f"{uri} did not answer on port {port} within {_START_SECONDS} seconds.")
            time.sleep(0.2)
        yield address
    finally:
        process.terminate()
        process.wait()


def answers(url: str) -> bool:
    """Whether the model server says that it is ready."""
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 - of this machine
            return bool(answer.status == 200)
    except OSError:
        return False


def post(url: str, body: str) -> object:
    """The answer to a request; a refusal is shown with its reason, as when a column is missing."""
    request = urllib.request.Request(url, body.encode(), _JSON)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            return json.load(answer)
    except urllib.error.HTTPError as error:
        raise click.ClickException(f"The model refused the row ({error.code}): {error.read().decode()}") from error


if __name__ == "__main__":
    main()
