"""AWS::RDS: the subnets a database is put into."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from local_aws.cloudformation.absence import may_be_gone
from local_aws.cloudformation.api_request import api_request
from local_aws.cloudformation.resource_type import Wanted, resource_type
from local_aws.cloudformation.resources.rds.database_resource import DatabaseResource, retag


@resource_type
class DbSubnetGroup(DatabaseResource):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-rds-dbsubnetgroup.html"""

    type_name = "AWS::RDS::DBSubnetGroup"
    properties = frozenset({"DBSubnetGroupDescription", "DBSubnetGroupName", "SubnetIds", "Tags"})
    required = frozenset({"DBSubnetGroupDescription", "SubnetIds"})
    replacing = frozenset({"DBSubnetGroupName"})
    name_property = "DBSubnetGroupName"
    attribute_names = frozenset({"DBSubnetGroupArn"})

    def create(self, wanted: Wanted) -> str:
        name = wanted.name("DBSubnetGroupName", 255, lower=True).lower()
        request = api_request("rds", "CreateDBSubnetGroup", wanted.properties)
        wanted.client("rds").create_db_subnet_group(**{**request, "DBSubnetGroupName": name})
        return name

    def update(self, wanted: Wanted, physical_id: str, before: Mapping[str, Any]) -> None:
        request = api_request("rds", "ModifyDBSubnetGroup", wanted.properties)
        wanted.client("rds").modify_db_subnet_group(**{**request, "DBSubnetGroupName": physical_id})
        retag(wanted, f"subgrp:{physical_id}", before)

    def delete(self, wanted: Wanted, physical_id: str) -> None:
        with may_be_gone():
            wanted.client("rds").delete_db_subnet_group(DBSubnetGroupName=physical_id)

    def attributes(self, wanted: Wanted, physical_id: str) -> dict[str, Any]:
        return {"DBSubnetGroupArn": wanted.cloud.arn(f"subgrp:{physical_id}", "rds")}
