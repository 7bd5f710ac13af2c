"""Every module that carries out operations, imported so that it enters its own into the tables."""

import local_aws.iam  # noqa: F401
