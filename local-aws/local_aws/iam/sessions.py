"""Role sessions: the temporary credentials that a role gives to a service or a user, and whose they are.

iam_session / <access key>    role, session name, secret, token, expiration, session policies and tags
"""

from __future__ import annotations

import secrets
import string
import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from weakref import WeakKeyDictionary

from local_aws.cloud import Cloud
from local_aws.errors import AwsError
from local_aws.iam import roles, trust
from local_aws.iam.context import Context
from local_aws.principal import Principal
from local_aws.store import Body, now

KIND = "iam_session"
_SERVICE_SECONDS = 12 * 3600
# botocore asks for new credentials when less than 15 minutes are left: those given out have more.
_LEFT_SECONDS = 30 * 60
_KEY_CHARACTERS = string.ascii_uppercase + "234567"


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


def credentials(cloud: Cloud, role_arn: str, session: str, service: str, source_arn: str | None = None) -> Credentials:
    """Temporary credentials of a role for a service (`codebuild.amazonaws.com`), to give to a process.

    `source_arn` is the resource on whose behalf the service asks (aws:SourceArn of trust policies). Raises `AwsError`
    (AccessDenied) where the role does not exist or its trust policy does not let the service in.
    """
    return of(cloud, principal(cloud, role_arn, session, service, source_arn))


def principal(cloud: Cloud, role_arn: str, session: str, service: str, source_arn: str | None = None) -> Principal:
    """The same session as what `acting_as` takes, for what a service does on the role's behalf in this process."""
    reason = refusal(cloud, role_arn, service, source_arn)
    if reason is not None:
        raise AwsError("AccessDenied", f"{service} is not authorized to assume role {role_arn}: {reason}", 403)
    return Principal(role_arn, session)


def refusal(cloud: Cloud, role_arn: str, service: str, source_arn: str | None = None) -> str | None:
    """Why a service may not assume a role; None where it may."""
    role = roles.find(role_arn)
    if role is None:
        return "there is no such role"
    account = cloud.settings.account
    values = {"aws:sourceaccount": (account,), "aws:requestedregion": (cloud.settings.region,)}
    if source_arn is not None:
        values["aws:sourcearn"] = (source_arn,)
    context = Context(values, unsaid=frozenset() if source_arn else frozenset({"aws:sourcearn"}))
    return trust.refused(role.trust, role_arn, trust.service_names(service), context)


def of(cloud: Cloud, principal: Principal) -> Credentials:
    """Credentials of a principal that has a role, which are good for at least half an hour."""
    return _sessions(cloud).credentials_of(principal)


def issue(cloud: Cloud, principal: Principal, seconds: int) -> Credentials:
    """New credentials of a principal that has a role, for so many seconds."""
    return _sessions(cloud).issue(principal, seconds)


def authenticated(cloud: Cloud, access_key: str, token: str | None) -> Principal:
    """Whose an access key is: the role session it was given out for, or an administrator.

    Raises `AwsError`, by the codes of the query protocol, for keys of sessions that are unknown or over
    (InvalidClientTokenId, ExpiredToken).
    """
    if not access_key.startswith("ASIA"):
        user = roles.user_arn(access_key) if access_key.startswith("AKIA") else None
        return Principal(user_arn=user)
    session = _sessions(cloud).find(access_key)
    if session is None:
        raise AwsError("InvalidClientTokenId", "The security token included in the request is invalid.", 403)
    if not secrets.compare_digest(session.credentials.token, token or ""):
        raise AwsError("InvalidToken", "The security token included in the request is invalid.", 403)
    if session.credentials.expiration <= now():
        raise AwsError("ExpiredToken", "The security token included in the request is expired", 403)
    return session.principal


@dataclass(frozen=True)
class _Session:
    principal: Principal
    credentials: Credentials

    @classmethod
    def of(cls, body: Body) -> _Session:
        tags = tuple((key, value) for key, value in body["Tags"])
        principal = Principal(body["RoleArn"], body["Session"], tuple(body["Policies"]), tags)
        return cls(
            principal, Credentials(body["AccessKeyId"], body["SecretAccessKey"], body["Token"], body["Expiration"])
        )

    def stored(self) -> Body:
        return {
            "AccessKeyId": self.credentials.access_key,
            "SecretAccessKey": self.credentials.secret_key,
            "Token": self.credentials.token,
            "Expiration": self.credentials.expiration,
            "RoleArn": self.principal.role_arn,
            "Session": self.principal.session,
            "Policies": list(self.principal.policies),
            "Tags": [list(pair) for pair in self.principal.tags],
        }


class _Sessions:
    """The sessions of one cloud: in memory to be found, in the store to be found after a restart."""

    def __init__(self, cloud: Cloud) -> None:
        self._store = cloud.store
        self._lock = threading.Lock()
        self._by_key: dict[str, _Session] = {}
        self._latest: dict[Principal, Credentials] = {}
        for body in self._store.all(KIND):
            if body["Expiration"] <= now():
                self._store.delete(KIND, body["AccessKeyId"])
            else:
                self._by_key[body["AccessKeyId"]] = _Session.of(body)

    def find(self, access_key: str) -> _Session | None:
        return self._by_key.get(access_key)

    def credentials_of(self, principal: Principal) -> Credentials:
        with self._lock:
            latest = self._latest.get(principal)
            if latest is None or latest.expiration - now() < timedelta(seconds=_LEFT_SECONDS):
                latest = self._latest[principal] = self._issue(principal, _SERVICE_SECONDS)
            return latest

    def issue(self, principal: Principal, seconds: int) -> Credentials:
        with self._lock:
            return self._issue(principal, seconds)

    def _issue(self, principal: Principal, seconds: int) -> Credentials:
        key = "ASIA" + "".join(secrets.choice(_KEY_CHARACTERS) for _ in range(16))
        given = Credentials(
            key, secrets.token_urlsafe(30), secrets.token_urlsafe(96), now() + timedelta(seconds=seconds)
        )
        session = _Session(principal, given)
        self._store.create(KIND, key, session.stored())
        self._by_key[key] = session
        return given


_SESSIONS: WeakKeyDictionary[Cloud, _Sessions] = WeakKeyDictionary()
_SESSIONS_LOCK = threading.Lock()


def _sessions(cloud: Cloud) -> _Sessions:
    found = _SESSIONS.get(cloud)
    if found is None:
        with _SESSIONS_LOCK:
            found = _SESSIONS.get(cloud) or _SESSIONS.setdefault(cloud, _Sessions(cloud))
    return found
