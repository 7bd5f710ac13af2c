"""SageMaker Pipelines: definitions, and the executions that carry them out."""
