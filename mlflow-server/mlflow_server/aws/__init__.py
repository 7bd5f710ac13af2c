"""The tracking server on AWS: the CloudFormation stacks of server and projects, how they are deployed and removed."""
