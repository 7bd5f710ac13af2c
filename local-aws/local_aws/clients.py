"""boto3 clients of this cloud for its own use: one for each service, which signs as whoever acts."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.credentials import Credentials, ReadOnlyCredentials

from local_aws.principal import Principal, acting, acting_as

if TYPE_CHECKING:
    from local_aws.cloud import Cloud

ACCESS_KEY = "local-aws"
SECRET_KEY = "local-aws"  # noqa: S105 - nothing is guarded by it: the server listens on the loopback address alone


class _ActingCredentials(Credentials):
    """Credentials that are those of the acting role at the moment something is signed."""

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(ACCESS_KEY, SECRET_KEY)
        self._cloud = cloud

    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        principal = acting()
        if principal.role_arn is None:
            return ReadOnlyCredentials(ACCESS_KEY, SECRET_KEY, None)
        # The cloud is what sessions are of, and it makes these clients.
        from local_aws.iam import sessions

        given = sessions.of(self._cloud, principal)
        return ReadOnlyCredentials(given.access_key, given.secret_key, given.token)


@functools.lru_cache(maxsize=1)
def _session(cloud: Cloud) -> boto3.session.Session:
    """One session for all clients: what every service needs of botocore's data is read once, not by each client."""
    session = boto3.session.Session()
    session._session._credentials = _ActingCredentials(cloud)
    return session


def client(cloud: Cloud, service: str) -> Any:
    """A new client; making one takes tens of milliseconds. No two may be made at the same time."""
    return _session(cloud).client(
        service,
        endpoint_url=cloud.settings.endpoint_url,
        region_name=cloud.settings.region,
        config=Config(
            retries={"max_attempts": 2, "mode": "standard"},
            max_pool_connections=32,
            s3={"addressing_style": "path"},
        ),
    )


def bound(shared: Any, principal: Principal) -> Any:
    """The same client for one principal: transfers make their requests in threads that know nobody who acts."""
    if principal.role_arn is None:
        return shared
    own = object.__new__(type(shared))
    own.__dict__.update(shared.__dict__)
    own._make_api_call = functools.partial(_call_as, principal, shared)
    return own


def _call_as(principal: Principal, shared: Any, operation: str, parameters: dict[str, Any]) -> Any:
    with acting_as(principal):
        return shared._make_api_call(operation, parameters)
