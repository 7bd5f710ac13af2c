"""What EventBridge learns of a CodeCommit repository: its branches and tags as they come, move and go.

https://docs.aws.amazon.com/codecommit/latest/userguide/monitoring-events.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from local_aws import events
from local_aws.codecommit import repositories

if TYPE_CHECKING:
    from local_aws.cloud import Cloud
    from local_aws.events import Delivery
    from local_aws.git_remote.push import RefUpdate


def tell(cloud: Cloud, name: str, update: RefUpdate) -> list[Delivery]:
    """Deliver the "CodeCommit Repository State Change" of one reference; other repositories have no such events."""
    body = cloud.store.find(repositories.KIND, name)
    if body is None or (update.branch is None and update.tag is None):
        return []
    kind = "branch" if update.branch is not None else "tag"
    what = (
        "referenceDeleted" if update.new is None else "referenceCreated" if update.old is None else "referenceUpdated"
    )
    detail: dict[str, Any] = {
        "callerUserArn": f"arn:aws:iam::{cloud.settings.account}:root",
        "event": what,
        "repositoryName": name,
        "repositoryId": body["repositoryId"],
        "referenceType": kind,
        "referenceName": update.branch if update.branch is not None else update.tag,
        "referenceFullName": update.reference,
        **({"commitId": update.new} if update.new else {}),
        **({"oldCommitId": update.old} if update.old else {}),
    }
    return events.deliver(cloud, "aws.codecommit", "CodeCommit Repository State Change", detail, [body["Arn"]])
