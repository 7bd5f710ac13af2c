"""CodeConnections under both of its names, and the handshake that a person does."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest
import requests
from botocore.exceptions import ClientError


@pytest.fixture(params=["codeconnections", "codestar-connections"])
def service(request: Any) -> str:
    return str(request.param)


def test_a_new_connection_is_pending_until_it_is_finished(cloud: Any, sources: Any, service: str) -> None:
    client = cloud.client(service)
    arn = client.create_connection(ConnectionName="mine", ProviderType="GitHub")["ConnectionArn"]
    assert arn.startswith(f"arn:aws:{service}:us-east-1:123456789012:connection/")
    connection = client.get_connection(ConnectionArn=arn)["Connection"]
    assert connection == {
        "ConnectionName": "mine",
        "ConnectionArn": arn,
        "ProviderType": "GitHub",
        "OwnerAccountId": "123456789012",
        "ConnectionStatus": "PENDING",
    }
    assert sources.finish(arn).json()["ConnectionStatus"] == "AVAILABLE"
    assert client.get_connection(ConnectionArn=arn)["Connection"]["ConnectionStatus"] == "AVAILABLE"


def test_either_name_of_the_service_finds_the_connection(cloud: Any) -> None:
    arn = cloud.client("codeconnections").create_connection(ConnectionName="x", ProviderType="GitLab")["ConnectionArn"]
    older = cloud.client("codestar-connections")
    assert older.get_connection(ConnectionArn=arn)["Connection"]["ConnectionArn"] == arn
    renamed = arn.replace("codeconnections", "codestar-connections")
    assert older.get_connection(ConnectionArn=renamed)["Connection"]["ConnectionArn"] == arn


def test_connections_are_listed_by_provider_and_in_pages(cloud: Any, service: str) -> None:
    client, name = cloud.client(service), uuid.uuid4().hex[:8]
    for number in range(3):
        client.create_connection(ConnectionName=f"{name}-{number}", ProviderType="Bitbucket")
    listed, token = [], {}
    while True:
        answer = client.list_connections(ProviderTypeFilter="Bitbucket", MaxResults=2, **token)
        listed += [row["ConnectionName"] for row in answer["Connections"]]
        if "NextToken" not in answer:
            break
        token = {"NextToken": answer["NextToken"]}
    assert {f"{name}-{number}" for number in range(3)} <= set(listed)
    assert not any(
        row["ProviderType"] == "Bitbucket"
        for row in client.list_connections(ProviderTypeFilter="GitLab")["Connections"]
    )


def test_tags_are_put_changed_and_taken_off(cloud: Any, service: str) -> None:
    client = cloud.client(service)
    arn = client.create_connection(
        ConnectionName="tagged", ProviderType="GitHub", Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]
    )["ConnectionArn"]
    client.tag_resource(ResourceArn=arn, Tags=[{"Key": "a", "Value": "3"}])
    client.untag_resource(ResourceArn=arn, TagKeys=["b"])
    assert client.list_tags_for_resource(ResourceArn=arn)["Tags"] == [{"Key": "a", "Value": "3"}]


def test_a_deleted_connection_is_not_found(cloud: Any, sources: Any, service: str) -> None:
    client = cloud.client(service)
    arn = client.create_connection(ConnectionName="gone", ProviderType="GitHub")["ConnectionArn"]
    client.delete_connection(ConnectionArn=arn)
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        client.get_connection(ConnectionArn=arn)
    assert sources.finish(arn).status_code == 404


def test_a_host_and_a_missing_provider_are_refused_by_name(cloud: Any, service: str) -> None:
    client = cloud.client(service)
    host = f"arn:aws:{service}:us-east-1:123456789012:host/mine-1a2b3c4d"
    with pytest.raises(ClientError, match="local-aws has no hosts"):
        client.create_connection(ConnectionName="hosted", HostArn=host)
    with pytest.raises(ClientError, match="ProviderType"):
        client.create_connection(ConnectionName="nothing")


def test_a_form_of_this_cloud_finishes_a_connection_and_returns_to_its_page(cloud: Any, sources: Any) -> None:
    arn = sources.connection(finished=False)
    page = f"{cloud.endpoint_url}/_local/pipelines/x"
    answer = sources.finish(arn, Accept="text/html,*/*", Origin=cloud.endpoint_url, Referer=page)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/_local/pipelines/x")
    arn = sources.connection(finished=False)
    answer = sources.finish(arn, Accept="text/html", Origin=cloud.endpoint_url, Referer="http://evil.example/x")
    assert answer.headers["Location"] == "/"


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "http://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}, {"Host": "evil.example"}],
)
def test_a_page_of_another_site_finishes_nothing(cloud: Any, sources: Any, headers: dict[str, str]) -> None:
    arn = sources.connection(finished=False)
    assert sources.finish(arn, **headers).status_code == 403
    status = cloud.client("codeconnections").get_connection(ConnectionArn=arn)["Connection"]["ConnectionStatus"]
    assert status == "PENDING"


def test_only_a_post_to_a_connection_finishes_it(cloud: Any, sources: Any) -> None:
    arn = sources.connection(finished=False)
    url = f"{cloud.endpoint_url}/_local/connections/{arn.rpartition('/')[2]}/finish"
    assert requests.get(url, timeout=30).status_code == 405
    assert requests.post(f"{cloud.endpoint_url}/_local/connections/x", timeout=30).status_code == 404


def test_connections_survive_a_restart(restartable: Callable[[], Any], sources_of: Any) -> None:
    running = restartable()
    arn = sources_of(running).connection()
    running.stop()
    client = restartable().client("codeconnections")
    assert client.get_connection(ConnectionArn=arn)["Connection"]["ConnectionStatus"] == "AVAILABLE"
