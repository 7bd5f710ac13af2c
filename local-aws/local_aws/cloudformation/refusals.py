"""What CloudFormation answers when it refuses a request, and how an operation under way ends early."""

from __future__ import annotations

from local_aws.errors import AwsError


def refused(message: str) -> AwsError:
    """A request or template that breaks a rule; CloudFormation's code for nearly everything is `ValidationError`."""
    return AwsError("ValidationError", message)


class ResourceFailed(Exception):
    """A resource that could not be brought to the state its template asks for; the message is the event's reason."""


class Interrupted(Exception):
    """An operation under way that someone cancelled, or whose time ran out; the message is the status reason."""


class Stopping(Exception):
    """The server goes down: the operation is left as it stands, and closed when the server comes up again."""
