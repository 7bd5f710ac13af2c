"""The contract of each service is botocore's own model of it: requests that AWS would refuse are refused here.

botocore's `ParamValidator` checks types, required members and minimums; patterns, enumerations and maximums, which AWS
checks on its side, are checked here. The wording follows the messages AWS answers, for instance
"1 validation error detected: Value 'x' at 'trainingJobName' failed to satisfy constraint: ...".
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import botocore.session
import regex
from botocore.model import OperationModel, ServiceModel, Shape
from botocore.validate import ParamValidator

from local_aws.errors import AwsError

# moto makes sessions of its own as well: what one of them has read of botocore's data, no other reads again.
botocore.session.create_loader = functools.cache(botocore.session.create_loader)
_LOADER = botocore.session.get_session()
_ERROR_CODES = {"cloudformation": "ValidationError"}


@functools.cache
def service_model(service: str) -> ServiceModel:
    """botocore's model of a service, by botocore's name of it."""
    return _LOADER.get_service_model(service)


class Contract:
    """The rules of one service."""

    def __init__(self, service: str) -> None:
        self.model = service_model(service)
        self._code = _ERROR_CODES.get(service, "ValidationException")

    @staticmethod
    @functools.cache
    def of(service: str) -> Contract:
        return Contract(service)

    def operation(self, name: str) -> OperationModel:
        """The model of an operation; raises `AwsError` (UnknownOperationException) for a name AWS does not have."""
        if name not in self.model.operation_names:
            raise AwsError("UnknownOperationException", f"{self.model.service_name} has no operation {name!r}")
        return self.model.operation_model(name)

    def check(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """The request itself, when it keeps every rule of the operation; raises `AwsError` naming all it breaks."""
        shape = self.operation(operation).input_shape
        if shape is None:
            return request
        report = ParamValidator().validate(request, shape)
        if report.has_errors():
            raise AwsError(self._code, report.generate_report())
        broken = list(_broken(request, shape, ""))
        if broken:
            noun = "error" if len(broken) == 1 else "errors"
            raise AwsError(self._code, f"{len(broken)} validation {noun} detected: " + "; ".join(broken))
        return request


def _broken(value: Any, shape: Shape, path: str) -> Iterator[str]:
    """One sentence for each rule that a value breaks, walking down structures, lists and maps."""
    if shape.type_name == "structure":
        if not isinstance(value, dict):
            return
        for name, member in shape.members.items():
            if value.get(name) is not None:
                yield from _broken(value[name], member, f"{path}.{_lower_first(name)}" if path else _lower_first(name))
    elif shape.type_name == "list":
        yield from _broken_length(value, shape, path)
        for index, item in enumerate(value, start=1):
            yield from _broken(item, shape.member, f"{path}.{index}.member")
    elif shape.type_name == "map":
        yield from _broken_length(value, shape, path)
        for key, item in value.items():
            yield from _broken(key, shape.key, f"{path} (key)")
            yield from _broken(item, shape.value, f"{path}.{key}.member")
    elif shape.type_name == "string":
        yield from _broken_string(value, shape, path)
    elif shape.type_name in ("integer", "long", "float", "double") and value > shape.metadata.get("max", value):
        yield _says(value, path, f"Member must have value less than or equal to {shape.metadata['max']}")


def _broken_string(value: str, shape: Shape, path: str) -> Iterator[str]:
    if "enum" in shape.metadata and value not in shape.metadata["enum"]:
        yield _says(value, path, f"Member must satisfy enum value set: [{', '.join(shape.metadata['enum'])}]")
    yield from _broken_length(value, shape, path)
    pattern = shape.metadata.get("pattern")
    if pattern is not None:
        compiled = _compiled(pattern)
        if compiled is not None and compiled.fullmatch(value) is None:
            yield _says(value, path, f"Member must satisfy regular expression pattern: {pattern}")


def _broken_length(value: Any, shape: Shape, path: str) -> Iterator[str]:
    if "max" in shape.metadata and len(value) > shape.metadata["max"]:
        yield _says(value, path, f"Member must have length less than or equal to {shape.metadata['max']}")


@functools.cache
def _compiled(pattern: str) -> regex.Pattern[str] | None:
    """AWS writes Java's dialect, which the `regex` library reads but for a few words of it; None where it cannot."""
    for java, python in ((r"\uD800\uDC00-\uDBFF\uDFFF", r"\U00010000-\U0010FFFF"), (r"\p{ASCII}", r"[\x00-\x7F]")):
        pattern = pattern.replace(java, python)
    try:
        return regex.compile(pattern.replace(")${1,", "){1,").replace(r"\z", r"\Z"))
    except regex.error:
        return None


def _says(value: Any, path: str, constraint: str) -> str:
    shown = value if isinstance(value, str | int | float) else type(value).__name__
    return f"Value '{shown}' at '{path}' failed to satisfy constraint: {constraint}"


def _lower_first(name: str) -> str:
    return name[:1].lower() + name[1:]
