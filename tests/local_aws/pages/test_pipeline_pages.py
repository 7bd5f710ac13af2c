"""A pipeline in a browser: it moves by itself, a person answers it, and what is typed or smuggled in does no harm."""

from __future__ import annotations

import uuid
from typing import Any

from playwright.sync_api import Page, expect


def test_a_pipeline_moves_on_its_page_without_being_loaded_again(web: Page, releases: Any) -> None:
    name, _ = releases.pipeline()
    releases.asked(name)
    web.goto(f"/_local/pipelines/{name}")
    web.evaluate("window.loadedOnce = true")
    prod = web.locator(".stage", has=web.get_by_role("heading", name="Prod"))
    expect(prod).to_contain_text("Not run")

    releases.approve(name)

    expect(prod).to_contain_text("Succeeded")
    expect(web.get_by_role("button", name="Approve")).to_have_count(0)
    assert web.evaluate("window.loadedOnce")


def test_a_click_approves_with_the_comment_that_was_typed(web: Page, releases: Any) -> None:
    releases.push("Second version")
    name, execution = releases.pipeline()
    releases.asked(name)
    web.goto("/")
    web.get_by_role("listitem").filter(has_text=name).get_by_role("link", name="Review").click()
    expect(web.locator(".plan")).to_have_text("Release Second version")

    web.get_by_label("Comment").fill("Looks good to me")
    web.get_by_role("button", name="Approve").click()

    assert releases.ended(name, execution) == "Succeeded"
    details = releases.client.list_action_executions(pipelineName=name)["actionExecutionDetails"]
    asked = next(detail for detail in details if detail["actionName"] == "Ask")
    assert "Looks good to me" in str(asked["output"])


def test_a_click_rejects_and_the_page_says_so(web: Page, releases: Any) -> None:
    name, execution = releases.pipeline()
    releases.asked(name)
    web.goto(f"/_local/pipelines/{name}/executions/{execution}")
    web.get_by_label("Comment").fill("Not on a Friday")
    web.get_by_role("button", name="Reject").click()

    assert releases.ended(name, execution) == "Failed"
    approve = web.locator(".stage", has=web.get_by_role("heading", name="Approve"))
    expect(approve).to_contain_text("Failed")
    expect(approve).to_contain_text("Not on a Friday")


def test_a_click_retries_the_stage_that_failed(web: Page, releases: Any) -> None:
    name, execution = releases.pipeline()
    releases.asked(name)
    web.goto(f"/_local/pipelines/{name}/executions/{execution}")
    web.get_by_role("button", name="Reject").click()
    assert releases.ended(name, execution) == "Failed"
    web.goto(f"/_local/pipelines/{name}/executions/{execution}")

    web.get_by_role("button", name="Retry Approve").click()
    web.get_by_role("button", name="Approve", exact=True).click()

    assert releases.ended(name, execution) == "Succeeded"


def test_what_is_being_typed_stays_while_the_page_changes_around_it(web: Page, releases: Any) -> None:
    name, _ = releases.pipeline()
    releases.asked(name)
    web.goto(f"/_local/pipelines/{name}")
    comment = web.get_by_label("Comment")
    comment.fill("Half a sente")

    second = releases.start(name)

    expect(web.get_by_role("link", name=second[:8]).first).to_be_visible()
    expect(comment).to_have_value("Half a sente")
    expect(comment).to_be_focused()


def test_the_executions_say_which_of_them_superseded_which(web: Page, releases: Any) -> None:
    name, _ = releases.pipeline()
    releases.asked(name)
    second = releases.start(name)
    third = releases.start(name)
    assert releases.ended(name, second) == "Superseded"

    web.goto(f"/_local/pipelines/{name}/executions/{second}")
    web.locator("main").get_by_role("link", name=third[:8]).click()

    expect(web.get_by_role("heading", level=1)).to_contain_text(third[:8])


def test_a_click_releases_a_change_and_another_stops_it(web: Page, releases: Any) -> None:
    name, first = releases.pipeline()
    releases.approve(name)
    releases.ended(name, first)
    web.goto(f"/_local/pipelines/{name}")

    web.get_by_role("button", name="Release change").click()
    releases.asked(name)
    newest = releases.executions(name)[0]["pipelineExecutionId"]
    assert newest != first
    web.goto(f"/_local/pipelines/{name}/executions/{newest}")
    web.get_by_role("button", name="Stop").click()

    expect(web.locator(".title")).to_contain_text("Stopp")
    web.get_by_role("button", name="Abandon").click()
    assert releases.ended(name, newest) == "Stopped"


def test_a_stage_that_is_closed_says_why_and_opens_by_a_click(web: Page, releases: Any) -> None:
    name, execution = releases.pipeline()
    releases.asked(name)
    releases.client.disable_stage_transition(
        pipelineName=name, stageName="Prod", transitionType="Inbound", reason="Change freeze"
    )
    releases.approve(name)
    web.goto(f"/_local/pipelines/{name}")
    prod = web.locator(".stage", has=web.get_by_role("heading", name="Prod"))
    expect(prod).to_contain_text("Change freeze")
    expect(prod).to_contain_text(execution[:8])

    prod.get_by_role("button", name="Open").click()

    assert releases.ended(name, execution) == "Succeeded"


def test_a_script_in_a_commit_message_or_a_comment_is_only_text(web: Page, releases: Any) -> None:
    script = "<script>alert(1)</script><img src=x onerror=alert(2)>"
    releases.push(f"Add {script}")
    name, execution = releases.pipeline("Plan #{Source.CommitMessage}")
    releases.asked(name)
    for path in ("/", f"/_local/pipelines/{name}"):
        web.goto(path)
        expect(web.locator("main")).to_contain_text(f"Add {script}")
    web.get_by_label("Comment").fill(script)
    web.get_by_role("button", name="Reject").click()
    releases.ended(name, execution)
    web.goto(f"/_local/pipelines/{name}/executions/{execution}")
    expect(web.locator("main")).to_contain_text(script)
    assert web.locator("main script, main img").count() == 0


def test_the_page_is_whole_without_its_script(web: Page, browser: Any, cloud: Any, releases: Any) -> None:
    name, execution = releases.pipeline()
    releases.asked(name)
    context = browser.new_context(base_url=cloud.endpoint_url, java_script_enabled=False)
    page = context.new_page()
    page.goto(f"/_local/pipelines/{name}")
    page.get_by_role("button", name="Approve").click()
    assert releases.ended(name, execution) == "Succeeded"
    page.reload()
    expect(page.locator(".stage", has=page.get_by_role("heading", name="Prod"))).to_contain_text("Succeeded")
    context.close()


def test_a_connection_that_is_pending_is_finished_by_a_click(web: Page, cloud: Any) -> None:
    name = f"host-{uuid.uuid4().hex[:8]}"
    client = cloud.client("codeconnections")
    arn = client.create_connection(ConnectionName=name, ProviderType="GitHub")["ConnectionArn"]
    web.goto("/")
    web.locator("form", has_text=name).get_by_role("button", name="Finish").click()
    expect(web.get_by_role("listitem").filter(has_text=name)).to_contain_text("Available")
    assert client.get_connection(ConnectionArn=arn)["Connection"]["ConnectionStatus"] == "AVAILABLE"
