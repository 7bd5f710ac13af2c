"""A template of this room: its text, the parameters it declares, the rules that bind them, its mappings.
Read from the YAML itself, so that the command line offers and refuses what CloudFormation would."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

SERVER = Path(__file__).with_name("mlflow.yaml")
PROJECT = Path(__file__).with_name("project.yaml")


@dataclass(frozen=True)
class Parameter:
    """One parameter as the template declares it; `default` is None where a value must be given."""

    name: str
    description: str
    default: str | None
    pattern: str = ""
    allowed: tuple[str, ...] = ()
    constraint: str = ""
    bounds: tuple[int | None, int | None] = (None, None)
    lengths: tuple[int | None, int | None] = (None, None)

    @property
    def key(self) -> str:
        """Its name in a parameters file: ClientCidr is client_cidr."""
        return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in self.name).lstrip("_")

    @property
    def option(self) -> str:
        """Its name on the command line: ClientCidr is --client-cidr."""
        return f"--{self.key.replace('_', '-')}"


@dataclass(frozen=True)
class Template:
    """A template; its sections are as they are written, functions by their long names."""

    body: str
    parameters: Mapping[str, Parameter]
    rules: Mapping[str, Any]
    mappings: Mapping[str, Any]
    resources: Mapping[str, Any]

    @property
    def buildspec(self) -> str:
        """What builds the server's image."""
        return str(self.resources["ImageBuild"]["Properties"]["Source"]["BuildSpec"])

    @property
    def request_body(self) -> str:
        """The same without comments and indentation: a request to CloudFormation takes 51,200 bytes of it.

        https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
        """
        tree = yaml.compose(self.body, Loader=_Loader)
        assert isinstance(tree, yaml.MappingNode)  # noqa: S101 (read_template has read it)
        # What begins with a brace would be taken for JSON: sections and what is in them keep lines of their own.
        for _, section in tree.value:
            for entry in section.value if isinstance(section, yaml.MappingNode) else ():
                _set_flow_style(entry[1])
        return str(yaml.serialize(tree, Dumper=yaml.SafeDumper, width=float("inf")))


# Read whenever an option is asked for, and twice as fast by libyaml, where that is there.
_SafeLoader: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_SafeLoader):  # type: ignore[misc, valid-type]
    """Reads YAML, and CloudFormation's short functions as their long forms."""


def _function(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    name = suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}"
    if isinstance(node, yaml.ScalarNode):
        return {name: loader.construct_scalar(node)}
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    assert isinstance(node, yaml.MappingNode)  # noqa: S101 (YAML has no fourth kind)
    return {name: loader.construct_mapping(node, deep=True)}


_Loader.add_multi_constructor("!", _function)


def _set_flow_style(node: yaml.Node) -> None:
    if isinstance(node, yaml.CollectionNode):
        node.flow_style = True
        for child in node.value:
            for each in child if isinstance(child, tuple) else (child,):
                _set_flow_style(each)


@functools.cache
def read_template(path: Path = SERVER) -> Template:
    """Read a template and what it declares, once in a process."""
    body = path.read_text(encoding="utf-8")
    content = yaml.load(body, Loader=_Loader)  # noqa: S506 (a SafeLoader)
    return Template(
        body,
        {name: _parameter(name, given) for name, given in content["Parameters"].items()},
        content.get("Rules", {}),
        content.get("Mappings", {}),
        content["Resources"],
    )


def _parameter(name: str, given: Mapping[str, Any]) -> Parameter:
    default = given.get("Default")
    return Parameter(
        name=name,
        description=str(given.get("Description", "")),
        default=None if default is None else str(default),
        pattern=str(given.get("AllowedPattern", "")),
        allowed=tuple(str(value) for value in given.get("AllowedValues", ())),
        constraint=str(given.get("ConstraintDescription", "")),
        bounds=(given.get("MinValue"), given.get("MaxValue")),
        lengths=(given.get("MinLength"), given.get("MaxLength")),
    )
