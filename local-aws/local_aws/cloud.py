"""The local cloud as its services see it: where it lives, what it knows, and how they call one another."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from local_aws import clients
from local_aws.contract import Contract
from local_aws.errors import AwsError
from local_aws.operations import (
    CLOUDFORMATION,
    CODEBUILD,
    CODECOMMIT,
    CODECONNECTIONS,
    CODEPIPELINE,
    CODESTAR_CONNECTIONS,
    IAM,
    RUNTIME,
    SAGEMAKER,
    STS,
    Service,
)
from local_aws.principal import acting
from local_aws.store import Store

if TYPE_CHECKING:
    from local_aws.processes.keeper import Keeper

ACCOUNT = "123456789012"

SERVICES: dict[str, Service] = {
    service.name: service
    for service in (
        SAGEMAKER,
        RUNTIME,
        CLOUDFORMATION,
        IAM,
        STS,
        CODEPIPELINE,
        CODEBUILD,
        CODECOMMIT,
        CODECONNECTIONS,
        CODESTAR_CONNECTIONS,
    )
}


@dataclass(frozen=True)
class Settings:
    """Where this cloud lives.

    `home` is the folder of all its state, `port` the port on 127.0.0.1 it listens on, `region` the one region it has.
    """

    home: Path
    port: int
    region: str = "us-east-1"
    account: str = ACCOUNT

    @property
    def endpoint_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


class Cloud:
    """What a handler is given: settings, the store, the process keeper, and calls to every service of this cloud."""

    def __init__(self, settings: Settings, store: Store, keeper: Keeper) -> None:
        self.settings = settings
        self.store = store
        self.keeper = keeper
        self.stopping = threading.Event()
        self._clients: dict[str, Any] = {}
        self._clients_lock = threading.Lock()

    def arn(self, resource: str, service: str = "sagemaker") -> str:
        """The ARN of a resource of this account and region, `resource` being `training-job/name` or the like."""
        return f"arn:aws:{service}:{self.settings.region}:{self.settings.account}:{resource}"

    def call(self, service: str, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """Carry out an operation of ours in this process, checked as a request from outside; raises `AwsError`.

        It is allowed or denied by the policies of the role that acts (`principal.acting`).
        """
        handler = SERVICES[service].operations.get(operation)
        if handler is None:
            raise AwsError("UnknownOperationException", f"{service}:{operation} is not carried out by local-aws")
        checked = Contract.of(service).check(operation, request)
        if acting().role_arn is not None:
            # Judging a request takes a cloud, of whose modules this is the first.
            from local_aws.iam import authorization

            authorization.check(self, service, operation, checked)
        return handler(self, checked) or {}

    def client(self, service: str) -> Any:
        """A boto3 client of this very cloud, for the services that moto carries (and for S3 above all).

        Its requests are signed as the principal that acts now, whatever thread they come to be made in.
        """
        with self._clients_lock:
            if service not in self._clients:
                client = clients.client(self, service)
                # Made on first use and without a lock: two threads would get two classes for the same error.
                _ = client.exceptions
                self._clients[service] = client
            shared = self._clients[service]
        return clients.bound(shared, acting())
