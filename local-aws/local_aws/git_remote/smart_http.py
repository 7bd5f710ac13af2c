"""git's smart HTTP protocol at /git/<repository>, carried out by `git http-backend`.

https://git-scm.com/docs/git-http-backend, https://git-scm.com/docs/http-protocol
"""

from __future__ import annotations

import contextlib
import logging
import re
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import IO, TYPE_CHECKING, Any, cast
from urllib.parse import parse_qs

from local_aws import same_origin, wire
from local_aws.git_remote import announcement, git, hook, push, repository
from local_aws.git_remote.push import Push
from local_aws.routes import route
from local_aws.wire import Answer

if TYPE_CHECKING:
    from local_aws.cloud import Cloud

_LOG = logging.getLogger(__name__)
_PATH = re.compile(r"/git/(?P<name>.+?)(?:\.git)?/(?P<service>info/refs|git-upload-pack|git-receive-pack)")
_CHUNK = 64 * 1024
# Not CONTENT_LENGTH: told a length, git 2.39's backend reads on for ever where the server dies before the body's end.
_FORWARDED = ("CONTENT_TYPE", "QUERY_STRING", "REQUEST_METHOD", "HTTP_CONTENT_ENCODING")


@route("/git/")
def respond(cloud: Cloud, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """One request of a git client: `info/refs`, `git-upload-pack` (fetch) or `git-receive-pack` (push)."""
    refused = same_origin.refusal(environ)
    if refused is not None:
        return _refuse(403, refused, start_response)
    asked = _PATH.fullmatch(environ["PATH_INFO"])
    if asked is None or not repository.is_name(asked["name"]):
        return _refuse(404, f"Repositories are at {cloud.settings.endpoint_url}/git/<owner>/<name>.", start_response)
    if shutil.which("git") is None:
        return _refuse(501, "The git remote needs git on the PATH of local-aws: install it.", start_response)
    name, service = asked["name"], asked["service"]
    wanted = parse_qs(environ.get("QUERY_STRING", "")).get("service", [""])[0] if service == "info/refs" else service
    if not repository.exists(cloud, name):
        missing = _missing(cloud, name, wanted)
        if missing is not None:
            return _refuse(404, missing, start_response)
        repository.create(cloud, name)
    talk = _talk(cloud, name) if service == "git-receive-pack" else None
    return _carried_out(_backend(cloud, name, service, environ, talk), environ["wsgi.input"], start_response)


def _missing(cloud: Cloud, name: str, wanted: str) -> str | None:
    """Why a repository is not there, or None where this push brings it into being."""
    if wanted == "git-receive-pack" and "/" in name:
        return None
    there = ", ".join(repository.names(cloud)) or "none"
    if "/" in name:
        return f"There is no repository {name} yet: it comes into being with the first push to it. There are: {there}."
    return (
        f"There is no CodeCommit repository {name}: create it first (aws codecommit create-repository "
        f"--repository-name {name}), or push to <owner>/{name}, which a connection reads. There are: {there}."
    )


def _talk(cloud: Cloud, name: str) -> hook.Talk:
    before = repository.references(cloud, name)

    def unheard() -> None:
        moved = push.between(name, before, repository.references(cloud, name))
        if moved.updates:
            _LOG.warning("the hook of a push to %s could not be run: its client is told nothing", name)
            for line in _told(cloud, moved):
                _LOG.info("push to %s: %s", name, line)

    return hook.Talk(lambda lines: _told(cloud, push.parse(name, lines)), unheard)


def _told(cloud: Cloud, pushed: Push) -> Sequence[str]:
    """What the client is told about its push, which has happened, whatever becomes of its consequences."""
    try:
        return announcement.of(cloud, pushed)
    except Exception as error:
        _LOG.exception("the push to %s moved its references, but what follows from it failed", pushed.repository)
        return [f"local-aws: the push is in, but starting pipelines failed: {type(error).__name__}: {error}"]


def _backend(
    cloud: Cloud, name: str, service: str, environ: dict[str, Any], talk: hook.Talk | None
) -> subprocess.Popen[bytes]:
    hooks = hook.installed(cloud.settings.home / "git-hooks")
    variables = {key: environ[key] for key in _FORWARDED if environ.get(key)}
    if "HTTP_GIT_PROTOCOL" in environ:
        variables["GIT_PROTOCOL"] = environ["HTTP_GIT_PROTOCOL"]
    variables |= {
        "GIT_PROJECT_ROOT": str(cloud.settings.home / "git"),
        "GIT_HTTP_EXPORT_ALL": "1",
        "PATH_INFO": f"/{name}.git/{service}",
        "REMOTE_ADDR": environ.get("REMOTE_ADDR", "127.0.0.1"),
        "GIT_COMMITTER_NAME": "local-aws",
        "GIT_COMMITTER_EMAIL": "local-aws@localhost",
        **(talk.environment if talk else {}),
    }
    try:
        process = subprocess.Popen(
            ["git", "http-backend"],
            env={**git.environment({"core.hooksPath": str(hooks)}), **variables},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=(talk.updates, talk.answer) if talk else (),
        )
    except BaseException:
        if talk:
            talk.abandon()
        raise
    if talk:
        talk.begin()
    return process


def _carried_out(
    process: subprocess.Popen[bytes], body: IO[bytes], start_response: Callable[..., Any]
) -> Iterable[bytes]:
    """Hand the request to the CGI process and its answer to the client, a chunk at a time, both at once."""
    answer = cast("IO[bytes]", process.stdout)
    threading.Thread(target=_feed, args=(process, body), daemon=True).start()
    threading.Thread(target=_log_errors, args=(process,), daemon=True).start()
    status, headers = "200 OK", []
    for line in iter(answer.readline, b""):
        field, _, value = line.decode("latin-1").rstrip("\r\n").partition(": ")
        if not field:
            break
        if field.lower() == "status":
            status = value
        else:
            headers.append((field, value))
    if not headers:
        process.wait()
        return _refuse(500, f"git http-backend ended with {process.returncode}: see the log.", start_response)
    start_response(status, headers)
    return _answer(process, answer)


def _answer(process: subprocess.Popen[bytes], answer: IO[bytes]) -> Iterator[bytes]:
    try:
        # read1: what git says as it goes reaches the client as it goes.
        while chunk := answer.read1(_CHUNK):  # type: ignore[attr-defined]
            yield chunk
    finally:
        answer.close()
        process.wait()


def _feed(process: subprocess.Popen[bytes], body: IO[bytes]) -> None:
    request = cast("IO[bytes]", process.stdin)
    with contextlib.suppress(BrokenPipeError, ConnectionError), request:
        # git may have refused the request before it read all of it.
        while chunk := body.read(_CHUNK):
            request.write(chunk)


def _log_errors(process: subprocess.Popen[bytes]) -> None:
    with cast("IO[bytes]", process.stderr) as errors:
        for line in errors:
            _LOG.warning("git http-backend: %s", line.decode(errors="replace").rstrip())


def _refuse(status: int, message: str, start_response: Callable[..., Any]) -> Iterable[bytes]:
    """A refusal that git shows to its user: it prints the body of an error when that is plain text."""
    headers = [("Content-Type", "text/plain; charset=utf-8"), ("Cache-Control", "no-cache")]
    return wire.send(Answer(status, headers, f"{message}\n".encode()), start_response)
