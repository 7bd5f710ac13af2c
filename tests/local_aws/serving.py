"""Models behind endpoints of one cloud, served by a container in the standard library."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tarfile
import time
import uuid
from pathlib import Path
from typing import Any

import pytest

ROLE = "arn:aws:iam::123456789012:role/rehearsal"


# A server in the standard library: it says what it was sent, and misbehaves when the body or a variable asks for it.
SERVER = """
import json, os, sys, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

assert sys.argv[1:] == ["serve"], sys.argv
ml = Path(os.environ["SM_MODEL_DIR"])
print("hello from", os.environ.get("NAME", "nobody"), flush=True)
if os.environ.get("BROKEN"):
    sys.exit("cannot load the model: " + os.environ["BROKEN"])

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def answer(self, status, body, content_type="application/json"):
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        attributes = self.headers.get("X-Amzn-SageMaker-Custom-Attributes")
        if attributes:
            self.send_header("X-Amzn-SageMaker-Custom-Attributes", "seen " + attributes)
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.answer(200 if self.path == "/ping" else 404, b"")

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        order = body.decode("utf-8", "replace")
        if order == "die":
            os._exit(3)
        if order.startswith("sleep "):
            time.sleep(float(order.split()[1]))
        if order.startswith("status "):
            return self.answer(int(order.split()[1]), b"the container says no", "text/plain")
        if order == "csv":
            return self.answer(200, b"1,2\\n", "text/csv; charset=utf-8")
        seen = {
            "name": os.environ.get("NAME"), "pid": os.getpid(), "length": len(body),
            "content_type": self.headers.get("Content-Type"), "accept": self.headers.get("Accept"),
            "model": {str(path.relative_to(ml)): path.read_text() for path in sorted(ml.rglob("*")) if path.is_file()},
        }
        self.answer(200, json.dumps(seen).encode())

    def log_message(self, *_):
        pass

ThreadingHTTPServer(("127.0.0.1", int(os.environ["SAGEMAKER_BIND_TO_PORT"])), Handler).serve_forever()
"""
DOCKERFILE = """
ARG PYTHON_VERSION=3.12
FROM python:${PYTHON_VERSION}-slim
ENV PYTHONUNBUFFERED=1
COPY server.py /opt/program/server.py
WORKDIR /opt/program
ENTRYPOINT ["python", "/opt/program/server.py"]
"""


class Serving:
    """Models and endpoints of one cloud, on an image built for it; every name is new."""

    image = "123456789012.dkr.ecr.us-east-1.amazonaws.com/serving-test:1"

    def __init__(self, cloud: Any, folder: Path) -> None:
        self.cloud = cloud
        self.bucket = cloud.new_bucket()
        self.s3 = cloud.client("s3")
        self.sagemaker = cloud.client("sagemaker")
        self.runtime = cloud.client("sagemaker-runtime")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "server.py").write_text(SERVER)
        (folder / "Dockerfile").write_text(DOCKERFILE)
        built = self.build(self.image, folder, f"PYTHON_VERSION={sys.version_info.major}.{sys.version_info.minor}")
        assert built.returncode == 0, built.stderr

    def build(self, uri: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `local-aws build-image` on a folder with a Dockerfile."""
        given = [word for argument in arguments for word in ("--build-arg", argument)]
        command = [sys.executable, "-m", "local_aws", "build-image", "--home", str(self.cloud.home), "--tag", uri]
        return subprocess.run([*command, *given, str(folder)], capture_output=True, text=True, timeout=120, check=False)

    def archive(self, **files: str) -> str:
        """Upload a model.tar.gz of files (`a_txt="..."` becomes a.txt); its URI."""
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
            for name, text in files.items():
                info = tarfile.TarInfo(".".join(name.rsplit("_", 1)))
                info.size = len(text.encode())
                tar.addfile(info, io.BytesIO(text.encode()))
        return self.upload(buffer.getvalue())

    def upload(self, archive: bytes) -> str:
        key = f"models/{uuid.uuid4().hex}/model.tar.gz"
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=archive)
        return f"s3://{self.bucket}/{key}"

    def model(self, name: str = "nobody", **environment: str) -> str:
        """Make a model whose container calls itself `name`; the model's own name."""
        model = f"model-{uuid.uuid4().hex[:10]}"
        container = {
            "Image": self.image,
            "ModelDataUrl": self.archive(answer_txt=name),
            "Environment": {"NAME": name, **environment},
        }
        self.sagemaker.create_model(ModelName=model, PrimaryContainer=container, ExecutionRoleArn=ROLE)
        return model

    def config(self, *variants: dict[str, Any], **more: Any) -> str:
        """Make an endpoint configuration of variants, of which each names at least its model; its name."""
        name = f"config-{uuid.uuid4().hex[:10]}"
        whole = [
            {"VariantName": "AllTraffic", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1, **variant}
            for variant in variants
        ]
        self.sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=whole, **more)
        return name

    def endpoint(self, config: str, **more: Any) -> str:
        """Make an endpoint; its name, once it is in service."""
        name = f"endpoint-{uuid.uuid4().hex[:10]}"
        self.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=config, **more)
        described = self.settled(name)
        assert described["EndpointStatus"] == "InService", described.get("FailureReason")
        return name

    def settled(self, name: str, seconds: float = 60) -> dict[str, Any]:
        """The description of an endpoint once nothing happens to it any more."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            described = self.sagemaker.describe_endpoint(EndpointName=name)
            if described["EndpointStatus"] not in ("Creating", "Updating", "RollingBack"):
                return described
            time.sleep(0.05)
        pytest.fail(f"still {described['EndpointStatus']} after {seconds} s")

    def invoke(self, endpoint: str, body: bytes = b"{}", **more: Any) -> dict[str, Any]:
        """What the container saw of a call."""
        answer = self.runtime.invoke_endpoint(EndpointName=endpoint, Body=body, **more)
        return json.loads(answer["Body"].read())
