"""The tracking server on AWS: the CloudFormation stacks of server and projects, and how they are deployed and removed."""
