"""AWS::ElasticLoadBalancingV2: load balancers as descriptions. Nothing listens at their names."""

import local_aws.cloudformation.resources.elbv2.listener_rules
import local_aws.cloudformation.resources.elbv2.listeners
import local_aws.cloudformation.resources.elbv2.load_balancers
import local_aws.cloudformation.resources.elbv2.target_groups  # noqa: F401
