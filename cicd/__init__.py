"""The CI/CD of a team: the CloudFormation stack of its pipelines, and the commands that deploy and remove it."""
