"""Data capture: a share of an endpoint's calls, written to S3 in the layout and the JSON lines of SageMaker.

    s3://<destination>/<endpoint>/<variant>/yyyy/mm/dd/hh/mm-ss-mmm-<uuid>.jsonl    in UTC, by its first record

https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-data-capture-endpoint.html
"""

from __future__ import annotations

import base64
import json
import logging
import queue
import random
import threading
import time
import uuid
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote
from weakref import WeakKeyDictionary

from botocore.exceptions import BotoCoreError, ClientError

from local_aws.cloud import Cloud
from local_aws.lifecycle import on_start
from local_aws.principal import acting_as
from local_aws.sagemaker import execution_role, s3_io
from local_aws.store import now

_LOG = logging.getLogger(__name__)
_BATCH_SECONDS = 1.0
_BATCH_BYTES = 4 * 1024 * 1024
_WAITING_RECORDS = 10_000
_FLUSH_SECONDS = 10.0
_NO_ROLE = "-"


@dataclass(frozen=True)
class CaptureConfig:
    """What is captured: `percentage` of the calls (0 to 100), their input, their output, or both, to `destination`.

    Bodies of the content types in `csv` and `json` are kept as text, all others in base64.
    https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_DataCaptureConfig.html
    """

    destination: s3_io.Location
    percentage: float
    input: bool
    output: bool
    csv: frozenset[str] = frozenset()
    json: frozenset[str] = frozenset()

    @classmethod
    def of(cls, config: dict[str, Any] | None) -> CaptureConfig | None:
        """What a DataCaptureConfig means; None where nothing is captured."""
        if not config or not config.get("EnableCapture", True):
            return None
        modes = {option["CaptureMode"] for option in config["CaptureOptions"]}
        types = config.get("CaptureContentTypeHeader", {})
        return cls(
            destination=s3_io.Location.parse(config["DestinationS3Uri"]),
            percentage=config["InitialSamplingPercentage"],
            input=bool(modes & {"Input", "InputAndOutput"}),
            output=bool(modes & {"Output", "InputAndOutput"}),
            csv=frozenset(map(_media_type, types.get("CsvContentTypes", []))),
            json=frozenset(map(_media_type, types.get("JsonContentTypes", []))),
        )

    def samples(self) -> bool:
        """Whether the next call is captured; by chance."""
        return random.uniform(0, 100) < self.percentage  # noqa: S311 - sampling, not secrets


@dataclass(frozen=True)
class Exchange:
    """One answered call of an endpoint: bodies and content types as they passed by; `role` writes them down."""

    endpoint: str
    variant: str
    request_type: str
    request: bytes
    response_type: str
    response: bytes
    inference_id: str | None = None
    custom_attributes: str | None = None
    role: str | None = None
    at: datetime = field(default_factory=now)

    def line(self, config: CaptureConfig) -> str:
        """The JSON line that SageMaker writes for the call."""
        data: dict[str, Any] = {}
        if config.input:
            data["endpointInput"] = _captured(self.request_type, "INPUT", self.request, config)
        if config.output:
            data["endpointOutput"] = _captured(self.response_type, "OUTPUT", self.response, config)
        metadata = {"eventId": str(uuid.uuid4()), "inferenceTime": self.at.strftime("%Y-%m-%dT%H:%M:%SZ")}
        if self.custom_attributes:
            metadata["customAttributes"] = self.custom_attributes
        if self.inference_id:
            metadata["inferenceId"] = self.inference_id
        return json.dumps({"captureData": data, "eventMetadata": metadata, "eventVersion": "0"}) + "\n"


class DataCapture:
    """Writes captured calls to S3 in batches, away from the calls themselves.

    A batch is first a file under home/capture/<role, quoted>/<bucket>/<key>: what was captured outlives the cloud.
    """

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._folder = cloud.settings.home / "capture"
        self._waiting: queue.Queue[tuple[CaptureConfig, Exchange] | threading.Event] = queue.Queue(_WAITING_RECORDS)
        self._batches: dict[tuple[s3_io.Location, str, str, str | None], tuple[Path, float]] = {}
        threading.Thread(target=self._write, name="data capture", daemon=True).start()

    def record(self, config: CaptureConfig, exchange: Exchange) -> None:
        """Have one call written soon; where calls come faster than they can be written, it is left out and said so."""
        try:
            self._waiting.put_nowait((config, exchange))
        except queue.Full:
            _LOG.warning("data capture of endpoint %s left out a call: too many wait to be written", exchange.endpoint)

    def flush(self) -> None:
        """Return once everything that was recorded before is in S3, or after some seconds."""
        done = threading.Event()
        self._waiting.put(done)
        done.wait(_FLUSH_SECONDS)

    def upload_left_over(self) -> None:
        """Bring to S3 the batches that an earlier cloud on this home could not."""
        for path in sorted(self._folder.rglob("*.jsonl")):
            self._upload(path)

    def _write(self) -> None:
        while True:
            try:
                item = self._waiting.get(timeout=_BATCH_SECONDS / 4)
            except queue.Empty:
                self._upload_batches(older_than=_BATCH_SECONDS)
                continue
            if isinstance(item, threading.Event):
                self._upload_batches(older_than=0.0)
                item.set()
            else:
                self._append(*item)
                self._upload_batches(older_than=_BATCH_SECONDS)

    def _append(self, config: CaptureConfig, exchange: Exchange) -> None:
        batch = (config.destination, exchange.endpoint, exchange.variant, exchange.role)
        if batch not in self._batches:
            role = quote(exchange.role or _NO_ROLE, safe="")
            path = self._folder / role / config.destination.bucket / _key(config.destination.key, exchange)
            path.parent.mkdir(parents=True, exist_ok=True)
            self._batches[batch] = (path, time.monotonic())
        with self._batches[batch][0].open("a", encoding="utf-8") as file:
            file.write(exchange.line(config))

    def _upload_batches(self, older_than: float) -> None:
        for batch, (path, begun) in list(self._batches.items()):
            if time.monotonic() - begun >= older_than or path.stat().st_size > _BATCH_BYTES:
                del self._batches[batch]
                self._upload(path)

    def _upload(self, path: Path) -> None:
        role, bucket, key = path.relative_to(self._folder).as_posix().split("/", 2)
        try:
            with acting_as(execution_role.session(unquote(role) if role != _NO_ROLE else None)):
                self._cloud.client("s3").upload_file(str(path), bucket, key)
        except (BotoCoreError, ClientError, OSError) as error:
            if not self._cloud.stopping.is_set():
                _LOG.warning("captured data could not be written to s3://%s/%s: %s", bucket, key, error)
            return
        path.unlink()


_CAPTURES: WeakKeyDictionary[Cloud, DataCapture] = WeakKeyDictionary()
_CAPTURES_LOCK = threading.Lock()


def data_capture(cloud: Cloud) -> DataCapture:
    """The one that writes captured calls of this cloud."""
    with _CAPTURES_LOCK:
        return _CAPTURES.get(cloud) or _CAPTURES.setdefault(cloud, DataCapture(cloud))


@on_start
def upload_left_over(cloud: Cloud) -> None:
    """Bring to S3 what was captured before the cloud went down."""
    if (cloud.settings.home / "capture").exists():
        data_capture(cloud).upload_left_over()


def _key(prefix: str, exchange: Exchange) -> str:
    at = exchange.at
    name = f"{at:%M-%S}-{at.microsecond // 1000:03d}-{uuid.uuid4()}.jsonl"
    where = f"{exchange.endpoint}/{exchange.variant}/{at:%Y/%m/%d/%H}/{name}"
    return f"{prefix.strip('/')}/{where}" if prefix.strip("/") else where


def _captured(content_type: str, mode: str, body: bytes, config: CaptureConfig) -> dict[str, str]:
    encoding = "BASE64"
    if _media_type(content_type) in config.csv:
        encoding = "CSV"
    elif _media_type(content_type) in config.json:
        encoding = "JSON"
    try:
        data = body.decode() if encoding != "BASE64" else base64.b64encode(body).decode()
    except UnicodeDecodeError:
        encoding, data = "BASE64", base64.b64encode(body).decode()
    return {"observedContentType": content_type, "mode": mode, "data": data, "encoding": encoding}


def _media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()
