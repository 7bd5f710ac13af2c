"""The server's image on AWS: its sources as an archive, named by their content, and the build that pushes it to ECR.
A tag names what is in the image, so an image that is there is never built again."""

from __future__ import annotations

import hashlib
import io
import re
import time
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from mlflow_server.aws.stack import Stack, pauses
from mlflow_server.errors import ServerError

_ROOM = Path(__file__).parents[2]
_LOG_LINES = 12
_BOTO3 = frozenset({"boto3", "botocore", "jmespath", "python-dateutil", "s3transfer", "six", "urllib3"})
_EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Sources:
    """What the image is built of: files by their paths in the folder that the build gets."""

    files: Mapping[str, bytes]

    @property
    def tag(self) -> str:
        """MLflow's version and the digest of the sources, such as mlflow-3.17.2-0123456789ab."""
        digest = hashlib.sha256()
        for path, content in sorted(self.files.items()):
            digest.update(f"{path}\0{len(content)}\0".encode() + content)
        return f"mlflow-{version('mlflow')}-{digest.hexdigest()[:12]}"

    def archive(self) -> bytes:
        """The files as a zip archive, the same bytes every time."""
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for path, content in sorted(self.files.items()):
                archive.writestr(zipfile.ZipInfo(path, _EPOCH), content, zipfile.ZIP_DEFLATED)
        return buffer.getvalue()


def read_sources(python_tag: str, room: Path = _ROOM) -> Sources:
    """The sources of the image, from a checkout of the repository; `python_tag` is empty for the Dockerfile's own base.

    Raises:
        ServerError: this program was installed without them.
    """
    dockerfile = room / "image" / "Dockerfile"
    if not dockerfile.exists():
        raise ServerError(
            f"The sources of the server's image are not here ({dockerfile}): run this from a checkout of the "
            "repository, or deploy an image that is in the registry already by --image-tag."
        )
    # The templates of this room are no part of the image, and no reason for another.
    paths = [path for path in (room / "mlflow_server").rglob("*.py") if "__pycache__" not in path.parts]
    files = {str(path.relative_to(room)): path.read_bytes() for path in (*paths, room / "image" / "requirements.lock")}
    files["Dockerfile"] = dockerfile.read_bytes()
    files["python-tag"] = f"{python_tag}\n".encode() if python_tag else b""
    files["registry_password.py"] = Path(__file__).with_name("registry_password.py").read_bytes()
    files["registry_password.lock"] = _boto3_of(files["image/requirements.lock"].decode()).encode()
    return Sources(files)


def _boto3_of(lock: str) -> str:
    """What of a lock boto3 needs, hashes included: the build that logs in to the registry may do as it likes there."""
    entries = re.split(r"\n(?=\S)", lock.rstrip("\n"))
    return "".join(f"{entry}\n" for entry in entries if entry.partition("==")[0] in _BOTO3)


def exists(ecr: Any, stack: Stack, tag: str) -> bool:
    """Whether the server's repository has an image of this tag."""
    repository = stack.outputs["RepositoryUri"].partition("/")[2]
    try:
        ecr.describe_images(repositoryName=repository, imageIds=[{"imageTag": tag}])
    except ClientError as error:
        if error.response["Error"]["Code"] in ("ImageNotFoundException", "RepositoryNotFoundException"):
            return False
        raise
    return True


@dataclass(frozen=True)
class ImageBuild:
    """The stack's build project: S3 for the sources, CodeBuild, its log; `say` prints a line.

    `buildspec` is that of the template at hand, which may be newer than the deployed one.
    """

    s3: Any
    codebuild: Any
    logs: Any
    buildspec: str
    say: Callable[[str], None]
    sleep: Callable[[float], None] = time.sleep

    def run(self, stack: Stack, sources: Sources, values: Mapping[str, str]) -> None:
        """Build and push the image, as the parameters in `values` say of it, and wait for its end.

        Raises:
            ServerError: the build failed; the end of its log follows in lines of its own.
        """
        bucket, key = stack.outputs["ArtifactBucket"], f"image/{sources.tag}.zip"
        self.s3.put_object(Bucket=bucket, Key=key, Body=sources.archive())
        build = self.codebuild.start_build(
            projectName=stack.outputs["ImageBuild"],
            sourceTypeOverride="S3",
            sourceLocationOverride=f"{bucket}/{key}",
            buildspecOverride=self.buildspec,
            environmentVariablesOverride=[
                {"name": name, "value": value, "type": "PLAINTEXT"}
                for name, value in (
                    ("IMAGE_TAG", sources.tag),
                    ("CERTIFICATE_BUNDLE_URL", values["CertificateBundleUrl"]),
                    ("PYTHON_TAG", values["PythonTag"]),
                )
            ],
        )["build"]
        self.say(f"Building the image {sources.tag} ({build['id']})")
        ended = self._ended(build["id"])
        if ended["buildStatus"] == "SUCCEEDED":
            self.say(f"The image {sources.tag} is in {stack.outputs['RepositoryUri']}")
            return
        phase, why = _failed_phase(ended)
        raise ServerError(
            "\n  ".join(
                [
                    f"The image could not be built ({build['id']}): {phase}, {why.rstrip('.')}. {_left(stack)} "
                    "Its log ends:",
                    *self._log(ended),
                ]
            )
        )

    def _ended(self, build_id: str) -> Mapping[str, Any]:
        for _ in pauses(f"The build {build_id} has not ended", self.sleep):
            build: dict[str, Any] = self.codebuild.batch_get_builds(ids=[build_id])["builds"][0]
            if build["buildStatus"] != "IN_PROGRESS":
                return build
        raise AssertionError("pauses end by an exception only")

    def _log(self, build: Mapping[str, Any]) -> list[str]:
        where = build.get("logs", {})
        if not where.get("groupName") or not where.get("streamName"):
            return ["(it has no log)"]
        try:
            found = self.logs.get_log_events(
                logGroupName=where["groupName"], logStreamName=where["streamName"], limit=100, startFromHead=False
            )["events"]
        except ClientError as error:
            return [f"(its log cannot be read: {error})"]
        lines = [line for event in found for line in event["message"].splitlines() if line.strip()]
        return [line for line in lines if not line.startswith("[Container]") or "Running command" in line][-_LOG_LINES:]


def _left(stack: Stack) -> str:
    """What a failed build leaves, and what to do."""
    image = stack.parameters.get("ImageTag")
    stays = f"goes on with the image {image}" if image else "stays without a service, and costs money as it is"
    return (
        f"The stack {stack.name} {stays}. Deploy again once the cause is gone: --certificate-bundle-url names another "
        "place for the authorities of RDS, --python-tag another image of Python"
        + ("." if image else "; or remove it by `mlflow-server destroy`.")
    )


def _failed_phase(build: Mapping[str, Any]) -> tuple[str, str]:
    for phase in build.get("phases", []):
        if phase.get("phaseStatus") not in (None, "SUCCEEDED"):
            said = [context["message"] for context in phase.get("contexts", []) if context.get("message")]
            return f"{phase['phaseType']} {phase['phaseStatus'].lower()}", " ".join(said) or "no reason is given."
    return build["buildStatus"].lower(), "no phase of it failed."
