"""Keeping a tracking server: its backup in one archive, its restore, and its upgrade to a newer MLflow."""
