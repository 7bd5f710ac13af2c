"""Where artifacts lie, compared as text: whether one location is inside another, and whose prefix it is.

MLflow keeps a workspace's artifacts in `workspaces/<name>` below the server's destination, those of `default` beside:
https://mlflow.org/docs/latest/self-hosting/workspaces
"""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

_WORKSPACES, DEFAULT_WORKSPACE = "workspaces", "default"


def plain(location: str) -> bool:
    """Whether a location means the same to everyone who reads it: nothing climbs, is escaped, or hides a separator."""
    path = urlsplit(location).path
    return (
        location.isprintable()
        and not any(mark in location for mark in "%\\?#;")
        and all(part not in (".", "..") for part in path.split("/"))
    )


def inside(location: str, root: str) -> bool:
    """Whether a location is a root or lies below it; both are URIs, or paths, of one store."""
    above, parts = _parts(urlsplit(root).path), _parts(urlsplit(location).path)
    return _store(location) == _store(root) and ".." not in parts and parts[: len(above)] == above


def open_to(workspace: str, location: str, destination: str) -> bool:
    """Whether requests in a workspace may open a location; of the server's own destination only their own part."""
    if ".." in _parts(urlsplit(location).path):
        return False
    if not inside(location, destination):
        return not inside(destination, location)
    below = _parts(urlsplit(location).path)[len(_parts(urlsplit(destination).path)) :]
    if workspace == DEFAULT_WORKSPACE and below[:1] != (_WORKSPACES,):
        return bool(below)
    return below[:2] == (_WORKSPACES, workspace)


def _store(location: str) -> tuple[str, str]:
    """The scheme and the bucket or host; a path without a scheme is a file's."""
    split = urlsplit(location)
    host = split.netloc.lower()
    return split.scheme.lower() or "file", "" if host == "localhost" else host


def _parts(path: str) -> tuple[str, ...]:
    """The names in a path, unescaped until nothing is left to unescape."""
    while (unescaped := unquote(path).replace("\\", "/")) != path:
        path = unescaped
    return tuple(part for part in path.split("/") if part not in ("", "."))
