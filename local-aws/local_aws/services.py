"""Every module that carries out operations, imported so that it enters its own into the tables."""

import local_aws.cloudformation
import local_aws.codebuild.builds
import local_aws.codecommit.changes
import local_aws.codecommit.commits
import local_aws.codecommit.repositories
import local_aws.codepipeline.actions.codecommit_source
import local_aws.codepipeline.actions.connection_source
import local_aws.codepipeline.event_target
import local_aws.codepipeline.operations
import local_aws.connections.handshake
import local_aws.connections.operations
import local_aws.events.put_events
import local_aws.events.targets
import local_aws.git_remote.smart_http
import local_aws.iam.container_credentials
import local_aws.iam.simulation
import local_aws.iam.sts
import local_aws.logs
import local_aws.pages
import local_aws.sagemaker.endpoint_configs
import local_aws.sagemaker.endpoints
import local_aws.sagemaker.model_packages
import local_aws.sagemaker.models
import local_aws.sagemaker.pipelines
import local_aws.sagemaker.processing
import local_aws.sagemaker.projects
import local_aws.sagemaker.tags
import local_aws.sagemaker.training
import local_aws.sagemaker.transform
import local_aws.sagemaker.tuning.operations  # noqa: F401
