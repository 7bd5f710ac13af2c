"""The guard against other web sites: what a page in a person's browser may ask of this server, and what only we may.

Any page may send requests to the loopback address. With an AWS API behind it that starts processes, none may be heeded.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

_LOOPBACK = {"127.0.0.1", "localhost", "[::1]", "::1"}


def refusal(environ: dict[str, Any]) -> str | None:
    """Why a request is not heeded, as a sentence, or None where it is.

    The Host must be a name of this machine (else another site's name was pointed here: DNS rebinding), and an Origin,
    which browsers send with what a script asks and with every form, must be this server itself. Programs send no
    Origin: they may. A link from elsewhere may be followed: nothing of the answer is shown to where it came from.
    """
    host = environ.get("HTTP_HOST", "")
    name = urlsplit(f"//{host}").hostname or ""
    # S3's clients put the bucket before the name: bucket.localhost is this machine, too (RFC 6761).
    if name not in _LOOPBACK and not name.endswith(".localhost"):
        return f"This address answers to 127.0.0.1 and localhost, not to {host or 'a request without a Host'}."
    origin = environ.get("HTTP_ORIGIN")
    if origin is not None and origin != f"http://{host}":
        return f"A page of {origin} may not ask anything here."
    if environ.get("REQUEST_METHOD") in ("GET", "HEAD"):
        return None
    if environ.get("HTTP_SEC_FETCH_SITE", "same-origin") not in ("same-origin", "none"):
        return "Another site may not change anything here."
    return None
