"""`make demo`: the whole walk on this machine, shown as it happens; `.local/demo/summary.json` says what came of it."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.table import Table

from demo.account import ROOT, Account, prepare
from demo.services import CLOUD, LOCAL, NotStarted, running

FOLDER = LOCAL / "demo"
INTERRUPTED = 130
FLOWERS = (0, 25, 50, 77, 100, 125)


class LegFailed(Exception):
    """A leg of the walk that did not reach its end."""


class Walk:
    """The walk so far: what it found, and how long each leg took."""

    def __init__(self) -> None:
        self.console = Console()
        self.summary: dict[str, Any] = {
            "seconds": {},
            "trials": [],
            "registered_versions": [],
            "pinned_version": None,
            "endpoints": [],
            "predictions": [],
            "ok": False,
        }

    @contextmanager
    def leg(self, name: str, title: str) -> Iterator[None]:
        """One leg, with a heading before and its seconds after."""
        self.console.rule(f"[bold]{title}", align="left")
        started = time.perf_counter()
        try:
            yield
        finally:
            seconds = round(time.perf_counter() - started, 2)
            self.summary["seconds"][name] = seconds
        self.console.print(f"[green]done[/green] in {seconds:.1f} s\n")

    def go(self) -> None:
        """Walk all legs; raises `LegFailed` at the first that does not end well."""
        started = time.perf_counter()
        with self.leg("services", "1  Start the local cloud and MLflow"):
            context = running()
            cloud, mlflow = context.__enter__()
            self.console.print(f"AWS answers at {cloud}, MLflow at {mlflow}", soft_wrap=True)
        try:
            self._walk(cloud, mlflow)
        finally:
            context.__exit__(None, None, None)
        self.summary["seconds"]["total"] = round(time.perf_counter() - started, 2)

    def _walk(self, cloud: str, mlflow: str) -> None:
        with self.leg("account", "2  Set up the account: bucket, roles, registry of images"):
            account = prepare(cloud, mlflow, CLOUD.home)
            self.console.print(
                f"bucket {account.environment['ARTIFACT_BUCKET']}\nimage  {account.environment['SERVING_IMAGE']}",
                soft_wrap=True,
            )
        pins = read_pins(ROOT / "buildspec.yml")
        with self.leg("build", "3  Build: a SageMaker Pipeline prepares, tunes, registers"):
            self._build(account, pins)
        with self.leg("deploy", "4  Release: pin a version, to staging, smoke test, to prod"):
            pinned = self._pin(pins)
            self._deploy(account, pinned)
        with self.leg("invoke", "5  Invoke the prod endpoint"):
            self._invoke(account, f"{pinned['MODEL_NAME']}-prod")
        self.summary["ok"] = True

    def _build(self, account: Account, pins: dict[str, str]) -> None:
        outcome = FOLDER / "build.json"
        outcome.unlink(missing_ok=True)
        variables = {"MODEL_NAME": pins["MODEL_NAME"], "EXECUTION_ROLE_ARN": account.environment["JOB_ROLE_ARN"]}
        self._run(account, ["model_build", "--summary", str(outcome)], variables)
        built = json.loads(outcome.read_text())
        self.summary["trials"] = built["trials"]
        self.summary["registered_versions"] = built["registered_versions"]
        self.summary["pinned_version"] = built["best_version"]
        if not built["registered_versions"]:
            raise LegFailed("No trial passed the gate, so there is no version to release.")

    def _pin(self, pins: dict[str, str]) -> dict[str, str]:
        """Do what a person does to release: write the version into a copy of buildspec.yml, and read it from there."""
        before = (ROOT / "buildspec.yml").read_text()
        version = self.summary["pinned_version"]
        after = re.sub(r"(?m)^(\s*MODEL_VERSION:).*$", rf'\1 "{version}"', before)
        released = FOLDER / "buildspec.yml"
        released.write_text(after)
        self.console.print(
            f'In buildspec.yml a person writes  MODEL_VERSION: "{version}"  (here: in the copy {released})'
        )
        return read_pins(released)

    def _deploy(self, account: Account, pins: dict[str, str]) -> None:
        variables = {**pins, "EXECUTION_ROLE_ARN": account.environment["ENDPOINT_ROLE_ARN"]}
        self._run(account, ["model_deploy", "--approve"], variables)
        endpoints = account.client("sagemaker").list_endpoints(NameContains=pins["MODEL_NAME"])["Endpoints"]
        self.summary["endpoints"] = sorted(
            item["EndpointName"] for item in endpoints if item["EndpointStatus"] == "InService"
        )

    def _invoke(self, account: Account, endpoint: str) -> None:
        # A second to import, which nothing before this leg needs.
        from sklearn.datasets import load_iris

        iris = load_iris()
        rows = iris.data[list(FLOWERS)].tolist()
        answer = account.client("sagemaker-runtime").invoke_endpoint(
            EndpointName=endpoint, ContentType="application/json", Body=json.dumps(rows)
        )
        classes = json.loads(answer["Body"].read())["predictions"]
        table = Table("sepal length, width", "petal length, width", "predicted", "true")
        for row, predicted, flower in zip(rows, classes, FLOWERS, strict=True):
            name, true = str(iris.target_names[predicted]), str(iris.target_names[iris.target[flower]])
            self.summary["predictions"].append({"row": row, "predicted": name, "true": true})
            table.add_row(f"{row[0]}, {row[1]}", f"{row[2]}, {row[3]}", name, true)
        self.console.print(table)

    def _run(self, account: Account, module: list[str], variables: dict[str, str]) -> None:
        environment = {**os.environ, **account.environment, **variables}
        code = subprocess.run([sys.executable, "-m", *module], env=environment, check=False).returncode
        if code != 0:
            raise LegFailed(f"python -m {' '.join(module)} ended with exit code {code}.")


def read_pins(buildspec: Path) -> dict[str, str]:
    """The pinned model and version that a buildspec hands to its commands."""
    variables = yaml.safe_load(buildspec.read_text())["env"]["variables"]
    return {name: str(variables[name]) for name in ("MODEL_NAME", "MODEL_VERSION")}


def main() -> int:
    """Walk, write the summary, say what to try next; the exit code is 0 only if all of it happened."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: signal.raise_signal(signal.SIGINT))
    shutil.rmtree(FOLDER, ignore_errors=True)
    walk = Walk()
    code = 1
    try:
        FOLDER.mkdir(parents=True)
        walk.go()
        code = 0
    except (LegFailed, NotStarted) as error:
        walk.console.print(f"[red]The walk ended early:[/red] {error}")
    except KeyboardInterrupt:
        walk.console.print("[red]Interrupted[/red]: every process that was started is stopped.")
        code = INTERRUPTED
    except OSError as error:
        walk.console.print(f"[red]The walk ended early:[/red] {error}. Is the disk full? The state is in {LOCAL}/.")
    if not _write_summary(walk):
        code = code or 1
    if code == 0:
        _say_what_next(walk)
    return code


def _write_summary(walk: Walk) -> bool:
    try:
        (FOLDER / "summary.json").write_text(json.dumps(walk.summary, indent=2) + "\n")
    except OSError as error:
        walk.console.print(f"[red]{FOLDER / 'summary.json'} could not be written:[/red] {error.strerror}.")
        return False
    return True


def _say_what_next(walk: Walk) -> None:
    total = walk.summary["seconds"]["total"]
    walk.console.print(
        f"[bold green]All of it happened, in {total:.0f} s.[/bold green] The figures are in {FOLDER / 'summary.json'}. "
        f"What ran is stopped again; runs, models and endpoints are kept in {LOCAL}/.\n\n"
        "Try next:\n"
        "  make up          start them again, with all that was made, and keep them: MLflow's pages, too\n"
        "  source .local/env && source .venv/bin/activate\n"
        "  python -m model_deploy invoke --endpoint iris-decision-tree-prod --row 5.1,3.5,1.4,0.2\n"
        "  make down        stop them",
        highlight=False,
        soft_wrap=True,
    )
