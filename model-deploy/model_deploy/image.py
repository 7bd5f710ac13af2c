"""The serving image: what its tag says is in it, and which tag the contents of serving/ have.
A tag reads `py<major.minor>-sklearn<version>-<first 12 hex digits of the digest of serving/>`."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement

from model_deploy.errors import DeploymentError

_TAG = re.compile(r"py(?P<python>\d+\.\d+)-sklearn(?P<sklearn>\d+(\.\d+)+)-(?P<digest>[0-9a-f]{12})")
_URI = re.compile(r"(?P<repository>[^\s@]+?)(:(?P<tag>[\w.-]+))?(?P<pinned>@sha256:[0-9a-f]{64})?")


@dataclass(frozen=True)
class ServingEnvironment:
    """What an endpoint of this image has: Python's major.minor, scikit-learn's version, and the digest of serving/."""

    python: str
    sklearn: str
    digest: str

    @property
    def tag(self) -> str:
        """The tag that says so."""
        return f"py{self.python}-sklearn{self.sklearn}-{self.digest}"


def read_image_tag(image_uri: str | None) -> ServingEnvironment:
    """What the image of this URI has, by its tag.

    Raises:
        DeploymentError: there is no URI, or its tag does not say.
    """
    uri = (image_uri or "").strip()
    if not uri:
        raise DeploymentError(f"SERVING_IMAGE is empty: no image is named for the endpoint. {_HOW_TO_BUILD}")
    match = _URI.fullmatch(uri)
    tag = match["tag"] if match else None
    said = _TAG.fullmatch(tag or "")
    if said is None:
        found = f"the tag {tag!r}" if tag else "no tag"
        raise DeploymentError(
            f"SERVING_IMAGE is {uri}: {found} does not say which Python and scikit-learn the image has, so nobody can "
            f"tell whether the model fits. {_HOW_TO_BUILD}"
        )
    return ServingEnvironment(python=said["python"], sklearn=said["sklearn"], digest=said["digest"])


def serving_environment(serving: Path, python: str) -> ServingEnvironment:
    """What an image built from the directory `serving` with this Python (major.minor) has.

    The digest is over the relative path and the bytes of every file there, so the tag changes when any of them does.

    Raises:
        DeploymentError: the directory is no serving directory, or does not pin scikit-learn.
    """
    if not re.fullmatch(r"3\.\d+", python):
        raise DeploymentError(f"--python is {python!r}: give Python's major.minor, such as 3.12.")
    files = sorted(
        path.relative_to(serving)
        for path in serving.rglob("*")
        if path.is_file() and not any(part.startswith((".", "__pycache__")) for part in path.relative_to(serving).parts)
    )
    missing = [name for name in ("Dockerfile", "requirements.txt") if Path(name) not in files]
    if missing:
        raise DeploymentError(
            f"{serving} has no {' and no '.join(missing)}: it is not what a serving image is built from."
        )
    digest = hashlib.sha256()
    for path in files:
        content = (serving / path).read_bytes()
        digest.update(f"{path.as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    return ServingEnvironment(
        python=python, sklearn=_pinned_sklearn(serving / "requirements.txt"), digest=digest.hexdigest()[:12]
    )


def _pinned_sklearn(requirements: Path) -> str:
    for line in requirements.read_text(encoding="utf-8").splitlines():
        try:
            wanted = Requirement(line.split("#")[0].strip())
        except InvalidRequirement:  # an option for pip, a hash or an empty line
            continue
        pins = [clause.version for clause in wanted.specifier if clause.operator == "=="]
        if wanted.name.lower() == "scikit-learn" and len(pins) == 1 and "*" not in pins[0]:
            return pins[0]
    raise DeploymentError(f"{requirements} does not pin scikit-learn: write scikit-learn==<version> there.")


_HOW_TO_BUILD = (
    "Build one from model-deploy/serving and name it by its contents: "
    "IMAGE=$(python -m model_deploy image --repository <your ECR repository> --python 3.12); "
    'docker build --build-arg PYTHON_VERSION=3.12 -t "$IMAGE" model-deploy/serving; docker push "$IMAGE".'
)
