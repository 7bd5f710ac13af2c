"""The guard of what a person starts from a page: a form of another web site may not press its buttons here."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

_LOOPBACK = {"127.0.0.1", "localhost", "[::1]", "::1"}


def refusal(environ: dict[str, Any]) -> str | None:
    """Why a request may not change anything, as a sentence, or None where it may.

    The Host must be a name of this machine (else another site's name was pointed here: DNS rebinding), and an Origin,
    which browsers send with every form, must be this server itself. Programs send no Origin: they may.
    """
    host = environ.get("HTTP_HOST", "")
    if urlsplit(f"//{host}").hostname not in _LOOPBACK:
        return f"This address answers to 127.0.0.1 and localhost, not to {host or 'a request without a Host'}."
    origin = environ.get("HTTP_ORIGIN")
    if origin is not None and origin != f"http://{host}":
        return f"A page of {origin} may not change anything here."
    if environ.get("HTTP_SEC_FETCH_SITE", "same-origin") not in ("same-origin", "none"):
        return "Another site may not change anything here."
    return None
