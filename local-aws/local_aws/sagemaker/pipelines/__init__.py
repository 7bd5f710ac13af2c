"""SageMaker Pipelines: definitions, and the executions that carry them out."""

from local_aws.sagemaker.pipelines import execution_operations, operations

__all__ = ["execution_operations", "operations"]
