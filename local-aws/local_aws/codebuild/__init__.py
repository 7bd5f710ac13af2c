"""CodeBuild: projects, the builds that run `buildspec.yml` as processes of this machine, and their test reports."""
