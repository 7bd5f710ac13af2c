"""What a person can cause and mend: shown as one sentence, without a traceback."""

from __future__ import annotations


class ServerError(Exception):
    """The tracking server cannot do what was asked; the message says what was found and what to do next."""
