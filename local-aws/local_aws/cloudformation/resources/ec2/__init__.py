"""AWS::EC2: networks as descriptions. Nothing here routes or filters a packet: all of this cloud is on one machine."""

import local_aws.cloudformation.resources.ec2.flow_logs
import local_aws.cloudformation.resources.ec2.gateways
import local_aws.cloudformation.resources.ec2.networks
import local_aws.cloudformation.resources.ec2.routes
import local_aws.cloudformation.resources.ec2.security_group_rules
import local_aws.cloudformation.resources.ec2.security_groups
import local_aws.cloudformation.resources.ec2.vpc_endpoints  # noqa: F401
