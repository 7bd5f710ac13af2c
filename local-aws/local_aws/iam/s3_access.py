"""What a request to S3 asks for in the terms of IAM, by its method, its path and the names in its query.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs, unquote
from xml.etree import ElementTree

from local_aws.errors import AwsError
from local_aws.iam.access import Access

# A name in the query of a request to a bucket, and what it makes of Get..., Put... and Delete....
_BUCKET_ACTIONS = {
    "accelerate": "AccelerateConfiguration",
    "acl": "BucketAcl",
    "analytics": "AnalyticsConfiguration",
    "cors": "BucketCORS",
    "encryption": "EncryptionConfiguration",
    "intelligent-tiering": "IntelligentTieringConfiguration",
    "inventory": "InventoryConfiguration",
    "lifecycle": "LifecycleConfiguration",
    "location": "BucketLocation",
    "logging": "BucketLogging",
    "metrics": "MetricsConfiguration",
    "notification": "BucketNotification",
    "object-lock": "BucketObjectLockConfiguration",
    "ownershipControls": "BucketOwnershipControls",
    "policy": "BucketPolicy",
    "policyStatus": "BucketPolicyStatus",
    "publicAccessBlock": "BucketPublicAccessBlock",
    "replication": "ReplicationConfiguration",
    "requestPayment": "BucketRequestPayment",
    "tagging": "BucketTagging",
    "versioning": "BucketVersioning",
    "website": "BucketWebsite",
}
# Their removal has an action of its own; that of all other configurations is a Put.
_DELETED = {"policy": "DeleteBucketPolicy", "website": "DeleteBucketWebsite"}
_OBJECT_ACTIONS = {"acl": "Acl", "legal-hold": "LegalHold", "retention": "Retention", "tagging": "Tagging"}
_HEADERS = ("x-amz-acl", "x-amz-server-side-encryption", "x-amz-storage-class", "x-amz-copy-source")
_KMS_KEY = "x-amz-server-side-encryption-aws-kms-key-id"
_ARN = "arn:aws:s3:::"
_VERBS = {"GET": "Get", "HEAD": "Get", "PUT": "Put", "DELETE": "Delete", "POST": "Put"}


@dataclass(frozen=True)
class S3Request:
    """A request to S3: path (decoded), query, headers (names in lower case), and its body where that names keys."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    body: bytes = b""

    @classmethod
    def parse(cls, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes = b"") -> S3Request:
        return cls(method, path, parse_qs(query, keep_blank_values=True), headers, body)

    @property
    def values(self) -> dict[str, tuple[str, ...]]:
        """The condition keys that have a value in it."""
        found: dict[str, tuple[str, ...]] = {
            f"s3:{name}": (self.headers[name],) for name in (*_HEADERS, _KMS_KEY) if name in self.headers
        }
        for name, key in (("prefix", "s3:prefix"), ("delimiter", "s3:delimiter"), ("max-keys", "s3:max-keys")):
            if name in self.query:
                found[key] = (self.query[name][0],)
        if "versionId" in self.query:
            found["s3:versionid"] = (self.query["versionId"][0],)
        return found


def needed(request: S3Request) -> Iterator[Access]:
    """All that a role must be allowed for it."""
    bucket, _, key = request.path.lstrip("/").partition("/")
    if not bucket:
        yield Access("s3:ListAllMyBuckets")
    elif key:
        yield from _object(request, bucket, key)
    elif request.method == "POST" and "delete" in request.query:
        for name, versioned in _deleted(request.body):
            action = "DeleteObjectVersion" if versioned else "DeleteObject"
            yield Access(f"s3:{action}", f"{_ARN}{bucket}/{name}", request.values)
    else:
        yield Access(f"s3:{_bucket_action(request)}", f"{_ARN}{bucket}", request.values)


def _bucket_action(request: S3Request) -> str:
    named = next((name for name in _BUCKET_ACTIONS if name in request.query), None)
    if named is not None:
        if request.method == "DELETE":
            return _DELETED.get(named, f"Put{_BUCKET_ACTIONS[named]}")
        return _VERBS[request.method] + _BUCKET_ACTIONS[named]
    if request.method in ("GET", "HEAD"):
        if "versions" in request.query:
            return "ListBucketVersions"
        return "ListBucketMultipartUploads" if "uploads" in request.query else "ListBucket"
    return {"PUT": "CreateBucket", "DELETE": "DeleteBucket"}.get(request.method, "PutObject")


def _object(request: S3Request, bucket: str, key: str) -> Iterator[Access]:
    query, method, version = request.query, request.method, "Version" if "versionId" in request.query else ""
    on = f"{_ARN}{bucket}/{key}"

    def access(action: str) -> Access:
        return Access(f"s3:{action}", on, request.values)

    named = next((name for name in _OBJECT_ACTIONS if name in query), None)
    if named is not None:
        yield access(f"{_VERBS[method]}Object{version}{_OBJECT_ACTIONS[named]}")
    elif method in ("GET", "HEAD"):
        yield access("ListMultipartUploadParts" if "uploadId" in query else f"GetObject{version}")
        if "attributes" in query:
            yield access(f"GetObject{version}Attributes")
    elif method == "DELETE":
        yield access("AbortMultipartUpload" if "uploadId" in query else f"DeleteObject{version}")
    elif "restore" in query:
        yield access("RestoreObject")
    else:
        yield access("PutObject")
        if "x-amz-acl" in request.headers:
            yield access("PutObjectAcl")
        if "x-amz-tagging" in request.headers:
            yield access("PutObjectTagging")
        if "x-amz-copy-source" in request.headers:
            yield _copied(request)


def _copied(request: S3Request) -> Access:
    source, _, version = request.headers["x-amz-copy-source"].partition("?versionId=")
    action = "s3:GetObjectVersion" if version else "s3:GetObject"
    return Access(action, _ARN + unquote(source).lstrip("/"), request.values)


def _deleted(body: bytes) -> Iterator[tuple[str, bool]]:
    """The keys of DeleteObjects, and whether a version of theirs is named; raises `AwsError` (MalformedXML)."""
    try:
        root = ElementTree.fromstring(body)  # noqa: S314 - no entities are declared in what S3's clients send
    except ElementTree.ParseError as error:
        raise AwsError("MalformedXML", f"The XML you provided was not well-formed: {error}") from error
    for entry in root.iter():
        if entry.tag.rpartition("}")[2] == "Object":
            members = {child.tag.rpartition("}")[2]: child.text or "" for child in entry}
            yield members.get("Key", ""), "VersionId" in members
