"""The filters of a V2 pipeline's triggers: which pushes start it, by branch, changed files or tag.

https://docs.aws.amazon.com/codepipeline/latest/userguide/pipelines-filter.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from local_aws.codepipeline import glob_pattern


@dataclass(frozen=True)
class Criteria:
    """Patterns of which one must match (where there are any), and patterns of which none may: excludes win.

    https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_GitBranchFilterCriteria.html
    """

    includes: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()

    def admit(self, name: str) -> bool:
        """Whether a branch, tag or path is one that counts; raises `InvalidPattern`."""
        included = not self.includes or any(glob_pattern.matches(pattern, name) for pattern in self.includes)
        return included and not any(glob_pattern.matches(pattern, name) for pattern in self.excludes)

    def __str__(self) -> str:
        excluded = f"except {', '.join(self.excludes)}" if self.excludes else ""
        return " ".join(part for part in (", ".join(self.includes) or "all", excluded) if part)


@dataclass(frozen=True)
class PushFilter:
    """One filter; what it does not mention it does not ask for. All that it asks for must hold."""

    branches: Criteria | None
    files: Criteria | None
    tags: Criteria | None

    def admits_branch(self, branch: str) -> bool:
        """Whether pushes to a branch count: a filter of tags lets no branch in."""
        if self.branches is None:
            return self.tags is None
        return self.branches.admit(branch)

    def admits_files(self, changed: Iterable[str] | None) -> bool:
        """Whether one of the files counts; of a push without a list of changed files (None) none does.

        The first push of a branch has no such list, and so starts no pipeline that filters by file paths
        (https://docs.aws.amazon.com/codepipeline/latest/userguide/pipelines-triggers.html, considerations).
        """
        return self.files is None or any(self.files.admit(file) for file in changed or ())

    def admits_tag(self, tag: str) -> bool:
        """Whether a tag counts: a filter of branches lets no tag in."""
        return self.tags is not None and self.tags.admit(tag)


def read(configuration: Mapping[str, Any]) -> tuple[PushFilter, ...]:
    """The filters of a trigger's gitConfiguration, of which one is enough."""
    return tuple(
        PushFilter(_criteria(push, "branches"), _criteria(push, "filePaths"), _criteria(push, "tags"))
        for push in configuration.get("push", [])
    )


def _criteria(push: Mapping[str, Any], name: str) -> Criteria | None:
    given = push.get(name)
    return Criteria(tuple(given.get("includes", ())), tuple(given.get("excludes", ()))) if given else None
