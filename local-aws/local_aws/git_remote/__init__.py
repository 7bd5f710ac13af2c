"""The git remote of a local cloud: bare repositories that are pushed to, cloned from, and read by source actions."""
