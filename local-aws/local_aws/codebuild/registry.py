"""ECR as `docker push` speaks with it: layers are asked for and uploaded, then the manifest is put under its tag.

https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-push-iam.html
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import re
from typing import Any

from local_aws.images import ImageRecord

_URI = re.compile(
    r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(?:\.cn)?/(?P<name>[^:@]+):(?P<tag>[\w.-]+)"
)
_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
_CONFIG = "application/vnd.docker.container.image.v1+json"
_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"


class PushRefused(Exception):
    """The registry does not take an image; the message is worded as Docker's."""


def password() -> str:
    """What logs in to this account's registry, by the credentials of the environment."""
    told = _ecr().get_authorization_token()["authorizationData"][0]["authorizationToken"]
    return base64.b64decode(told).decode().partition(":")[2]


def push(uri: str, record: ImageRecord) -> str:
    """Register an image under the repository and tag of its URI; the digest of its manifest.

    Raises `PushRefused`: no such repository, a tag that is taken and immutable, an action that is not allowed.
    """
    place = _URI.fullmatch(uri)
    if place is None:
        raise PushRefused(
            f"{uri} is in no ECR repository: only <account>.dkr.ecr.<region>.amazonaws.com can be pushed to"
        )
    from botocore.exceptions import ClientError

    ecr = _ecr(region_name=place["region"])
    repository: dict[str, Any] = {"registryId": place["account"], "repositoryName": place["name"]}
    config = json.dumps(dataclasses.asdict(record), sort_keys=True).encode()
    digest = _digest(config)
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": _MANIFEST,
            "config": {"mediaType": _CONFIG, "size": len(config), "digest": f"sha256:{record.digest}"},
            "layers": [{"mediaType": _LAYER, "size": len(config), "digest": digest}],
        }
    )
    try:
        known = ecr.batch_check_layer_availability(**repository, layerDigests=[digest])
        if not any(layer["layerAvailability"] == "AVAILABLE" for layer in known["layers"]):
            upload = ecr.initiate_layer_upload(**repository)["uploadId"]
            ecr.upload_layer_part(
                **repository, uploadId=upload, partFirstByte=0, partLastByte=len(config) - 1, layerPartBlob=config
            )
            ecr.complete_layer_upload(**repository, uploadId=upload, layerDigests=[digest])
        ecr.put_image(
            **repository,
            imageManifest=manifest,
            imageManifestMediaType=_MANIFEST,
            imageTag=place["tag"],
            imageDigest=_digest(manifest.encode()),
        )
    except ClientError as error:
        code, message = error.response["Error"]["Code"], error.response["Error"]["Message"]
        if code == "ImageAlreadyExistsException" and _digest(manifest.encode()) in message:
            return _digest(manifest.encode())
        if code in ("ImageAlreadyExistsException", "ImageTagAlreadyExistsException"):
            raise PushRefused(
                f"tag invalid: The image tag '{place['tag']}' already exists in the '{place['name']}' repository and "
                "cannot be overwritten because the tag is immutable."
            ) from error
        prefix = {
            "RepositoryNotFoundException": "name unknown",
            "AccessDeniedException": "denied",
        }.get(code, code)
        raise PushRefused(f"{prefix}: {message}") from error
    return _digest(manifest.encode())


def _ecr(**where: str) -> Any:
    # Slow to import, and most of what a build asks of its daemon needs no registry.
    import boto3

    return boto3.client("ecr", **where)


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
