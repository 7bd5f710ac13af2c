"""A managed MLflow to stand before: it lets signed requests for its ARN through to a real server, and no others."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import mlflow
import pytest
import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

REGION, KEY, SECRET = "us-east-1", "test", "test"
ACCOUNT = f"arn:aws:sagemaker:{REGION}:123456789012"
# The header that names the resource, and the name that requests are signed for, by kind of resource.
# https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsagemakerwithmlflow.html
DOORS = {
    "mlflow-tracking-server": ("x-mlflow-sm-tracking-server-arn", "sagemaker-mlflow"),
    "mlflow-app": ("x-sm-mlflow-app-arn", "sagemaker"),
}
_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/]+)/\d{8}/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request, "
    r"SignedHeaders=(?P<headers>\S+), Signature=(?P<signature>[0-9a-f]{64})"
)


@dataclass(frozen=True)
class Managed:
    """A managed MLflow: its ARN, and the variables that lead the plugin to it instead of to AWS."""

    arn: str
    environment: dict[str, str]
    let_in: list[str]


def _refusal(handler: BaseHTTPRequestHandler, arn: str, body: bytes) -> str | None:
    """Why a request is not let in, None where its signature is right; AWS's own rules, worked out anew."""
    header, service = DOORS[arn.split(":")[5].partition("/")[0]]
    told = _AUTHORIZATION.fullmatch(handler.headers.get("Authorization", ""))
    if told is None:
        return "the request is not signed"
    if (told["key"], told["region"], told["service"]) != (KEY, REGION, service):
        return f"signed by {told['key']} for {told['service']} in {told['region']}"
    signed = {name: handler.headers[name] for name in told["headers"].split(";")}
    if signed.get(header) != arn:
        return f"{header} is {signed.get(header)}"
    if signed.get("x-amz-content-sha256") != hashlib.sha256(body).hexdigest():
        return "the body is another than the one that was signed"
    request = AWSRequest(handler.command, f"http://{handler.headers['Host']}{handler.path}", signed, body)
    request.context["timestamp"] = signed["x-amz-date"]
    signer = SigV4Auth(Credentials(KEY, SECRET), service, REGION)
    right = signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)
    return None if right == told["signature"] else "the signature does not match"


@pytest.fixture
def managed(mlflow_uri: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Managed]]:
    """Put a managed MLflow of a kind before the shared server, for this process and those that get its environment."""
    servers: list[ThreadingHTTPServer] = []

    def start(kind: str) -> Managed:
        arn, let_in = f"{ACCOUNT}:{kind}/rehearsal", []

        class Door(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                if reason := _refusal(self, arn, body):
                    said = json.dumps({"error_code": "PERMISSION_DENIED", "message": reason}).encode()
                    return self.give(403, said)
                let_in.append(f"{self.command} {self.path.partition('?')[0]}")
                content = {"Content-Type": self.headers.get("Content-Type", "application/json")}
                passed = urllib3.request(
                    self.command, mlflow_uri + self.path, body=body, headers=content, retries=False
                )
                return self.give(passed.status, passed.data)

            def give(self, status: int, said: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

            do_GET = do_POST = do_PATCH = do_DELETE = do_PUT = answer

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        servers.append(ThreadingHTTPServer(("127.0.0.1", 0), Door))
        threading.Thread(target=servers[-1].serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        environment = {
            "SAGEMAKER_MLFLOW_CUSTOM_ENDPOINT": f"http://127.0.0.1:{servers[-1].server_port}",
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_DEFAULT_REGION": REGION,
        }
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        return Managed(arn, environment, let_in)

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def own_experiment(cloud: Any, mlflow_uri: str) -> Callable[[str], str]:
    """Make an experiment whose artifacts are in a bucket of the cloud, as those of a managed server are; the bucket."""

    def make(name: str) -> str:
        bucket = str(cloud.new_bucket())
        mlflow.MlflowClient(mlflow_uri).create_experiment(name, artifact_location=f"s3://{bucket}/mlflow")
        return bucket

    return make
