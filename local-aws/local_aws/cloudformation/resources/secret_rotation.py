"""AWS::SecretsManager: secrets that know their database, and when secrets are rotated (nothing rotates them here)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from local_aws.cloudformation.absence import may_be_gone
from local_aws.cloudformation.api_request import api_request
from local_aws.cloudformation.resource_type import ResourceType, Wanted, resource_type

_CLUSTER, _INSTANCE = "AWS::RDS::DBCluster", "AWS::RDS::DBInstance"
# What an attachment adds to a secret: https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_secret_json_structure.html
_ATTACHED = ("engine", "host", "port", "dbname", "dbClusterIdentifier", "dbInstanceIdentifier")
_ENGINES = {"aurora-mysql": "mysql", "aurora-postgresql": "postgres"}


@resource_type
class SecretTargetAttachment(ResourceType):
    """A secret with the address of its database; its Ref is the secret's ARN.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-secretsmanager-secrettargetattachment.html
    """

    type_name = "AWS::SecretsManager::SecretTargetAttachment"
    properties = frozenset({"SecretId", "TargetId", "TargetType"})
    required = properties
    replacing = frozenset({"SecretId"})
    attribute_names = frozenset({"Id"})

    def malformed(self, properties: Mapping[str, Any]) -> str | None:
        if properties.get("TargetType") not in (_CLUSTER, _INSTANCE):
            return f"TargetType {properties.get('TargetType')} is not carried out by local-aws"
        return None

    def create(self, wanted: Wanted) -> str:
        return self._write(wanted, _address(wanted))

    def update(self, wanted: Wanted, physical_id: str, before: Mapping[str, Any]) -> None:
        self._write(wanted, _address(wanted))

    def delete(self, wanted: Wanted, physical_id: str) -> None:
        with may_be_gone():
            self._write(wanted, {})

    def _write(self, wanted: Wanted, address: Mapping[str, Any]) -> str:
        secrets, secret_id = wanted.client("secretsmanager"), str(wanted.properties["SecretId"])
        found = secrets.get_secret_value(SecretId=secret_id)
        kept = {key: value for key, value in json.loads(found["SecretString"]).items() if key not in _ATTACHED}
        secrets.put_secret_value(SecretId=secret_id, SecretString=json.dumps({**kept, **address}))
        return str(found["ARN"])

    def attributes(self, wanted: Wanted, physical_id: str) -> dict[str, Any]:
        return {"Id": physical_id}


def _address(wanted: Wanted) -> dict[str, Any]:
    rds, target = wanted.client("rds"), str(wanted.properties["TargetId"])
    if wanted.properties["TargetType"] == _CLUSTER:
        found = rds.describe_db_clusters(DBClusterIdentifier=target)["DBClusters"][0]
        host, port, name = found["Endpoint"], found["Port"], found.get("DatabaseName")
        identified = {"dbClusterIdentifier": target}
    else:
        found = rds.describe_db_instances(DBInstanceIdentifier=target)["DBInstances"][0]
        host, port, name = found["Endpoint"]["Address"], found["Endpoint"]["Port"], found.get("DBName")
        identified = {"dbInstanceIdentifier": target}
    engine = _ENGINES.get(found["Engine"], found["Engine"])
    return {"engine": engine, "host": host, "port": port, **({"dbname": name} if name else {}), **identified}


@resource_type
class RotationSchedule(ResourceType):
    """When a secret is rotated; its Ref is the secret's ARN. The schedule is kept, and nothing is rotated.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-secretsmanager-rotationschedule.html
    """

    type_name = "AWS::SecretsManager::RotationSchedule"
    properties = frozenset(
        {
            "ExternalSecretRotationMetadata",
            "ExternalSecretRotationRoleArn",
            "HostedRotationLambda",
            "RotateImmediatelyOnUpdate",
            "RotationLambdaARN",
            "RotationRules",
            "SecretId",
        }
    )
    required = frozenset({"SecretId"})
    replacing = frozenset({"SecretId"})
    recorded = frozenset({"RotateImmediatelyOnUpdate", "RotationLambdaARN", "RotationRules"})
    attribute_names = frozenset({"Id"})

    def malformed(self, properties: Mapping[str, Any]) -> str | None:
        for name in ("ExternalSecretRotationMetadata", "ExternalSecretRotationRoleArn", "HostedRotationLambda"):
            if properties.get(name):
                return f"Property {name} is not carried out by local-aws"
        return None

    def create(self, wanted: Wanted) -> str:
        return self._schedule(wanted)

    def update(self, wanted: Wanted, physical_id: str, before: Mapping[str, Any]) -> None:
        self._schedule(wanted)

    def _schedule(self, wanted: Wanted) -> str:
        request = api_request("secretsmanager", "RotateSecret", wanted.properties, "RotationRules", "SecretId")
        # moto would run the function, for which it asks Docker, and hand out an empty secret meanwhile.
        return str(wanted.client("secretsmanager").rotate_secret(**request, RotateImmediately=False)["ARN"])

    def delete(self, wanted: Wanted, physical_id: str) -> None:
        # moto takes back only a rotation by a function, and the schedule has none. The secret keeps its days.
        return

    def attributes(self, wanted: Wanted, physical_id: str) -> dict[str, Any]:
        return {"Id": physical_id}
