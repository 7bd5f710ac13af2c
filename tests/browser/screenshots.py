"""`make screenshots`: walks the pages of a local cloud after a demo, and writes what the README shows of them.

Releases a change of the pipeline that has an approval, so that there is one to be seen, and approves it by a click.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import click
from playwright.sync_api import Locator, Page, sync_playwright

WIDTH, TALLEST = 1280, 1000
PATIENCE_SECONDS = 180
BELOW = 12


@contextmanager
def tab(address: str) -> Iterator[Page]:
    """A tab of the browser that the tests use."""
    launch = json.loads((Path(sys.prefix) / "browser" / "browser.json").read_text())
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(**{**launch, "env": {**os.environ, **launch["env"]}})
        context = browser.new_context(base_url=address, color_scheme="light", viewport={"width": WIDTH, "height": 800})
        context.set_default_timeout(PATIENCE_SECONDS * 1000)
        yield context.new_page()
        browser.close()


def shoot(page: Page, path: Path, last: Locator) -> None:
    """Write the page down to the end of `last` as a PNG."""
    box = last.bounding_box()
    assert box is not None
    height = min(TALLEST, box["y"] + page.evaluate("scrollY") + box["height"] + BELOW)
    page.screenshot(
        path=path,
        full_page=True,
        clip={"x": 0, "y": 0, "width": WIDTH, "height": height},
        animations="disabled",
    )
    click.echo(f"{path} ({path.stat().st_size // 1024} kB)")


def approval(page: Page, client: Callable[[str], Any], folder: Path) -> None:
    """A pipeline that waits for a person."""
    codepipeline = client("codepipeline")
    for row in codepipeline.list_pipelines()["pipelines"]:
        stages = codepipeline.get_pipeline(name=row["name"])["pipeline"]["stages"]
        if any(action["actionTypeId"]["category"] == "Approval" for stage in stages for action in stage["actions"]):
            page.goto(f"/_local/pipelines/{row['name']}")
            if not page.locator("form.approval").count():
                page.get_by_role("button", name="Release change").click()
            page.locator("form.approval").wait_for()
            page.get_by_label("Comment").fill("Staging passed its smoke test, and the numbers are as expected.")
            page.get_by_role("heading", level=1).click()
            shoot(page, folder / "pipeline.png", page.locator("[data-part=stages]"))
            page.get_by_role("button", name="Approve").click()
            return
    raise click.ClickException("No pipeline of this cloud has an approval: run `make demo` first.")


def steps(page: Page, client: Callable[[str], Any], folder: Path) -> None:
    """The first execution of the SageMaker pipeline, which had nothing to take from the cache."""
    sagemaker = client("sagemaker")
    name = sagemaker.list_pipelines()["PipelineSummaries"][0]["PipelineName"]
    executions = sagemaker.list_pipeline_executions(PipelineName=name)["PipelineExecutionSummaries"]
    succeeded = [row for row in executions if row["PipelineExecutionStatus"] == "Succeeded"]
    page.goto(f"/_local/executions/{succeeded[-1]['PipelineExecutionArn'].rpartition('/')[2]}")
    shoot(page, folder / "execution.png", page.locator("[data-part=steps]"))


def trials(page: Page, client: Callable[[str], Any], folder: Path) -> None:
    """The tuning job with the most trials."""
    jobs = client("sagemaker").list_hyper_parameter_tuning_jobs()["HyperParameterTuningJobSummaries"]
    most = max(jobs, key=lambda job: job["TrainingJobStatusCounters"]["Completed"])
    page.goto(f"/_local/tuning-jobs/{most['HyperParameterTuningJobName']}")
    shoot(page, folder / "trials.png", page.locator("[data-part=trials]"))


def endpoint(page: Page, client: Callable[[str], Any], folder: Path) -> None:
    """The endpoint of prod as it answers."""
    names = [row["EndpointName"] for row in client("sagemaker").list_endpoints(StatusEquals="InService")["Endpoints"]]
    name = next((name for name in names if name.endswith("-prod")), names[0])
    page.goto(f"/_local/endpoints/{name}")
    page.get_by_label("Body").fill("[[5.1, 3.5, 1.4, 0.2], [6.7, 3.0, 5.2, 2.3]]")
    # The first call of a container warms it up.
    for _ in range(2):
        page.get_by_role("button", name="Invoke").click()
        page.locator("#outcome").wait_for()
    shoot(page, folder / "endpoint.png", page.locator("#invoke"))


@click.command()
@click.option("--address", envvar="AWS_ENDPOINT_URL", help="The local cloud. [default: the one of .local/aws]")
@click.option("--folder", type=click.Path(path_type=Path), default=Path("docs/images"), show_default=True)
def main(address: str | None, folder: Path) -> None:
    """Write the screenshots of the README."""
    if address is None:
        status = [sys.executable, "-m", "local_aws", "status", "--home", ".local/aws"]
        told = subprocess.run(status, capture_output=True, text=True, check=False).stdout
        address = next((word for word in told.split() if word.startswith("http://")), None)
    if address is None:
        raise click.ClickException("No local cloud is up: run `make up` first, on the state that `make demo` left.")
    folder.mkdir(parents=True, exist_ok=True)

    def client(service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=address,
            region_name="us-east-1",
            aws_access_key_id="local",
            aws_secret_access_key="local",
        )

    began = time.monotonic()
    with tab(address) as page:
        for picture in (steps, trials, endpoint, approval):
            picture(page, client, folder)
    click.echo(f"done in {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
