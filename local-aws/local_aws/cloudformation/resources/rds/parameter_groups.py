"""AWS::RDS: the settings of a database cluster."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from local_aws.cloudformation.absence import may_be_gone
from local_aws.cloudformation.api_request import api_request
from local_aws.cloudformation.canonical import canonical
from local_aws.cloudformation.resource_type import Wanted, resource_type
from local_aws.cloudformation.resources.rds.database_resource import DatabaseResource, retag

# https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ModifyDBClusterParameterGroup.html
_AT_ONCE = 20


@resource_type
class DbClusterParameterGroup(DatabaseResource):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-rds-dbclusterparametergroup.html"""

    type_name = "AWS::RDS::DBClusterParameterGroup"
    properties = frozenset({"DBClusterParameterGroupName", "Description", "Family", "Parameters", "Tags"})
    required = frozenset({"Description", "Family", "Parameters"})
    replacing = frozenset({"DBClusterParameterGroupName", "Description", "Family"})
    name_property = "DBClusterParameterGroupName"

    def malformed(self, properties: Mapping[str, Any]) -> str | None:
        if not isinstance(properties.get("Parameters"), Mapping):
            return "Value of property Parameters must be an object"
        return None

    def create(self, wanted: Wanted) -> str:
        name = wanted.name("DBClusterParameterGroupName", 255, lower=True).lower()
        self._make(wanted, name)
        return name

    def settle(self, wanted: Wanted, physical_id: str) -> None:
        for parameters in _portions(wanted.properties["Parameters"]):
            wanted.client("rds").modify_db_cluster_parameter_group(
                DBClusterParameterGroupName=physical_id, Parameters=parameters
            )

    def update(self, wanted: Wanted, physical_id: str, before: Mapping[str, Any]) -> None:
        if set(before["Parameters"]) - set(wanted.properties["Parameters"]):
            # moto cannot take a setting back. The group is made anew under its name, by which clusters know it.
            self.delete(wanted, physical_id)
            self._make(wanted, physical_id)
        else:
            retag(wanted, f"cluster-pg:{physical_id}", before)

    def _make(self, wanted: Wanted, name: str) -> None:
        wanted.client("rds").create_db_cluster_parameter_group(
            DBClusterParameterGroupName=name,
            DBParameterGroupFamily=str(wanted.properties["Family"]),
            Description=str(wanted.properties["Description"]),
            **api_request("rds", "CreateDBClusterParameterGroup", wanted.properties, "Tags"),
        )

    def delete(self, wanted: Wanted, physical_id: str) -> None:
        with may_be_gone():
            wanted.client("rds").delete_db_cluster_parameter_group(DBClusterParameterGroupName=physical_id)


def _portions(parameters: Mapping[str, Any]) -> Iterator[list[dict[str, str]]]:
    """Settings as the API takes them: twenty at a time, each in force after the next restart at the latest."""
    rows = [
        {"ParameterName": name, "ParameterValue": str(canonical(value)), "ApplyMethod": "pending-reboot"}
        for name, value in parameters.items()
    ]
    for start in range(0, len(rows), _AT_ONCE):
        yield rows[start : start + _AT_ONCE]
