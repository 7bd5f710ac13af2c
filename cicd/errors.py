"""The one error a user of `python -m cicd` can cause.
Its message is a sentence for the person who must act: what was asked, what was found, what to do next."""


class CicdError(Exception):
    """Something the user can remove stands in the way; the CLI prints it without a traceback.

    `evidence` is what was found on the way, one line each (stack events), printed below the message.
    """

    def __init__(self, message: str, evidence: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.evidence = evidence
