"""Types that are described only: what they take, and what replaces them, as AWS publishes it."""

from __future__ import annotations

from typing import Any

import pytest
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER
from local_aws.cloudformation import resources  # noqa: F401 - registers the types
from local_aws.cloudformation.described_only import DescribedOnly
from local_aws.cloudformation.resource_type import find_type, known_types

DESCRIBED = [name for name in known_types() if isinstance(find_type(name), DescribedOnly)]


def names(schema: Any, part: str) -> set[str]:
    return {path.removeprefix("/properties/").split("/")[0] for path in schema.get(part, [])}


@pytest.mark.parametrize("name", DESCRIBED)
def test_a_type_takes_the_properties_of_awss_schema(name: str) -> None:
    kind = find_type(name)
    assert kind is not None
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", name).schema
    read_only = {path.removeprefix("/properties/") for path in schema.get("readOnlyProperties", [])}
    assert kind.properties == set(schema["properties"]) - read_only
    assert kind.required == set(schema.get("required", []))
    nested = {path for path in schema.get("createOnlyProperties", []) if path.count("/") > 2}
    conditional = names(schema, "conditionalCreateOnlyProperties")
    replacing = names({"p": set(schema.get("createOnlyProperties", [])) - nested}, "p")
    assert replacing <= kind.replacing <= replacing | conditional
    assert {path.split(".")[0] for path in kind.recorded} <= kind.properties
