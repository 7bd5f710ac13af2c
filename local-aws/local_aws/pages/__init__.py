"""The pages of the local cloud for a person with a browser: rendered here, without a build step or another server.

`/` and `/_local/...`; each module of this package that imports `page` has one kind of page.
"""

import local_aws.pages.builds
import local_aws.pages.codepipeline_approvals
import local_aws.pages.codepipeline_executions
import local_aws.pages.codepipelines
import local_aws.pages.endpoints
import local_aws.pages.jobs
import local_aws.pages.logs
import local_aws.pages.overview
import local_aws.pages.sagemaker_executions
import local_aws.pages.stacks
import local_aws.pages.tuning_jobs  # noqa: F401
