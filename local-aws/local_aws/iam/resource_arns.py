"""ARNs of resources as policies name them, where the name in a request is not yet one; and the tags of resources."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from local_aws.cloud import Cloud
from local_aws.iam import roles

if TYPE_CHECKING:
    from moto.secretsmanager.models import SecretsStore


@dataclass(frozen=True)
class Arn:
    """The ARN by which messages name a resource, and others by which policies may."""

    name: str
    aliases: tuple[str, ...] = ()


def arn(cloud: Cloud, prefix: str, operation: str, end: str, *, global_: bool = False) -> Arn:
    """The ARN for what follows the account in it; a whole ARN and "*" stay as they are."""
    if end == "*":
        return Arn(end)
    region = "" if global_ else cloud.settings.region
    head = f"arn:aws:{prefix}:{region}:{cloud.settings.account}:"
    if prefix == "logs":
        return _log_group(head, end)
    if prefix == "cloudformation":
        return Arn(_stack(cloud, head, end))
    if prefix == "secretsmanager":
        return Arn(_secret(cloud, head, end, creates=operation == "CreateSecret"))
    if prefix in ("codeconnections", "codestar-connections") and end.startswith("arn:"):
        other = "codestar-connections" if ":codeconnections:" in end else "codeconnections"
        return Arn(end, (":".join([*end.split(":")[:2], other, *end.split(":")[3:]]),))
    if end.startswith("arn:"):
        return Arn(end)
    if prefix == "iam" and end.startswith("role/"):
        return Arn(roles.arn_of(end.removeprefix("role/")) or head + end)
    if prefix == "ssm":
        return Arn(head + end.replace("parameter//", "parameter/", 1).partition(":")[0])
    if prefix == "codebuild" and end.startswith("build/"):
        return Arn(f"{head}project/{end.removeprefix('build/').partition(':')[0]}")
    if prefix == "sqs":
        return Arn(head + end.rpartition("/")[2])
    if prefix == "sagemaker" and end.startswith(("pipeline/", "project/")):
        return Arn(head + end.lower())
    return Arn(head + end)


def tags(cloud: Cloud, prefix: str, arn: str) -> dict[str, str] | None:
    """The tags of a resource by their keys, or None where this cloud does not look them up."""
    if prefix == "sagemaker":
        row = cloud.store.find("tags", arn)
        return {tag["Key"]: tag["Value"] for tag in row["Tags"]} if row else {}
    if prefix == "secretsmanager":
        secret = _secrets(cloud).get(arn)
        return {tag["Key"]: tag["Value"] for tag in secret.tags or []} if secret is not None else {}
    if prefix == "iam" and ":role/" in arn:
        role = roles.find(arn)
        return dict(role.tags) if role is not None else {}
    return None


def _log_group(head: str, end: str) -> Arn:
    """A log group, which policies name with and without what stands for its streams."""
    group = end.split(":log-group:", 1)[-1].removesuffix(":*")
    return Arn(f"{head}log-group:{group}:log-stream:", (f"{head}log-group:{group}", f"{head}log-group:{group}:*"))


def _stack(cloud: Cloud, head: str, end: str) -> str:
    if end.startswith("arn:") and ":changeSet/" not in end:
        return end
    if ":changeSet/" in end:
        row = cloud.store.find("change_set", end)
        return str(row["StackId"]) if row and "StackId" in row else end
    row = next(iter(cloud.store.all("stack", {"StackName": end}, ["StackId"])), None)
    return str(row["StackId"]) if row and "StackId" in row else f"{head}stack/{end}/*"


def _secret(cloud: Cloud, head: str, end: str, *, creates: bool) -> str:
    """A secret's ARN ends in six characters of chance, which a name has not yet."""
    name = end.removeprefix("secret:")
    secret = None if creates else _secrets(cloud).get(name)
    if secret is not None:
        return str(secret.arn)
    return name if name.startswith("arn:") else f"{head}secret:{name}-??????"


def _secrets(cloud: Cloud) -> SecretsStore:
    # moto is slow to import, and commands that need no server come by here.
    from moto.secretsmanager.models import secretsmanager_backends

    return secretsmanager_backends[cloud.settings.account][cloud.settings.region].secrets
