"""The one error a user of `python -m model_deploy` can cause.
Its message is a sentence for the person who must act: what was asked, what was found, what to do next."""


class DeploymentError(Exception):
    """A deployment that cannot go on for a reason the user can remove; the CLI prints it without a traceback.

    `evidence` is what was found on the way, one line each (stack events, the end of a log), printed below the message.
    """

    def __init__(self, message: str, evidence: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.evidence = evidence
