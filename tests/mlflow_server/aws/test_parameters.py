"""What is refused before anything is made, by the command and by CloudFormation alike; and what a server costs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from mlflow_server.aws.cost import estimates, read_prices
from mlflow_server.aws.parameters import read_file, settle
from mlflow_server.aws.template import read_template
from mlflow_server.errors import ServerError

CERTIFICATE = "arn:aws:acm:us-east-1:123456789012:certificate/0a1b2c3d"
PUBLIC = {"Access": "internet-facing", "ClientCidr": "0.0.0.0/0"}
HTTPS = {"CertificateArn": CERTIFICATE, "DomainName": "mlflow.example.com"}
OIDC = {
    "OidcIssuer": "https://id.example.com",
    "OidcAuthorizationEndpoint": "https://id.example.com/authorize",
    "OidcTokenEndpoint": "https://id.example.com/token",
    "OidcUserInfoEndpoint": "https://id.example.com/user",
    "OidcClientId": "mlflow",
    "OidcClientSecretArn": "arn:aws:secretsmanager:us-east-1:123456789012:secret:oidc-AbCdEf",
}
OWN_VPC = {"VpcId": "vpc-0a1b2c3d", "PrivateSubnetIds": "subnet-0a1b2c3d,subnet-0a1b2c3e", "ClientCidr": "10.0.0.0/8"}

CONTRADICTIONS = [
    (PUBLIC, "needs a certificate, since passwords pass through it"),
    ({**PUBLIC, **HTTPS, "ClientCidr": ""}, "needs the addresses that may call"),
    ({"CertificateArn": CERTIFICATE}, "give DomainName"),
    (OIDC, "needs HTTPS"),
    ({**OIDC, **HTTPS, "OidcClientSecretArn": ""}, "give all five"),
    ({"VpcId": "vpc-0a1b2c3d"}, "give PrivateSubnetIds"),
    ({**OWN_VPC, "ClientCidr": ""}, "give ClientCidr"),
    ({**OWN_VPC, **HTTPS, "Access": "internet-facing"}, "give PublicSubnetIds"),
]


@pytest.mark.parametrize(("given", "said"), CONTRADICTIONS)
def test_the_template_and_the_command_refuse_the_same_contradictions(
    cloud: Any, given: dict[str, str], said: str
) -> None:
    template, cloudformation = read_template(), cloud.client("cloudformation")
    with pytest.raises(ServerError, match=said):
        settle(template, given, {})
    with pytest.raises(cloudformation.exceptions.ClientError, match=said):
        cloudformation.create_stack(
            StackName="contradiction",
            TemplateBody=template.request_body,
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in given.items()],
            Capabilities=["CAPABILITY_IAM"],
        )


def test_what_goes_together_is_taken() -> None:
    for given in ({}, {**PUBLIC, **HTTPS}, {**HTTPS, **OIDC}, OWN_VPC):
        assert settle(read_template(), given, {})["Size"] == "small"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"ServerName": "Team_A"}, "--server-name is 'Team_A': give lower-case letters"),
        ({"ServerName": "a-name-too-long-for-it"}, "--server-name has 22 characters"),
        (
            {"CertificateBundleUrl": "http://example.com/a.pem"},
            "--certificate-bundle-url is 'http://example.com/a.pem'",
        ),
        ({"PauseAfterSeconds": "60"}, "--pause-after-seconds is '60': give 0, or 300 to 86400"),
        ({"BackupDays": "400"}, "--backup-days is '400': give a number from 1 to 35"),
        ({"ClientCidr": "everybody"}, "--client-cidr is 'everybody': give a range of IPv4 addresses"),
        (
            {"VpcId": "nope"},
            "--vpc-id is 'nope': give the form vpc-[0-9a-f]+, or nothing (VPC to use. Empty makes one)",
        ),
        ({"PrivateSubnetIds": "subnet-0a1b2c3d"}, "--private-subnet-ids is 'subnet-0a1b2c3d'"),
        ({"DomainName": "https://mlflow.example.com"}, "--domain-name is 'https://mlflow.example.com'"),
    ],
)
def test_a_malformed_value_is_said_with_the_form_it_should_have(given: dict[str, str], said: str) -> None:
    with pytest.raises(ServerError) as refused:
        settle(read_template(), given, {})
    assert said in str(refused.value)


def test_what_is_not_told_stays_as_it_is_deployed() -> None:
    settled = settle(read_template(), {"Size": "large"}, {"Size": "medium", "BackupDays": "30"})
    assert (settled["Size"], settled["BackupDays"], settled["Access"]) == ("large", "30", "internal")


def test_a_parameters_file_is_read_and_a_misspelt_key_in_it_is_named(tmp_path: Path) -> None:
    file = tmp_path / "server.yaml"
    file.write_text("size: medium\nprojects: true\nprivate_subnet_ids: [subnet-0a1b2c3d, subnet-0a1b2c3e]\n")
    told = read_file(file, read_template())
    assert told["Projects"] == "true"
    assert told["PrivateSubnetIds"] == "subnet-0a1b2c3d,subnet-0a1b2c3e"
    file.write_text("sise: medium\n")
    with pytest.raises(ServerError, match="sise is no parameter of the server; perhaps size is meant"):
        read_file(file, read_template())


def test_the_command_refuses_a_public_server_without_certificate(team: Any) -> None:
    done = team.deploy("--yes", "--access", "internet-facing", "--client-cidr", "0.0.0.0/0")
    assert done.returncode == 1
    assert "needs a certificate, since passwords pass through it - give CertificateArn" in done.stderr
    assert "Traceback" not in done.stderr
    assert team.status() is None


# ---- what it costs ------------------------------------------------------------------------------------------------


def totals(**given: str) -> dict[str, tuple[float, float]]:
    template = read_template()
    found = estimates(template, settle(template, given, {}), read_prices())
    return {each.size: (each.total.least, each.total.most) for each in found}


def test_a_larger_size_costs_more_idle_and_at_most() -> None:
    found = totals()
    assert list(found) == ["small", "medium", "large"]
    for smaller, larger in (("small", "medium"), ("medium", "large")):
        assert all(less < more for less, more in zip(found[smaller], found[larger], strict=True))
    assert all(least < most for least, most in found.values())


def test_the_estimate_of_a_small_server_is_what_the_price_list_says() -> None:
    prices = read_prices().values
    servers = 2 * 730 * (0.5 * prices["processor_hour"] + 2 * prices["memory_hour"])
    database = 730 * 0.5 * prices["capacity_hour"]
    template = read_template()
    small = estimates(template, settle(template, {}, {}), read_prices())[0]
    assert small.items["servers (2 to 4 tasks)"].least == pytest.approx(servers)
    assert small.items["database (0.5 to 2 units, 1 instance)"].least == pytest.approx(database)


def test_choices_show_in_the_estimate() -> None:
    plain = totals()["small"][0]
    assert totals(PauseAfterSeconds="300")["small"][0] == pytest.approx(plain - 730 * 0.5 * 0.12)
    assert totals(Egress="endpoints")["small"][0] > plain
    assert totals(**OWN_VPC)["small"][0] < plain
    assert totals(Egress="nat-per-zone")["small"][0] == pytest.approx(plain + 730 * 0.05)
    assert totals(**PUBLIC, **HTTPS)["small"][0] == pytest.approx(plain + 730 * 0.01)
