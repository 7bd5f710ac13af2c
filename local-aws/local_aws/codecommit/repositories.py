"""CodeCommit repositories by API: each is a bare repository of the git remote under its own name.

https://docs.aws.amazon.com/codecommit/latest/APIReference/Welcome.html
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from local_aws.errors import AwsError
from local_aws.git_remote import repository
from local_aws.operations import CODECOMMIT
from local_aws.sagemaker import listing
from local_aws.store import Exists, now

if TYPE_CHECKING:
    from local_aws.cloud import Cloud

KIND = "codecommit_repository"
_MOST_TAGS = 50


def named(cloud: Cloud, name: str) -> dict[str, Any]:
    """The row of a repository; raises `AwsError` (RepositoryDoesNotExistException)."""
    body = cloud.store.find(KIND, name)
    if body is None:
        raise AwsError("RepositoryDoesNotExistException", f"{name} does not exist")
    return body


def arn(cloud: Cloud, name: str) -> str:
    """The ARN of a repository, which is its name alone after the account."""
    return cloud.arn(name, "codecommit")


@CODECOMMIT.operation("CreateRepository")
def create_repository(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """A new, empty repository, which is there to be pushed to."""
    name = request["repositoryName"]
    if not repository.is_name(name):
        raise AwsError(
            "InvalidRepositoryNameException",
            f"The repository name {name} is not valid: letters, digits, '.', '_' and '-', and no .git at the end",
        )
    at = now()
    body = {
        "accountId": cloud.settings.account,
        "repositoryId": str(uuid.uuid4()),
        "repositoryName": name,
        **({"repositoryDescription": request["repositoryDescription"]} if "repositoryDescription" in request else {}),
        "lastModifiedDate": at,
        "creationDate": at,
        "Arn": arn(cloud, name),
        "_tags": _checked(request.get("tags", {})),
    }
    try:
        cloud.store.create(KIND, name, body)
    except Exists as error:
        raise AwsError("RepositoryNameExistsException", f"Repository named {name} already exists") from error
    repository.create(cloud, name)
    return {"repositoryMetadata": _metadata(cloud, body)}


@CODECOMMIT.operation("GetRepository")
def get_repository(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """A repository with the address to clone it from."""
    return {"repositoryMetadata": _metadata(cloud, named(cloud, request["repositoryName"]))}


@CODECOMMIT.operation("BatchGetRepositories")
def batch_get_repositories(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """Several repositories, and the names of which there is none."""
    found = {name: cloud.store.find(KIND, name) for name in request["repositoryNames"]}
    return {
        "repositories": [_metadata(cloud, body) for body in found.values() if body],
        "repositoriesNotFound": [name for name, body in found.items() if body is None],
    }


@CODECOMMIT.operation("ListRepositories")
def list_repositories(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """All repositories, by name or by when they were changed."""
    rows = [
        {"Name": body["repositoryName"], "LastModifiedTime": body["lastModifiedDate"], "Id": body["repositoryId"]}
        for body in cloud.store.all(KIND)
    ]
    order = {
        "SortBy": "LastModifiedTime" if request.get("sortBy") == "lastModifiedDate" else "Name",
        "SortOrder": "Descending" if request.get("order") == "descending" else "Ascending",
        "NextToken": request.get("nextToken", "0"),
    }
    page, token = listing.page(rows, order, name_key="Name")
    shown = [{"repositoryName": row["Name"], "repositoryId": row["Id"]} for row in page]
    return {"repositories": shown, **({"nextToken": token} if token else {})}


@CODECOMMIT.operation("DeleteRepository")
def delete_repository(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """Remove a repository with all that was pushed; of one that is not there, answer nothing, as CodeCommit does."""
    name = request["repositoryName"]
    body = cloud.store.find(KIND, name)
    if body is None:
        return {}
    cloud.store.delete(KIND, name)
    repository.delete(cloud, name)
    return {"repositoryId": body["repositoryId"]}


@CODECOMMIT.operation("UpdateRepositoryDescription")
def update_repository_description(cloud: Cloud, request: dict[str, Any]) -> None:
    """Change or remove the description."""
    body = named(cloud, request["repositoryName"])
    body.pop("repositoryDescription", None)
    described = (
        {"repositoryDescription": request["repositoryDescription"]} if "repositoryDescription" in request else {}
    )
    cloud.store.put(KIND, request["repositoryName"], {**body, **described, "lastModifiedDate": now()})


@CODECOMMIT.operation("TagResource")
def tag_resource(cloud: Cloud, request: dict[str, Any]) -> None:
    """Add tags to a repository, or change them."""
    body = _tagged(cloud, request["resourceArn"])
    cloud.store.update(KIND, body["repositoryName"], {"_tags": _checked({**body["_tags"], **request["tags"]})})


@CODECOMMIT.operation("UntagResource")
def untag_resource(cloud: Cloud, request: dict[str, Any]) -> None:
    """Take tags off a repository."""
    body = _tagged(cloud, request["resourceArn"])
    left = {key: value for key, value in body["_tags"].items() if key not in request["tagKeys"]}
    cloud.store.update(KIND, body["repositoryName"], {"_tags": left})


@CODECOMMIT.operation("ListTagsForResource")
def list_tags_for_resource(cloud: Cloud, request: dict[str, Any]) -> dict[str, Any]:
    """The tags of a repository."""
    return {"tags": _tagged(cloud, request["resourceArn"])["_tags"]}


def _tagged(cloud: Cloud, resource: str) -> dict[str, Any]:
    if not resource.startswith(arn(cloud, "")):
        raise AwsError("InvalidResourceArnException", f"{resource} is not the ARN of a repository")
    return named(cloud, resource.removeprefix(arn(cloud, "")))


def _checked(tags: dict[str, str]) -> dict[str, str]:
    if len(tags) > _MOST_TAGS:
        raise AwsError("TooManyTagsException", f"A repository has at most {_MOST_TAGS} tags")
    return tags


def _metadata(cloud: Cloud, body: dict[str, Any]) -> dict[str, Any]:
    shown = {key: value for key, value in body.items() if not key.startswith("_")}
    branch = repository.default_branch(cloud, body["repositoryName"])
    return {
        **shown,
        "cloneUrlHttp": repository.url(cloud, body["repositoryName"]),
        **({"defaultBranch": branch} if branch else {}),
    }
