"""Hyperparameter tuning jobs: what they search, how they choose, and the training jobs they launch."""
