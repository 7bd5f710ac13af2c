"""The template of the CI/CD stack: its text, and the parameters it declares.
Read from cicd.yaml itself, so that the parameters file can be checked by the template's own rules."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

TEMPLATE = Path(__file__).with_name("cicd.yaml")
# Filled in by SageMaker Studio, never by a person.
STUDIO = frozenset({"SageMakerProjectName", "SageMakerProjectId"})


@dataclass(frozen=True)
class Parameter:
    """One parameter as the template declares it; `default` is None where a value must be given."""

    name: str
    description: str
    default: str | None
    is_list: bool = False
    is_number: bool = False
    pattern: str = ""
    allowed: tuple[str, ...] = ()
    constraint: str = ""
    bounds: tuple[float | None, float | None] = (None, None)
    lengths: tuple[int | None, int | None] = (None, None)

    @property
    def key(self) -> str:
        """Its name in the parameters file: MlflowTrackingUri is mlflow_tracking_uri."""
        return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in self.name).lstrip("_")


@dataclass(frozen=True)
class Template:
    """The template: its text, and what it wants to be told."""

    body: str
    parameters: Mapping[str, Parameter] = field(default_factory=dict)

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


# The parser that is compiled takes a tenth of the time; not every PyYAML has it.
_SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_SafeLoader):
    """Reads YAML, and CloudFormation's short functions as plain values."""


def _function(loader: yaml.SafeLoader, _: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return loader.construct_scalar(node)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    assert isinstance(node, yaml.MappingNode)  # noqa: S101 (YAML has no fourth kind)
    return loader.construct_mapping(node, deep=True)


_Loader.add_multi_constructor("!", _function)


def _set_flow_style(node: yaml.Node) -> None:
    if isinstance(node, yaml.CollectionNode):
        node.flow_style = True
        for child in node.value:
            for each in child if isinstance(child, tuple) else (child,):
                _set_flow_style(each)


def read_template(path: Path = TEMPLATE) -> Template:
    """Read the template and the declarations of its parameters."""
    body = path.read_text(encoding="utf-8")
    declared = yaml.load(body, Loader=_Loader)["Parameters"]  # noqa: S506 (a SafeLoader)
    return Template(body, {name: _parameter(name, given) for name, given in declared.items()})


def _parameter(name: str, given: Mapping[str, Any]) -> Parameter:
    default = given.get("Default")
    return Parameter(
        name=name,
        description=str(given.get("Description", "")),
        default=None if default is None else str(default),
        is_list=given["Type"] == "CommaDelimitedList",
        is_number=given["Type"] == "Number",
        pattern=str(given.get("AllowedPattern", "")),
        allowed=tuple(str(value) for value in given.get("AllowedValues", ())),
        constraint=str(given.get("ConstraintDescription", "")),
        bounds=(given.get("MinValue"), given.get("MaxValue")),
        lengths=(given.get("MinLength"), given.get("MaxLength")),
    )
