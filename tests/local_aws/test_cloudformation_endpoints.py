"""Move the pin and deploy again: models and endpoints in stacks, where an update must reach what answers."""

from __future__ import annotations

import json
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

TEMPLATE = """
Parameters:
  EndpointName: {Type: String}
  Image: {Type: String}
  Data: {Type: String}
  Name: {Type: String, Default: first}
  Broken: {Type: String, Default: ""}
  Instances: {Type: Number, Default: "1"}
  Conflict: {Type: String, Default: "no"}
Conditions: {Conflict: !Equals [!Ref Conflict, "yes"]}
Resources:
  Endpoint:
    Type: AWS::SageMaker::Endpoint
    Properties:
      EndpointName: !Ref EndpointName
      EndpointConfigName: !GetAtt Config.EndpointConfigName
      DeploymentConfig:
        BlueGreenUpdatePolicy:
          TrafficRoutingConfiguration: {Type: ALL_AT_ONCE, WaitIntervalInSeconds: 0}
          TerminationWaitInSeconds: "0"
  Config:
    Type: AWS::SageMaker::EndpointConfig
    Properties:
      ProductionVariants:
        - VariantName: AllTraffic
          ModelName: !GetAtt Model.ModelName
          InstanceType: ml.m5.large
          InitialInstanceCount: !Ref Instances
          ContainerStartupHealthCheckTimeoutInSeconds: 60
  Model:
    Type: AWS::SageMaker::Model
    Properties:
      ExecutionRoleArn: arn:aws:iam::123456789012:role/rehearsal
      PrimaryContainer:
        Image: !Ref Image
        ModelDataUrl: !Sub "${Data}"
        Environment: {NAME: !Sub "${Name}", BROKEN: !Ref Broken}
  After:
    Type: AWS::S3::Bucket
    Condition: Conflict
    DependsOn: Endpoint
    Properties: {BucketName: Not_A_Name}
Outputs:
  Model: {Value: !Ref Model}
"""


@pytest.fixture
def given(serving: Any) -> dict[str, str]:
    """Parameters of a new endpoint's stack."""
    name = f"endpoint-{uuid.uuid4().hex[:8]}"
    return {"EndpointName": name, "Image": serving.image, "Data": serving.archive(answer_txt="one")}


def models(serving: Any, name: str) -> list[str]:
    return [row["ModelName"] for row in serving.sagemaker.list_models(NameContains=name)["Models"]]


def configs(serving: Any, name: str) -> list[str]:
    found = serving.sagemaker.list_endpoint_configs(NameContains=name)["EndpointConfigs"]
    return [row["EndpointConfigName"] for row in found]


def test_moving_the_pin_replaces_model_and_configuration_and_updates_the_endpoint(
    stacks: Any, serving: Any, given: dict[str, str]
) -> None:
    name = stacks.create(TEMPLATE, given)
    assert stacks.status(name) == "CREATE_COMPLETE", stacks.told(name)
    endpoint = given["EndpointName"]
    assert serving.invoke(endpoint)["name"] == "first"
    assert stacks.resources(name)["Endpoint"] == f"arn:aws:sagemaker:us-east-1:123456789012:endpoint/{endpoint}"
    before = serving.sagemaker.describe_endpoint(EndpointName=endpoint)

    moved = {**given, "Name": "second", "Data": serving.archive(answer_txt="two")}
    assert stacks.update(name, TEMPLATE, moved)["StackStatus"] == "UPDATE_COMPLETE", stacks.told(name)
    seen = serving.invoke(endpoint)
    assert (seen["name"], seen["model"]) == ("second", {"answer.txt": "two"})
    after = serving.sagemaker.describe_endpoint(EndpointName=endpoint)
    assert after["CreationTime"] == before["CreationTime"]
    assert after["EndpointConfigName"] != before["EndpointConfigName"]
    config = serving.sagemaker.describe_endpoint_config(EndpointConfigName=after["EndpointConfigName"])
    served = config["ProductionVariants"][0]["ModelName"]
    assert models(serving, name) == [served]
    assert configs(serving, name) == [after["EndpointConfigName"]]
    assert stacks.outputs(name) == {"Model": f"arn:aws:sagemaker:us-east-1:123456789012:model/{served}"}

    with pytest.raises(ClientError, match="No updates are to be performed"):
        stacks.update(name, TEMPLATE, moved)
    assert stacks.update(name, TEMPLATE, given)["StackStatus"] == "UPDATE_COMPLETE"
    assert serving.invoke(endpoint)["model"] == {"answer.txt": "one"}

    assert stacks.delete(name)["StackStatus"] == "DELETE_COMPLETE"
    with pytest.raises(ClientError, match="Could not find"):
        serving.sagemaker.describe_endpoint(EndpointName=endpoint)
    assert models(serving, name) == configs(serving, name) == []


def test_an_endpoint_that_never_answers_fails_the_stack_with_its_own_reason(
    stacks: Any, serving: Any, given: dict[str, str]
) -> None:
    name = stacks.create(TEMPLATE, {**given, "Broken": "no such tree"})
    assert stacks.status(name) == "ROLLBACK_COMPLETE"
    assert "ping" in stacks.reason(name, "Endpoint", "CREATE_FAILED")
    assert models(serving, name) == configs(serving, name) == []
    with pytest.raises(ClientError, match="Could not find"):
        serving.sagemaker.describe_endpoint(EndpointName=given["EndpointName"])


def test_a_new_version_that_never_answers_leaves_the_old_one_serving(
    stacks: Any, serving: Any, given: dict[str, str]
) -> None:
    name = stacks.create(TEMPLATE, given)
    kept = models(serving, name), configs(serving, name)
    broken = {**given, "Name": "second", "Broken": "no such tree"}
    assert stacks.update(name, TEMPLATE, broken)["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert "ping" in stacks.reason(name, "Endpoint", "UPDATE_FAILED")
    assert serving.invoke(given["EndpointName"])["name"] == "first"
    assert (models(serving, name), configs(serving, name)) == kept
    repaired = stacks.update(name, TEMPLATE, {**broken, "Broken": ""})
    assert repaired["StackStatus"] == "UPDATE_COMPLETE"
    assert serving.invoke(given["EndpointName"])["name"] == "second"


def test_an_endpoint_goes_back_when_what_comes_after_it_fails(stacks: Any, serving: Any, given: dict[str, str]) -> None:
    name = stacks.create(TEMPLATE, given)
    kept = models(serving, name), configs(serving, name)
    changed = {**given, "Name": "second", "Conflict": "yes"}
    assert stacks.update(name, TEMPLATE, changed)["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert ("Endpoint", "UPDATE_COMPLETE") in [told[:2] for told in stacks.told(name)]
    assert serving.invoke(given["EndpointName"])["name"] == "first"
    assert (models(serving, name), configs(serving, name)) == kept


SLOW = """
FROM python:{version}-slim
COPY server.py /opt/program/server.py
ENTRYPOINT ["python", "/opt/program/server.py"]
"""
SLOW_SERVER = """
import os, time
from http.server import BaseHTTPRequestHandler, HTTPServer
while not os.path.exists("{gate}"):
    time.sleep(0.02)
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
HTTPServer(("127.0.0.1", int(os.environ["SAGEMAKER_BIND_TO_PORT"])), Handler).serve_forever()
"""


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def slow_image(serving: Any, folder: Path, gate: Path) -> str:
    """An image whose container does not answer before there is a file `gate`."""
    folder.mkdir()
    (folder / "server.py").write_text(SLOW_SERVER.format(gate=gate))
    (folder / "Dockerfile").write_text(SLOW.format(version=f"{sys.version_info.major}.{sys.version_info.minor}"))
    uri = serving.image.replace(":1", ":slow")
    built = serving.build(uri, folder)
    assert built.returncode == 0, built.stderr
    return str(uri)


def test_an_update_that_is_cancelled_returns_to_what_was_served(
    stacks: Any, serving: Any, given: dict[str, str], tmp_path: Path
) -> None:
    name = stacks.create(TEMPLATE, given)
    gate = tmp_path / "gate"
    request = stacks.request(TEMPLATE, {**given, "Image": slow_image(serving, tmp_path / "slow", gate)}, {})
    stacks.cloudformation.update_stack(StackName=name, **request)
    assert stacks.status(name) == "UPDATE_IN_PROGRESS"
    with pytest.raises(ClientError, match="cannot be deleted while in status UPDATE_IN_PROGRESS"):
        stacks.cloudformation.delete_stack(StackName=name)
    stacks.cloudformation.cancel_update_stack(StackName=name)
    gate.touch()
    assert stacks.settled(name)["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert serving.invoke(given["EndpointName"])["name"] == "first"
    assert (name, "UPDATE_ROLLBACK_IN_PROGRESS", "Stack update cancelled.") in stacks.told(name)


def test_a_stack_that_is_deleted_while_it_is_made_is_unmade(
    stacks: Any, serving: Any, given: dict[str, str], tmp_path: Path
) -> None:
    name = stacks.name()
    gate = tmp_path / "gate"
    request = stacks.request(TEMPLATE, {**given, "Image": slow_image(serving, tmp_path / "slow", gate)}, {})
    stack_id = stacks.cloudformation.create_stack(StackName=name, **request)["StackId"]
    begun = ("Endpoint", "CREATE_IN_PROGRESS")
    until(lambda: begun in [told[:2] for told in stacks.told(name)])
    assert stacks.status(name) == "CREATE_IN_PROGRESS"
    stacks.cloudformation.delete_stack(StackName=name)
    gate.touch()
    assert stacks.settled(stack_id)["StackStatus"] == "DELETE_COMPLETE"
    assert stacks.reason(stack_id, "Endpoint", "CREATE_FAILED") == "Resource creation cancelled"
    assert models(serving, name) == configs(serving, name) == []
    with pytest.raises(ClientError, match="Could not find"):
        serving.sagemaker.describe_endpoint(EndpointName=given["EndpointName"])


def test_tags_of_the_stack_are_on_models_and_endpoints_and_change_in_place(
    stacks: Any, serving: Any, given: dict[str, str]
) -> None:
    name = stacks.create(TEMPLATE, given, Tags=[{"Key": "team", "Value": "ml"}, {"Key": "old", "Value": "1"}])
    made = stacks.resources(name)
    changed = [{"Key": "team", "Value": "research"}]
    assert stacks.update(name, TEMPLATE, given, Tags=changed)["StackStatus"] == "UPDATE_COMPLETE"
    assert stacks.resources(name) == made
    for arn in made.values():
        assert serving.sagemaker.list_tags(ResourceArn=arn)["Tags"] == changed


def test_what_a_killed_server_left_unfinished_is_failed_with_the_reason_and_can_be_mended(
    restartable: Callable[[], Any], stacks_of: Any, serving_of: Callable[[Any], Any], tmp_path: Path
) -> None:
    cloud, gate = restartable(), tmp_path / "gate"
    serving, stacks = serving_of(cloud), stacks_of(cloud)
    given = {"EndpointName": "changing", "Image": serving.image, "Data": serving.archive(answer_txt="one")}
    slow = {**given, "Image": slow_image(serving, tmp_path / "slow", gate)}
    stacks.create(TEMPLATE, given, StackName="changing")
    stacks.cloudformation.update_stack(StackName="changing", **stacks.request(TEMPLATE, slow, {}))
    starting = stacks.request(TEMPLATE, {**slow, "EndpointName": "starting"}, {})
    stacks.cloudformation.create_stack(StackName="starting", **starting)
    assert (stacks.status("changing"), stacks.status("starting")) == ("UPDATE_IN_PROGRESS", "CREATE_IN_PROGRESS")
    cloud.process.kill()
    cloud.process.wait()

    revived = restartable()
    stacks = stacks_of(revived)
    assert (stacks.status("changing"), stacks.status("starting")) == ("UPDATE_FAILED", "CREATE_FAILED")
    gate.touch()
    assert "server was stopped" in stacks.reason("changing", "Endpoint", "UPDATE_FAILED")
    assert "server was stopped" in stacks.reason("starting", "Endpoint", "CREATE_FAILED")
    assert stacks.update("changing", TEMPLATE, {**given, "Name": "mended"})["StackStatus"] == "UPDATE_COMPLETE"
    answer = revived.client("sagemaker-runtime").invoke_endpoint(EndpointName="changing", Body=b"{}")
    assert json.loads(answer["Body"].read())["name"] == "mended"
    assert stacks.delete("starting")["StackStatus"] == "DELETE_COMPLETE"
    assert (len(models(serving, "changing")), models(serving, "starting")) == (1, [])
