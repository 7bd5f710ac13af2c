"""Roles with statements of the test's own, and clients that sign as them."""

from __future__ import annotations

import json
import uuid
from typing import Any

import boto3
import pytest
from botocore.config import Config

# One session: the models of services are read once.
_SESSION = boto3.Session()
ROOT = "arn:aws:iam::123456789012:root"


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


class Roles:
    """Roles of the shared cloud; every name is new."""

    def __init__(self, cloud: Any) -> None:
        self.cloud = cloud
        self.iam = cloud.client("iam")

    def make(self, *statements: dict[str, Any], trust: dict[str, Any] | None = None, **more: Any) -> str:
        """A role with these statements that SageMaker and the account may assume, unless `trust` says otherwise."""
        name = f"role-{uuid.uuid4().hex[:10]}"
        principal = {"Service": "sagemaker.amazonaws.com", "AWS": ROOT}
        trusting = trust or {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
        made = self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=document(trusting), **more)
        if statements:
            self.iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=document(*statements))
        return str(made["Role"]["Arn"])

    def credentials(self, role: str, **more: Any) -> dict[str, Any]:
        """What AssumeRole answers."""
        assumed = self.cloud.client("sts").assume_role(RoleArn=role, RoleSessionName="tester", **more)
        return dict(assumed["Credentials"])

    def client(self, role: str, service: str, **more: Any) -> Any:
        """A client that signs with the credentials of a session of the role."""
        return self.signing(self.credentials(role, **more), service)

    def signing(self, credentials: dict[str, Any], service: str) -> Any:
        return _SESSION.client(
            service,
            endpoint_url=self.cloud.endpoint_url,
            region_name="us-east-1",
            aws_access_key_id=credentials["AccessKeyId"],
            aws_secret_access_key=credentials["SecretAccessKey"],
            aws_session_token=credentials["SessionToken"],
            config=Config(retries={"max_attempts": 1, "mode": "standard"}),
        )


@pytest.fixture
def roles(cloud: Any) -> Roles:
    """Roles of the shared cloud."""
    return Roles(cloud)


@pytest.fixture
def roles_of() -> type[Roles]:
    """Roles of a cloud of the test's own: `roles_of(cloud)`."""
    return Roles
