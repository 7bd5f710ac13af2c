"""SageMaker in a browser: executions as graphs, trials as points, logs as they grow, endpoints that answer a form."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from playwright.sync_api import Page, expect

ROLE = "arn:aws:iam::123456789012:role/rehearsal"
TRIAL = """
import sys
given = dict(zip(sys.argv[1::2], sys.argv[2::2]))
if given["--kind"] == "broken":
    sys.exit("no such luck")
print(f"score={len(given['--kind'])};")
print("View run at: http://127.0.0.1:5000/#/experiments/1/runs/" + "0123456789abcdef" * 2)
"""


def condition(name: str, holds: str, then: list[Any], otherwise: list[Any], **more: Any) -> Any:
    conditions = [{"Type": "Equals", "LeftValue": {"Get": "Parameters.Word"}, "RightValue": holds}]
    arguments = {"Conditions": conditions, "IfSteps": then, "ElseSteps": otherwise}
    return {"Name": name, "Type": "Condition", "Arguments": arguments, **more}


def fail(name: str, message: str) -> Any:
    return {"Name": name, "Type": "Fail", "Arguments": {"ErrorMessage": message}}


@pytest.fixture
def execution(cloud: Any) -> str:
    """The id of an execution that failed: of five steps two conditions succeeded, and the one to fail did."""
    sagemaker, name = cloud.client("sagemaker"), f"p-{uuid.uuid4().hex[:10]}"
    inner = condition("Inner", "no", [fail("Never", "never")], [fail("Stop", "this far & no <b>further</b>")])
    definition = {
        "Version": "2020-12-01",
        "Parameters": [{"Name": "Word", "Type": "String", "DefaultValue": "yes"}],
        "Steps": [condition("Outer", "yes", [inner], [fail("Other", "other")])],
    }
    sagemaker.create_pipeline(PipelineName=name, PipelineDefinition=json.dumps(definition), RoleArn=ROLE)
    arn = str(sagemaker.start_pipeline_execution(PipelineName=name)["PipelineExecutionArn"])
    return arn.rpartition("/")[2]


def test_an_execution_is_a_graph_of_all_its_steps_with_their_states(web: Page, execution: str) -> None:
    web.goto(f"/_local/executions/{execution}")
    expect(web.locator(".title .status")).to_have_text("✕Failed")
    nodes = web.locator("svg.graph .node")
    expect(nodes).to_have_count(5)
    shown = {node.locator("title").text_content().split(" ")[0]: node for node in nodes.all()}
    assert set(shown) == {"Outer", "Inner", "Never", "Stop", "Other"}
    expect(shown["Outer"]).to_contain_text("Succeeded")
    expect(shown["Stop"]).to_contain_text("Failed")
    expect(shown["Never"]).to_contain_text("Not run")
    assert web.locator("svg.graph .edge").count() == 4
    left = {name: node.bounding_box()["x"] for name, node in shown.items()}
    assert left["Outer"] < left["Inner"] < left["Stop"]
    expect(web.locator(".why")).to_have_text("this far & no <b>further</b>")


def test_a_step_leads_to_its_job_whose_log_grows_on_the_page(web: Page, cloud: Any, scripts: Any) -> None:
    script = "import time\nprint('begun', flush=True)\ntime.sleep(2)\nprint('<i>ended</i>', flush=True)"
    request = scripts.training_request(script)
    name = f"p-{uuid.uuid4().hex[:10]}"
    step = {"Name": "Train", "Type": "Training", "Arguments": {**request, "TrainingJobName": "t"}}
    step["Arguments"].pop("TrainingJobName")
    definition = {"Version": "2020-12-01", "Parameters": [], "Steps": [step]}
    sagemaker = cloud.client("sagemaker")
    sagemaker.create_pipeline(PipelineName=name, PipelineDefinition=json.dumps(definition), RoleArn=ROLE)
    arn = str(sagemaker.start_pipeline_execution(PipelineName=name)["PipelineExecutionArn"])

    web.goto(f"/_local/executions/{arn.rpartition('/')[2]}")
    web.locator("svg.graph a.node").click()

    expect(web.get_by_role("heading", level=1)).to_contain_text("Train")
    log = web.locator("pre.log").first
    expect(log).to_contain_text("begun")
    expect(log).to_contain_text("<i>ended</i>")
    expect(web.locator(".title .status")).to_have_text("✓Completed")
    web.get_by_role("link", name="All of it as text").click()
    expect(web.locator("body")).to_contain_text("<i>ended</i>")


def test_a_scatter_plot_has_a_point_for_each_trial_and_marks_the_best(web: Page, cloud: Any, scripts: Any) -> None:
    training = scripts.training_request(TRIAL)
    training["AlgorithmSpecification"]["MetricDefinitions"] = [{"Name": "score", "Regex": "score=([0-9.]+);"}]
    name = f"t-{uuid.uuid4().hex[:12]}"
    kinds = ["good", "better", "broken"]
    keys = ("AlgorithmSpecification", "RoleArn", "OutputDataConfig", "ResourceConfig", "StoppingCondition")
    cloud.client("sagemaker").create_hyper_parameter_tuning_job(
        HyperParameterTuningJobName=name,
        HyperParameterTuningJobConfig={
            "Strategy": "Grid",
            "HyperParameterTuningJobObjective": {"Type": "Maximize", "MetricName": "score"},
            "ResourceLimits": {"MaxParallelTrainingJobs": 3},
            "ParameterRanges": {"CategoricalParameterRanges": [{"Name": "kind", "Values": kinds}]},
        },
        TrainingJobDefinition={
            **{key: training[key] for key in keys},
            "StaticHyperParameters": training["HyperParameters"],
        },
    )
    web.goto(f"/_local/tuning-jobs/{name}")
    expect(web.locator(".title .status")).to_have_text("✓Completed", timeout=60_000)

    expect(web.locator("svg.plot .point")).to_have_count(3)
    expect(web.locator("svg.plot .point.none")).to_have_count(1)
    best = web.locator("svg.plot .point.best")
    assert "6 (kind = better), the best" in (best.get_attribute("aria-label") or "")
    rows = web.locator("tbody tr")
    expect(rows).to_have_count(3)
    run = rows.filter(has_text="best").get_by_role("link", name="run")
    assert (run.get_attribute("href") or "").endswith("/runs/0123456789abcdef0123456789abcdef")
    best.locator("circle").last.click()
    expect(web.locator(".numbers")).to_contain_text("6")


def test_a_form_invokes_an_endpoint_and_shows_its_answer(web: Page, serving: Any) -> None:
    endpoint = serving.endpoint(serving.config({"ModelName": serving.model("flora")}))
    web.goto("/")
    web.get_by_role("link", name=endpoint).click()
    web.get_by_label("Content type").fill("application/json")
    web.get_by_label("Body").fill('{"rows": [1, 2]}')
    web.get_by_role("button", name="Invoke").click()

    answer = web.locator("#outcome")
    expect(answer).to_contain_text("200")
    expect(answer).to_contain_text("ms")
    expect(answer).to_contain_text('"name": "flora"')
    expect(web.get_by_label("Body")).to_have_value('{"rows": [1, 2]}')

    web.get_by_label("Body").fill("status 503")
    web.get_by_role("button", name="Invoke").click()
    expect(answer).to_contain_text("424")
    expect(answer).to_contain_text("the container says no")


def test_a_variant_can_be_chosen_where_an_endpoint_has_several(web: Page, serving: Any) -> None:
    variants = [
        {"VariantName": name, "ModelName": serving.model(name), "InitialVariantWeight": weight}
        for name, weight in (("rose", 1.0), ("lily", 0.0))
    ]
    endpoint = serving.endpoint(serving.config(*variants))
    web.goto(f"/_local/endpoints/{endpoint}")
    web.get_by_label("Variant").select_option("lily")
    web.get_by_role("button", name="Invoke").click()
    expect(web.locator("#outcome")).to_contain_text("by lily")
