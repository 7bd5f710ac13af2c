"""The two ways this program says no: to start with what it finds, and to a request it cannot score.

Both are written for the person who has to act on them: in the endpoint's log, or in the answer's body."""


class StartRefused(Exception):
    """The model, or a setting, cannot be served as it is; the program ends before it answers `/ping`."""


class RequestRefused(Exception):
    """A request that is answered with a 4xx and the reason.

    `status` is the HTTP status, `message` the sentence the client reads.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def shown(value: object) -> str:
    """`value` as it can stand in a message: its repr, cut after 80 characters."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
