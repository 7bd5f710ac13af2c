"""The runtimes that a buildspec may select: those of the standard images, of which this machine has its Python.

https://docs.aws.amazon.com/codebuild/latest/userguide/available-runtimes.html
"""

from __future__ import annotations

import re
import sys

_PYTHONS = ("3.9", "3.10", "3.11", "3.12", "3.13", "3.14")
_ELSEWHERE = ("dotnet", "golang", "java", "nodejs", "php", "ruby")
_LATEST = re.compile(r"latest|3\.x|3")


def check(name: str, version: str) -> str | None:
    """Why a runtime cannot be had, or None where it can."""
    if name in _ELSEWHERE:
        return f"the runtime {name} is not on this machine as far as local-aws knows; it has python"
    if name != "python":
        return f"Unknown runtime named '{name}'. This build image has the following runtimes: python"
    if version not in _PYTHONS and _LATEST.fullmatch(version) is None:
        known = f"This build image has the following versions: {', '.join(_PYTHONS)}"
        return f"Unknown runtime version named '{version}' of python. {known}"
    return None


def selected(name: str, version: str) -> str:
    """What the log says of a runtime that was selected; it names both versions where they differ."""
    here = ".".join(map(str, sys.version_info[:3]))
    line = f"Selecting '{name}' runtime version '{version}' based on manual selections..."
    if _LATEST.fullmatch(version) or here.startswith(f"{version}."):
        return line
    return f"{line} local-aws has Python {here} in its place: what the build installs and tests is for {here}"
