"""The globs of triggers, which are those of Java."""

from __future__ import annotations

import pytest
from local_aws.codepipeline import glob_pattern
from local_aws.codepipeline.glob_pattern import InvalidPattern


@pytest.mark.parametrize(
    ("pattern", "name", "hits"),
    [
        ("main", "main", True),
        ("main", "mainline", False),
        ("*.py", "a.py", True),
        ("*.py", "dir/a.py", False),
        ("**.py", "dir/a.py", True),
        ("dir/**", "dir/a/b/c", True),
        ("dir/**", "dir", False),
        ("dir/*", "dir/a", True),
        ("dir/*", "dir/a/b", False),
        ("**/README.md", "a/b/README.md", True),
        ("**/README.md", "README.md", False),
        ("a/**/b", "a/x/y/b", True),
        ("*.{yml,yaml}", "buildspec.yaml", True),
        ("*.{yml,yaml}", "buildspec.json", False),
        ("{a,b/**}", "b/c/d", True),
        ("v[0-9].?", "v1.x", True),
        ("v[!0-9]", "v1", False),
        ("v[!a]", "v/", False),
        ("[*?]", "*", True),
        ("[*?]", "a", False),
        ("[-a]", "-", True),
        (r"a\*b", "a*b", True),
        (r"a\*b", "axb", False),
        ("a+b(c)|d^$.", "a+b(c)|d^$.", True),
        ("*", ".hidden", True),
        ("a,b}", "a,b}", True),
    ],
)
def test_a_pattern_matches_as_javas_globs_do(pattern: str, name: str, hits: bool) -> None:
    assert glob_pattern.matches(pattern, name) is hits


@pytest.mark.parametrize("pattern", ["{a", "{a,{b,c}}", "[a", "[]", "[!]", "a\\", "[z-a]", "[a/b]"])
def test_a_pattern_that_is_none_is_refused(pattern: str) -> None:
    with pytest.raises(InvalidPattern):
        glob_pattern.matches(pattern, "a")
