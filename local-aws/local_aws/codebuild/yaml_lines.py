"""YAML as the build agent reads it: every scalar is text, whatever it looks like, and every value knows its line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import yaml


class YamlRefused(Exception):
    """A document that cannot be read, or says something that is not understood; the message names the line."""


@dataclass(frozen=True)
class Value:
    """A node of the document and what it is called there, for instance `phases.build.commands`."""

    node: yaml.Node | None
    name: str

    @property
    def line(self) -> int:
        return self.node.start_mark.line + 1 if self.node is not None else 0

    @property
    def given(self) -> bool:
        """Whether there is a value at all: a key that nothing follows has none."""
        return self.node is not None and self.node.tag != "tag:yaml.org,2002:null"

    def refused(self, reason: str) -> YamlRefused:
        return YamlRefused(f"{self.name}: {reason} (line {self.line})" if self.line else f"{self.name}: {reason}")

    def entries(self, known: frozenset[str] | None = None) -> dict[str, Value]:
        """The entries of a mapping; raises `YamlRefused` for a key that is not among the known, or comes twice."""
        if not self.given:
            return {}
        if not isinstance(self.node, yaml.MappingNode):
            raise self.refused("must be a mapping of keys to values")
        found: dict[str, Value] = {}
        for key, value in self.node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise Value(key, self.name).refused("a key must be text")
            named = Value(value, f"{self.name}.{key.value}" if self.name != "buildspec" else key.value)
            at = Value(key, named.name)
            if key.value in found:
                raise at.refused("the key is there twice")
            if known is not None and key.value not in known:
                raise at.refused(f"unknown key; known here are {', '.join(sorted(known))}")
            found[key.value] = named
        return found

    def text(self, default: str | None = None) -> str:
        """The value of a scalar; `default` where there is none."""
        if not self.given:
            if default is None:
                raise self.refused("has no value")
            return default
        if not isinstance(self.node, yaml.ScalarNode):
            raise self.refused("must be text; a list or mapping was found")
        return str(self.node.value)

    def choice(self, default: str, *among: str) -> str:
        """A scalar that is one of a few words, case aside; raises `YamlRefused`."""
        chosen = self.text(default)
        if chosen.lower() not in {word.lower() for word in among}:
            raise self.refused(f"{chosen!r} is none of {', '.join(among)}")
        return chosen

    def flag(self, default: bool = False) -> bool:
        """`yes` or `no`, as the reference writes it, or `true` or `false`."""
        return self.choice("yes" if default else "no", "yes", "no", "true", "false").lower() in ("yes", "true")

    def texts(self) -> tuple[str, ...]:
        """The items of a list of scalars."""
        return tuple(item.text() for item in self._items())

    def _items(self) -> Iterator[Value]:
        if not self.given:
            return
        if not isinstance(self.node, yaml.SequenceNode):
            raise self.refused("must be a list")
        for index, item in enumerate(self.node.value):
            named = Value(item, f"{self.name}[{index}]")
            if isinstance(item, yaml.MappingNode):
                raise named.refused("must be text, but a mapping was found: put quotes around a text that has ': '")
            yield named


def document(text: str) -> Value:
    """The root of a YAML document; raises `YamlRefused` with line and column of a syntax error."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise YamlRefused(f"the YAML cannot be read{place}: {error.problem or error.context}") from error
    except yaml.YAMLError as error:
        raise YamlRefused(f"the YAML cannot be read: {error}") from error
    except RecursionError as error:
        raise YamlRefused("the YAML is nested too deep") from error
    return Value(root, "buildspec")
