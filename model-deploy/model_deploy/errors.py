"""The one error a user of `python -m model_deploy` can cause.
Its message is a sentence for the person who must act: what was asked, what was found, what to do next."""


class DeploymentError(Exception):
    """A deployment that cannot go on for a reason the user can remove; the CLI prints it without a traceback."""
