"""CodePipeline: pipelines of stages, their executions, and the actions that do the work."""
