"""An image in the making: what each instruction of a Dockerfile after FROM adds to it.
Instructions that only a container engine can carry out are refused by name and line.
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass, field
from pathlib import Path

from local_aws.build_context import BuildContext, OutsideContext
from local_aws.dockerfile import Instruction

# What an image brings covers what this machine has there, so it must be a place that nothing else here lives in.
_OWN_PLACES = ("/opt/", "/srv/", "/home/", "/usr/src/")
_SAGEMAKERS_OWN = ("/opt/ml/model", "/opt/ml/input", "/opt/ml/output", "/opt/ml/processing", "/opt/ml/config")
_PIP: tuple[tuple[str, ...], ...] = (
    ("pip", "install"),
    ("pip3", "install"),
    ("python", "-m", "pip", "install"),
    ("python3", "-m", "pip", "install"),
)
_PIP += (("uv", "pip", "install"),)
_PIP_FLAGS_WITHOUT_EFFECT = {
    "--no-cache-dir", "--no-cache", "--quiet", "-q", "--system", "--upgrade", "-U", "--disable-pip-version-check",
    "--no-compile", "--compile", "--compile-bytecode", "--root-user-action=ignore", "--require-hashes",
}  # fmt: skip


@dataclass
class Draft:
    """An image while its instructions are carried out."""

    root: Path
    base: str | None = None
    arguments: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    workdir: str = "/"
    folders: list[str] = field(default_factory=list)
    requirements: list[str] = field(default_factory=list)
    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    labels: dict[str, str] = field(default_factory=dict)
    exposed: list[str] = field(default_factory=list)
    user: str | None = None
    healthcheck: str | None = None

    def variables(self) -> dict[str, str]:
        return {**self.arguments, **self.environment}

    def inside(self, path: str) -> str:
        """The absolute path in the container of a path as an instruction names it."""
        return posixpath.normpath(posixpath.join(self.workdir, path))


def _env(draft: Draft, instruction: Instruction, _: BuildContext) -> None:
    filled = instruction.filled(draft.variables())
    words = filled.words()
    if words and "=" not in words[0]:
        name, _space, value = filled.text.partition(" ")
        draft.environment[name] = value.strip()
        return
    draft.environment.update(_pairs(instruction, words))


def _label(draft: Draft, instruction: Instruction, _: BuildContext) -> None:
    draft.labels.update(_pairs(instruction, instruction.filled(draft.variables()).words()))


def _workdir(draft: Draft, instruction: Instruction, _: BuildContext) -> None:
    draft.workdir = draft.inside(instruction.filled(draft.variables()).text)
    if draft.workdir == "/":
        return
    _bring(draft, instruction, draft.workdir)
    (draft.root / draft.workdir.lstrip("/")).mkdir(parents=True, exist_ok=True)


def _copy(draft: Draft, instruction: Instruction, context: BuildContext) -> None:
    filled = instruction.filled(draft.variables())
    words = list(filled.exec_form() or filled.words())
    while words and words[0].startswith("--"):
        if not words[0].startswith(("--chown=", "--chmod=", "--link")):
            raise instruction.refuse(f"the option {words[0].split('=')[0]} is not carried out here.")
        words.pop(0)
    if len(words) < 2:
        raise instruction.refuse("names no source and destination.")
    *sources, destination = words
    if instruction.name == "ADD" and any(
        "://" in source or source.endswith((".tar", ".gz", ".xz")) for source in sources
    ):
        raise instruction.refuse("only plain files can be added here: no addresses, no archives.")
    target = draft.inside(destination)
    many = destination.endswith("/") or len(sources) > 1 or destination == "."
    target_is_folder = many or any((context.folder / source).is_dir() for source in sources)
    _bring(draft, instruction, target if target_is_folder else posixpath.dirname(target))
    for source in sources:
        try:
            context.copy(source, f"{target}/" if many else target, draft.root)
        except OutsideContext as error:
            raise instruction.refuse(f"{error}.") from error


def _run(draft: Draft, instruction: Instruction, _: BuildContext) -> None:
    text = re.sub(r"^(--mount=\S+\s+)+", "", instruction.filled(draft.variables()).text)
    for command in re.split(r"\s*&&\s*", text):
        words = list(Instruction(instruction.line, "RUN", command).exec_form() or instruction.words(command))
        start = next((len(prefix) for prefix in _PIP if tuple(words[: len(prefix)]) == prefix), 0)
        if not start:
            raise instruction.refuse("no command but `pip install` is carried out here.")
        _pip_install(draft, instruction, words[start:])


def _pip_install(draft: Draft, instruction: Instruction, words: list[str]) -> None:
    while words:
        word = words.pop(0)
        if word in ("-r", "--requirement") and words:
            path = draft.root / draft.inside(words.pop(0)).lstrip("/")
            if not path.is_file():
                raise instruction.refuse(f"{path.name} was not copied into the image before.")
            draft.requirements += path.read_text(encoding="utf-8").splitlines()
        elif not word.startswith("-"):
            draft.requirements.append(word)
        elif word not in _PIP_FLAGS_WITHOUT_EFFECT:
            raise instruction.refuse(f"the option {word} of pip is not carried out here.")


def _entrypoint(draft: Draft, instruction: Instruction, _: BuildContext) -> None:
    draft.entrypoint, draft.cmd = _exec(instruction), ()


def _cmd(draft: Draft, instruction: Instruction, _: BuildContext) -> None:
    draft.cmd = _exec(instruction)


def _expose(draft: Draft, instruction: Instruction, _: BuildContext) -> None:
    draft.exposed += instruction.filled(draft.variables()).words()


def _user(draft: Draft, instruction: Instruction, _: BuildContext) -> None:
    draft.user = instruction.filled(draft.variables()).text


def _healthcheck(draft: Draft, instruction: Instruction, _: BuildContext) -> None:
    draft.healthcheck = instruction.text


# The instructions after FROM, by name.
STEPS = {
    "ENV": _env,
    "LABEL": _label,
    "WORKDIR": _workdir,
    "COPY": _copy,
    "ADD": _copy,
    "RUN": _run,
    "ENTRYPOINT": _entrypoint,
    "CMD": _cmd,
    "EXPOSE": _expose,
    "USER": _user,
    "HEALTHCHECK": _healthcheck,
}


def _exec(instruction: Instruction) -> tuple[str, ...]:
    words = instruction.exec_form()
    if words is None:
        raise instruction.refuse('use the exec form, ["program", "argument"]: only so does SIGTERM reach the program.')
    return words


def _pairs(instruction: Instruction, words: tuple[str, ...]) -> dict[str, str]:
    pairs = dict(word.split("=", 1) for word in words if "=" in word)
    if len(pairs) < len(words):
        raise instruction.refuse("write name=value.")
    return pairs


def _bring(draft: Draft, instruction: Instruction, folder: str) -> None:
    """Note a folder that containers of this image must see."""
    if not f"{folder}/".startswith(_OWN_PLACES) or f"{folder}/" in (*_OWN_PLACES, "/opt/ml/"):
        raise instruction.refuse(f"{folder} may cover a folder of this machine: use one in {', '.join(_OWN_PLACES)}.")
    if f"{folder}/".startswith(tuple(f"{place}/" for place in _SAGEMAKERS_OWN)):
        raise instruction.refuse(f"{folder} is SageMaker's own: it would be covered when the container runs.")
    if not any(f"{folder}/".startswith(f"{known}/") for known in draft.folders):
        draft.folders = [known for known in draft.folders if not f"{known}/".startswith(f"{folder}/")] + [folder]
