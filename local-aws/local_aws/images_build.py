"""Building an image without Docker: a Dockerfile's files, variables and entry point, on an interpreter of this machine.
Understood are those instructions that a Python image needs; every other one is refused by name and line.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from local_aws.build_context import BuildContext
from local_aws.dockerfile import BuildRefused, Instruction, instructions
from local_aws.environments import RequirementsRefused, provided
from local_aws.image_draft import STEPS, Draft
from local_aws.images import PREBUILT, ImageFolder, ImageRecord

_REGISTRY = r"(?:docker\.io/library/|public\.ecr\.aws/docker/library/)?"
_PYTHON = re.compile(_REGISTRY + r"python:(?P<version>\d+\.\d+)(?:\.\d+)?(?:-[\w.]+)*")
_PATH = "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"


def build(home: Path, uri: str, context: Path, build_args: Mapping[str, str]) -> ImageRecord:
    """Build the image that the Dockerfile in the folder `context` describes, and let `uri` name it under `home`.

    The base must be `python:X.Y...` of this environment's own Python, or a prebuilt scikit-learn image. `RUN` may only
    be `pip install`: requirements that this environment satisfies install nothing, others get an environment of their
    own. The same context and arguments give the same digest.

    Raises `BuildRefused` naming the instruction that cannot be carried out.
    """
    dockerfile = context / "Dockerfile"
    if not dockerfile.is_file():
        raise BuildRefused(f"{context} has no Dockerfile: name the folder that has one.")
    images = ImageFolder(home)
    images.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=images.folder, prefix=".building-") as folder:
        draft = Draft(root=Path(folder) / "root")
        draft.root.mkdir()
        _carry_out(draft, dockerfile.read_text(encoding="utf-8"), BuildContext(context), dict(build_args))
        python = _python(home, Path(folder) / "requirements.txt", draft.requirements)
        record = _record(draft, python)
        place = images.root(record.digest).parent
        if not place.exists():
            Path(folder).chmod(0o755)
            shutil.copytree(folder, place, dirs_exist_ok=True)
        images.keep(uri, record)
    return record


def _carry_out(draft: Draft, dockerfile: str, context: BuildContext, build_args: dict[str, str]) -> None:
    before_from: dict[str, str] = {}
    declared: set[str] = set()
    for instruction in instructions(dockerfile):
        if instruction.name == "ARG":
            for word in instruction.filled(draft.variables() or before_from).words():
                name, given, default = word.partition("=")
                declared.add(name)
                value = build_args.get(name, default if given else before_from.get(name, ""))
                (before_from if draft.base is None else draft.arguments)[name] = value
        elif instruction.name == "FROM":
            _from(draft, instruction, instruction.filled(before_from))
        elif draft.base is None:
            raise instruction.refuse("comes before FROM; only ARG may.")
        elif instruction.name in STEPS:
            STEPS[instruction.name](draft, instruction, context)
        else:
            raise instruction.refuse(f"not carried out here; understood are FROM, ARG, {', '.join(STEPS)}.")
    if draft.base is None:
        raise BuildRefused("The Dockerfile has no FROM.")
    unknown = sorted(set(build_args) - declared)
    if unknown:
        raise BuildRefused(f"The Dockerfile has no ARG {', '.join(unknown)} for --build-arg to set.")


def _from(draft: Draft, written: Instruction, filled: Instruction) -> None:
    if draft.base is not None:
        raise written.refuse("a second FROM makes a multi-stage build, which is not carried out here.")
    words = [word for word in filled.words() if not word.startswith("--platform")]
    image = words[0] if words else ""
    ours = f"{sys.version_info.major}.{sys.version_info.minor}"
    python = _PYTHON.fullmatch(image)
    if python is None and PREBUILT.fullmatch(image) is None:
        raise written.refuse(
            f"{image or 'no image'} cannot be had here: only python:{ours}-slim and its kin, and SageMaker's prebuilt "
            "scikit-learn images."
        )
    if python and python["version"] != ours:
        argument = re.search(r"\$\{?(\w+)", written.text)
        hint = f" Build with --build-arg {argument[1]}={ours}." if argument else ""
        raise written.refuse(f"asks for Python {python['version']}, and this environment is Python {ours}.{hint}")
    draft.base = image
    draft.environment["PATH"] = _PATH


def _python(home: Path, file: Path, requirements: list[str]) -> Path:
    """The interpreter that has what the image's `pip install` asks for, all of its lines together."""
    file.write_text("\n".join(requirements), encoding="utf-8")
    try:
        return provided(home.resolve(), Path(sys.executable), file)
    except RequirementsRefused as error:
        raise BuildRefused(f"pip install: {error}") from error


def _record(draft: Draft, python: Path) -> ImageRecord:
    record = ImageRecord(
        digest="",
        python=str(python),
        entrypoint=draft.entrypoint,
        cmd=draft.cmd,
        environment=draft.environment,
        workdir=draft.workdir,
        folders=tuple(sorted(draft.folders)),
        labels=draft.labels,
        exposed=tuple(draft.exposed),
        user=draft.user,
        healthcheck=draft.healthcheck,
    )
    digest = hashlib.sha256(json.dumps(dataclasses.asdict(record), sort_keys=True).encode())
    for path in sorted(path for path in draft.root.rglob("*") if path.is_file()):
        content = path.read_bytes()
        mode = "x" if os.access(path, os.X_OK) else "-"
        digest.update(f"{path.relative_to(draft.root).as_posix()}\0{mode}\0{len(content)}\0".encode() + content)
    return dataclasses.replace(record, digest=digest.hexdigest())
