"""CodeConnections: connections to the hosts of git repositories, for which the git remote stands here."""
