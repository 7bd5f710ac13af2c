"""The resource types this cloud can make: one module a service, or a package where it has many types."""

import local_aws.cloudformation.resources.application_autoscaling
import local_aws.cloudformation.resources.cloudformation
import local_aws.cloudformation.resources.cloudwatch
import local_aws.cloudformation.resources.codebuild
import local_aws.cloudformation.resources.codecommit
import local_aws.cloudformation.resources.codepipeline
import local_aws.cloudformation.resources.connections
import local_aws.cloudformation.resources.ec2
import local_aws.cloudformation.resources.ecr
import local_aws.cloudformation.resources.ecs
import local_aws.cloudformation.resources.elbv2
import local_aws.cloudformation.resources.events
import local_aws.cloudformation.resources.iam
import local_aws.cloudformation.resources.iam_policies
import local_aws.cloudformation.resources.kms
import local_aws.cloudformation.resources.logs
import local_aws.cloudformation.resources.rds
import local_aws.cloudformation.resources.s3
import local_aws.cloudformation.resources.sagemaker
import local_aws.cloudformation.resources.sagemaker_project
import local_aws.cloudformation.resources.secret_rotation
import local_aws.cloudformation.resources.secretsmanager
import local_aws.cloudformation.resources.sns
import local_aws.cloudformation.resources.ssm  # noqa: F401
