"""AWS::RDS: databases as descriptions. No database runs here; secrets, snapshots and protections are kept as on AWS."""

import local_aws.cloudformation.resources.rds.clusters
import local_aws.cloudformation.resources.rds.instances
import local_aws.cloudformation.resources.rds.parameter_groups
import local_aws.cloudformation.resources.rds.subnet_groups  # noqa: F401
