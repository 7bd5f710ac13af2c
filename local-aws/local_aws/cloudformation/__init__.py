"""CloudFormation: a small engine that makes, changes and unmakes the resources of a template.

request ─▶ proposal ─▶ blueprint ─▶ planner ─▶ executor ─▶ provisioner ─▶ resources/*
           (template,  (functions,  (what       (order,     (one           (one file
            parameters) order)       changes)    rollback)   resource)      a service)
"""

import local_aws.cloudformation.change_sets
import local_aws.cloudformation.descriptions
import local_aws.cloudformation.exports
import local_aws.cloudformation.resources
import local_aws.cloudformation.stack_control
import local_aws.cloudformation.stacks
import local_aws.cloudformation.templates  # noqa: F401
