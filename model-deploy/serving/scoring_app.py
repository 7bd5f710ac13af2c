"""The two paths SageMaker asks of a container, `/ping` and `/invocations`, as one bare ASGI application.

The contract: https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import Executor
from typing import Any

import orjson
from predictor import Predictor
from refusals import RequestRefused

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApplication = Callable[[Message, Receive, Send], Awaitable[None]]

# 25 MB is the most a real-time endpoint takes: https://docs.aws.amazon.com/sagemaker/latest/dg/hosting-faqs.html
MAX_BODY_BYTES = 25 * 1024 * 1024
# What is read and thrown away beyond that, so that a client that is still sending hears why it is refused.
MAX_DISCARDED_BYTES = 4 * MAX_BODY_BYTES
# A request up to this size is answered between two others; a larger one in a thread, so that `/ping` is never kept
# waiting: SageMaker gives it two seconds.
MAX_INLINE_BYTES = 64 * 1024

logger = logging.getLogger("serving")


class ClientGone(Exception):
    """The client closed the connection before it had sent its request."""


class ScoringApp:
    """Answers `/ping` and `/invocations` for one opened model."""

    def __init__(self, predictor: Predictor, executor: Executor, inline: bool, served: str = "") -> None:
        """`inline` is False for a model so slow that each of its predictions belongs in a thread of `executor`.

        `served` names the model and its version; a client finds it in the answer's CustomAttributes, so that during an
        update it can tell whose prediction it got:
        https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpoint.html
        """
        self._predictor = predictor
        self._executor = executor
        self._max_inline_bytes = MAX_INLINE_BYTES if inline else 0
        self._headers = [(b"x-amzn-sagemaker-custom-attributes", served.encode())] if served else []

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one HTTP request (ASGI 3)."""
        if scope["path"] == "/invocations":
            await self._invocations(scope, receive, send)
        elif scope["path"] == "/ping":
            await self._ping(scope, send)
        else:
            await _refuse(send, RequestRefused(404, "This endpoint has /ping and /invocations."))

    async def _ping(self, scope: Message, send: Send) -> None:
        if scope["method"] in ("GET", "HEAD"):
            await _answer(send, 200, "application/json", b"{}")
        else:
            await _refuse(send, RequestRefused(405, "Ask /ping by GET."), [(b"allow", b"GET, HEAD")])

    async def _invocations(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["method"] != "POST":
            await _refuse(send, RequestRefused(405, "Ask /invocations by POST."), [(b"allow", b"POST")])
            return
        content_type = accept = None
        for name, value in scope["headers"]:
            if name == b"content-type":
                content_type = value
            elif name == b"accept":
                accept = value if accept is None else accept + b"," + value
        try:
            body = await _read_body(receive)
            if len(body) <= self._max_inline_bytes:
                media_type, answer = self._predictor.answer(body, content_type, accept)
            else:
                loop = asyncio.get_running_loop()
                media_type, answer = await loop.run_in_executor(
                    self._executor, self._predictor.answer, body, content_type, accept
                )
        except RequestRefused as refusal:
            # After a body that was cut off, what follows on this connection is no request.
            await _refuse(send, refusal, [(b"connection", b"close")] if refusal.status == 413 else [])
        except ClientGone:
            return
        except Exception:
            logger.exception("A request failed that passed the signature")
            message = {"message": "The model failed on this request; the endpoint's log says why."}
            await _answer(send, 500, "application/json", orjson.dumps(message))
        else:
            await _answer(send, 200, media_type, answer, self._headers)


async def _read_body(receive: Receive) -> bytes:
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body"):
        body = message["body"]
        if len(body) > MAX_BODY_BYTES:
            raise _too_large()
        return body
    chunks: list[bytes] = []
    size = 0
    while message["type"] == "http.request":
        size += len(message["body"])
        if size <= MAX_BODY_BYTES:
            chunks.append(message["body"])
        else:
            chunks.clear()
        if size > MAX_DISCARDED_BYTES or not message.get("more_body"):
            if size > MAX_BODY_BYTES:
                raise _too_large()
            return b"".join(chunks)
        message = await receive()
    raise ClientGone


def _too_large() -> RequestRefused:
    return RequestRefused(
        413,
        f"The body is larger than the {MAX_BODY_BYTES // 1024**2} MB that a real-time endpoint takes: "
        "send fewer rows at a time, or use a batch transform.",
    )


async def _refuse(send: Send, refusal: RequestRefused, headers: list[tuple[bytes, bytes]] | None = None) -> None:
    body = orjson.dumps({"message": refusal.message})
    await _answer(send, refusal.status, "application/json", body, headers)


async def _answer(
    send: Send, status: int, media_type: str, body: bytes, headers: list[tuple[bytes, bytes]] | None = None
) -> None:
    fields = [(b"content-type", media_type.encode()), (b"content-length", b"%d" % len(body)), *(headers or ())]
    await send({"type": "http.response.start", "status": status, "headers": fields})
    await send({"type": "http.response.body", "body": body})
