"""Why a phase of a build did not succeed, as its context says it."""

from __future__ import annotations

YAML_FILE_ERROR = "YAML_FILE_ERROR"
CLIENT_ERROR = "CLIENT_ERROR"
COMMAND_EXECUTION_ERROR = "COMMAND_EXECUTION_ERROR"


class PhaseFailed(Exception):
    """A phase that failed; `code` is the context's status code.

    https://docs.aws.amazon.com/codebuild/latest/APIReference/API_PhaseContext.html
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
