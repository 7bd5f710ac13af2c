"""The endpoint's template: cfn-lint passes it, and what cfn-lint does not look at is looked at here."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from model_deploy.deployment import Ground, deployment_of
from model_deploy.stage import read_stage
from model_deploy.version import RegisteredVersion

ROOM = Path(__file__).parents[2] / "model-deploy"


class _Template(yaml.SafeLoader):
    """Reads CloudFormation's short forms (!Ref, !If) as {name: value}."""


def _tagged(loader: _Template, tag: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return {tag: loader.construct_scalar(node)}
    if isinstance(node, yaml.SequenceNode):
        return {tag: loader.construct_sequence(node, deep=True)}
    assert isinstance(node, yaml.MappingNode)
    return {tag: loader.construct_mapping(node, deep=True)}


_Template.add_multi_constructor("!", _tagged)


@pytest.fixture(scope="module")
def template() -> Any:
    return yaml.load((ROOM / "endpoint.yaml").read_text(), Loader=_Template)  # noqa: S506


def test_cfn_lint_finds_nothing() -> None:
    found = subprocess.run(
        [Path(sys.executable).parent / "cfn-lint", ROOM / "endpoint.yaml"], capture_output=True, text=True, check=False
    )
    assert (found.returncode, found.stdout) == (0, "")


def test_the_template_takes_exactly_the_parameters_a_deployment_gives(template: Any) -> None:
    ground = Ground("artifacts", "arn:aws:iam::123456789012:role/endpoint", "repository:tag")
    version = RegisteredVersion("iris", 1, None, {"tier": "gold"}, frozenset())
    for name in ("staging", "prod"):
        stage = read_stage(ROOM / "stages" / f"{name}.yaml")
        given = deployment_of(version, "models/iris/abc/model.tar.gz", name, stage, ground).parameters
        assert set(given) == set(template["Parameters"])


def test_every_parameter_is_described_and_grouped(template: Any) -> None:
    groups = template["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    assert sorted(name for group in groups for name in group["Parameters"]) == sorted(template["Parameters"])
    assert all(parameter["Description"].endswith(".") for parameter in template["Parameters"].values())


def test_what_another_version_replaces_has_no_name_of_its_own(template: Any) -> None:
    assert "ModelName" not in template["Resources"]["Model"]["Properties"]
    assert "EndpointConfigName" not in template["Resources"]["EndpointConfig"]["Properties"]


def test_the_variant_keeps_its_name_and_says_how_many_instances(template: Any) -> None:
    (variant,) = template["Resources"]["EndpointConfig"]["Properties"]["ProductionVariants"]
    assert variant["VariantName"] == "AllTraffic"
    assert variant["InitialInstanceCount"] == {"Ref": "InstanceCount"}


def test_every_way_of_routing_has_the_size_and_the_wait_it_needs(template: Any) -> None:
    config = template["Resources"]["Endpoint"]["Properties"]["DeploymentConfig"]
    condition, none, blue_green = config["BlueGreenUpdatePolicy"]["If"]
    assert (condition, none) == ("IsRolling", {"Ref": "AWS::NoValue"})
    routing = blue_green["TrafficRoutingConfiguration"]
    assert routing["WaitIntervalInSeconds"] == {"Ref": "UpdateWaitSeconds"}
    assert routing["CanarySize"]["If"][0] == "IsCanary"
    assert routing["LinearStepSize"]["If"][0] == "IsLinear"
    rolling = config["RollingUpdatePolicy"]["If"][1]
    assert {"MaximumBatchSize", "WaitIntervalInSeconds"} <= set(rolling)


def test_an_update_is_rolled_back_by_alarms_that_watch_this_endpoint(template: Any) -> None:
    resources = template["Resources"]
    alarms = resources["Endpoint"]["Properties"]["DeploymentConfig"]["AutoRollbackConfiguration"]["Alarms"]
    assert [alarm["AlarmName"]["Ref"] for alarm in alarms] == ["ServerErrorAlarm", "LatencyAlarm"]
    for name in ("ServerErrorAlarm", "LatencyAlarm"):
        watched = {each["Name"]: each["Value"] for each in resources[name]["Properties"]["Dimensions"]}
        assert watched == {"EndpointName": {"Ref": "EndpointName"}, "VariantName": "AllTraffic"}
        assert resources[name]["Properties"]["TreatMissingData"] == "notBreaching"


def test_the_container_has_no_network(template: Any) -> None:
    assert template["Resources"]["Model"]["Properties"]["EnableNetworkIsolation"] is True
