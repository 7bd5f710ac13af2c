"""CodeCommit: repositories by API, on the bare repositories of the git remote."""
