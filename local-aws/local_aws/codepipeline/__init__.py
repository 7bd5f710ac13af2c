"""CodePipeline: pipelines as they are declared, and the executions that take a commit through their stages."""
