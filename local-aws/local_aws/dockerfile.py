"""Reading a Dockerfile: its instructions with their line numbers, and the variables in them filled in.
The rules are those of https://docs.docker.com/reference/dockerfile/
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from local_aws.errors import AwsError

_DIRECTIVE = re.compile(r"#\s*(?P<name>\w+)\s*=\s*(?P<value>.*)")
_VARIABLE = re.compile(
    r"\\(?P<escaped>\$)|\$(?P<plain>\w+)|\$\{(?P<braced>\w+)(?:(?P<how>:[-+])(?P<word>[^{}]*))?\}|(?P<open>\$\{)"
)


class BuildRefused(AwsError):
    """A Dockerfile, or a build of one, that cannot be carried out here; the message names the line."""

    def __init__(self, message: str) -> None:
        super().__init__("ImageBuildRefused", message)


@dataclass(frozen=True)
class Instruction:
    """One instruction: `line` counts from 1, `name` is in upper case, `text` is what follows it as it was written."""

    line: int
    name: str
    text: str

    def refuse(self, reason: str) -> BuildRefused:
        """The refusal of this instruction, to be raised."""
        shown = f"{self.name} {self.text}" if len(self.text) < 120 else f"{self.name} {self.text[:117]}..."
        return BuildRefused(f"Dockerfile line {self.line}: {shown.strip()}: {reason}")

    def words(self, text: str | None = None) -> tuple[str, ...]:
        """The text, or a part of it, split as a shell would split it; raises `BuildRefused`."""
        try:
            return tuple(shlex.split(self.text if text is None else text))
        except ValueError as error:
            raise self.refuse(f"cannot be split into words ({error}).") from error

    def exec_form(self) -> tuple[str, ...] | None:
        """The words of a JSON array, or None when the text is none."""
        if not self.text.startswith("["):
            return None
        try:
            words = json.loads(self.text)
        except json.JSONDecodeError:
            return None
        return tuple(words) if all(isinstance(word, str) for word in words) else None

    def filled(self, variables: Mapping[str, str]) -> Instruction:
        """The instruction with `$name`, `${name}`, `${name:-word}`, `${name:+word}` replaced; unset ones by nothing."""

        def value(match: re.Match[str]) -> str:
            if match["escaped"]:
                return "$"
            if match["open"]:
                raise self.refuse("holds a ${...} of a form that is not understood here.")
            found = variables.get(match["plain"] or match["braced"], "")
            if match["how"] == ":-":
                return found or match["word"]
            return (match["word"] if found else "") if match["how"] == ":+" else found

        return Instruction(self.line, self.name, _VARIABLE.sub(value, self.text))


def instructions(content: str) -> Iterator[Instruction]:
    """The instructions of a Dockerfile in their order; raises `BuildRefused` for a here-document."""
    lines = content.splitlines()
    escape = _escape(lines)
    logical, start = "", 0
    for number, raw in enumerate(lines, start=1):
        stripped = raw.strip()
        if stripped.startswith("#") or (not stripped and not logical):
            continue
        start = start if logical else number
        if stripped.endswith(escape):
            logical += stripped[: -len(escape)] + " "
            continue
        yield _instruction(start, logical + stripped)
        logical = ""
    if logical.strip():
        yield _instruction(start, logical)


def _instruction(line: int, text: str) -> Instruction:
    name, _, rest = text.strip().partition(" ")
    instruction = Instruction(line, name.upper(), rest.strip())
    if "<<" in rest and instruction.name in ("RUN", "COPY", "ADD"):
        raise instruction.refuse("here-documents are not carried out here.")
    return instruction


def _escape(lines: list[str]) -> str:
    for line in lines:
        directive = _DIRECTIVE.fullmatch(line.strip())
        if directive is None:
            break
        if directive["name"].lower() == "escape":
            return directive["value"].strip()
    return "\\"
