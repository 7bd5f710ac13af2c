"""`make demo`: the whole walk on this machine, shown as it happens; `.local/demo/summary.json` says what came of it."""

from __future__ import annotations

import json
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.table import Table

from demo.account import ROOT, Account, NotDeployed, deploy_stack
from demo.build import read_build
from demo.delivery import Delivery, NotDelivered
from demo.repository import GitFailed, Repository, has_own_work
from demo.services import CLOUD, LOCAL, NotStarted, running
from demo.traffic import Traffic

FOLDER = LOCAL / "demo"
INTERRUPTED = 130
# Six irises as Fisher measured them: sepal length and width, petal length and width, and what each is.
CLASSES = ("setosa", "versicolor", "virginica")
FLOWERS = (
    ((5.1, 3.5, 1.4, 0.2), "setosa"),
    ((5.0, 3.0, 1.6, 0.2), "setosa"),
    ((7.0, 3.2, 4.7, 1.4), "versicolor"),
    ((6.7, 3.0, 5.0, 1.7), "versicolor"),
    ((6.3, 3.3, 6.0, 2.5), "virginica"),
    ((7.2, 3.2, 6.0, 1.8), "virginica"),
)


class LegFailed(Exception):
    """A leg of the walk that did not reach its end."""


class Walk:
    """The walk so far: what it found, and how long each leg took."""

    def __init__(self) -> None:
        self.console = Console()
        self.summary: dict[str, Any] = {
            "seconds": {},
            "executions": [],
            "trials": [],
            "registered_versions": [],
            "pinned_version": None,
            "updates": [],
            "requests": 0,
            "failed_requests": 0,
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

    def say(self, line: str) -> None:
        """Print a line as it is."""
        self.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def go(self) -> None:
        """Walk all legs; raises at the first that does not end well."""
        started = time.perf_counter()
        with self.leg("services", "1  Start the local cloud and MLflow"):
            context = running()
            cloud, mlflow = context.__enter__()
            self.say(f"AWS answers at {cloud} (watch it there with a browser), MLflow at {mlflow}")
        try:
            self._walk(cloud, mlflow)
        finally:
            context.__exit__(None, None, None)
        self.summary["seconds"]["total"] = round(time.perf_counter() - started, 2)

    def _walk(self, cloud: str, mlflow: str) -> None:
        with self.leg("account", "2  Set up: the team's repository, and the stack of its CI/CD"):
            account = Account.of(cloud, mlflow)
            repository = Repository.clone(ROOT, FOLDER / "repository", account.git_remote, self.say)
            repository.push()
            deploy_stack(account, CLOUD.home, self.say)
        model = repository.pins.model_name
        with self.leg("build", "3  git push: the build pipeline prepares, tunes, registers"):
            self._build(account, repository)
        first, best = self._versions()
        with self.leg("deploy", f"4  Release version {first}: to staging, approval, to prod"):
            self._release(account, repository, first, model)
        with self.leg("update", f"5  Pin version {best}, git push: the same way, while clients keep calling"):
            self._update(account, repository, best, model)
        with self.leg("invoke", "6  Invoke the prod endpoint"):
            self._invoke(account, f"{model}-prod")
        with self.leg("rollback", f"7  Roll back: pin version {first} again, git push"):
            self._update(account, repository, first, model)
        if self.summary["failed_requests"]:
            raise LegFailed(f"{self.summary['failed_requests']} requests failed during the updates.")
        self.summary["ok"] = True

    def _build(self, account: Account, repository: Repository) -> None:
        repository.note(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S}: to rehearse the loop")
        repository.commit("Train: note why")
        commit = self._push(repository)
        self._follow(account, account.build_pipeline, commit)
        built = read_build(account, repository.pins.model_name, commit, FOLDER / "build.json")
        self.summary["trials"] = built["trials"]
        self.summary["registered_versions"] = built["registered_versions"]
        self.summary["pinned_version"] = built["best_version"]

    def _versions(self) -> tuple[str, str]:
        """The version that is released first, and the best one, which replaces it."""
        versions, best = self.summary["registered_versions"], self.summary["pinned_version"]
        others = [version for version in versions if version != best]
        if not others:
            raise LegFailed(f"{len(versions)} trials passed the gate: a release and a rollback need two versions.")
        return str(others[0]), str(best)

    def _release(self, account: Account, repository: Repository, version: str, model: str) -> None:
        pinned = self._pin(repository, version)
        if f"{model}-prod" in self._in_service(account, model) and not pinned:
            self.say(f"Version {version} is pinned and served already.")
        else:
            if not pinned:
                self.say(
                    f"Version {version} is pinned already: there is nothing to push, so a person releases it as it is."
                )
                account.client("codepipeline").start_pipeline_execution(name=account.deploy_pipeline)
            commit = self._push(repository) if pinned else repository.head
            self._follow(account, account.deploy_pipeline, commit, approve=True)
        self.summary["endpoints"] = self._in_service(account, model)

    def _in_service(self, account: Account, model: str) -> list[str]:
        pages = account.client("sagemaker").get_paginator("list_endpoints")
        found = pages.paginate(NameContains=model, StatusEquals="InService")
        return sorted(item["EndpointName"] for page in found for item in page["Endpoints"])

    def _update(self, account: Account, repository: Repository, version: str, model: str) -> None:
        with Traffic(account.client("sagemaker-runtime"), f"{model}-prod") as traffic:
            self._pin(repository, version)
            pushed = time.monotonic()
            self._follow(account, account.deploy_pipeline, self._push(repository), approve=True)
            answered = traffic.only_from(version)
        self.summary["requests"] += sum(traffic.answers.values()) + len(traffic.failures)
        self.summary["failed_requests"] += len(traffic.failures)
        if traffic.failures:
            self.say(f"{len(traffic.failures)} requests failed, the first: {traffic.failures[0]}")
        if answered is None:
            raise LegFailed(f"{model}-prod does not answer with version {version}: {dict(traffic.answers)}.")
        seconds = round(answered - pushed, 2)
        self.summary["updates"].append(
            {"version": version, "seconds_from_push_to_prod": seconds, "answers": dict(traffic.answers)}
        )
        told = ", ".join(f"{count} by version {name}" for name, count in traffic.answers.items())
        self.say(
            f"prod answers with version {version}, {seconds:.1f} s after the push. Requests meanwhile: {told}; "
            f"{len(traffic.failures)} failed"
        )

    def _pin(self, repository: Repository, version: str) -> bool:
        """Do what a person does to release, or to roll back: edit the one line, and commit it."""
        if not repository.pin(version):
            return False
        self.say(f'In buildspec.yml a person writes  MODEL_VERSION: "{version}"')
        return repository.commit(f"Serve version {version}")

    def _push(self, repository: Repository) -> str:
        self.say("$ git push local main")
        return repository.push()

    def _follow(self, account: Account, pipeline: str, commit: str, *, approve: bool = False) -> None:
        self.summary["executions"].append(
            Delivery(account.client, pipeline, self.say).follow(commit, self._approve if approve else None)
        )

    def _approve(self, plan: str) -> str:
        self.say("The approval waits for a person, who reads the plan:")
        for line in plan.splitlines():
            self.say(f"    {line}")
        return "Approved by the rehearsal"

    def _invoke(self, account: Account, endpoint: str) -> None:
        rows = [list(measured) for measured, _ in FLOWERS]
        answer = account.client("sagemaker-runtime").invoke_endpoint(
            EndpointName=endpoint, ContentType="application/json", Body=json.dumps(rows)
        )
        answered = json.loads(answer["Body"].read())["predictions"]
        table = Table("sepal length, width", "petal length, width", "predicted", "true")
        for row, number, (_, true) in zip(rows, answered, FLOWERS, strict=True):
            name = CLASSES[number]
            self.summary["predictions"].append({"row": row, "predicted": name, "true": true})
            table.add_row(f"{row[0]}, {row[1]}", f"{row[2]}, {row[3]}", name, true)
        self.console.print(table)


def main() -> int:
    """Walk, write the summary, say what to try next; the exit code is 0 only if all of it happened."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: signal.raise_signal(signal.SIGINT))
    walk = Walk()
    code = 1
    try:
        _make_room(walk)
        walk.go()
        code = 0
    except (LegFailed, NotStarted, NotDeployed, NotDelivered, GitFailed) as error:
        walk.console.print("[red]The walk ended early:[/red]", end=" ")
        walk.say(str(error))
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


def _make_room(walk: Walk) -> None:
    """An empty folder for this walk; a clone that someone has worked in since the last is put aside, not removed."""
    if has_own_work(FOLDER / "repository"):
        kept = LOCAL / f"repository-{datetime.now(UTC):%Y%m%dT%H%M%S}"
        (FOLDER / "repository").rename(kept)
        walk.say(f"{FOLDER / 'repository'} held work that was not pushed: it is in {kept} now.")
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)


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
        f"What it started is stopped again; the repository, runs, models and endpoints are kept in {LOCAL}/.\n\n"
        "Try next:\n"
        "  make up          start them again, with all that was made, and keep them: their pages, too\n"
        f"  cd {FOLDER}/repository, edit MODEL_VERSION in buildspec.yml, git commit -a, git push local main\n"
        "  make down        stop them",
        highlight=False,
        soft_wrap=True,
    )
