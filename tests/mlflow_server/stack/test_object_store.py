"""The object store that `up --postgres` starts: who may use it, and what is there after it was killed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import psutil
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from mlflow_server.errors import ServerError
from mlflow_server.stack.objects import BUCKET, ObjectStore


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ObjectStore]:
    made = ObjectStore(tmp_path / "objects", "key", "secret-of-the-key")
    yield made
    made.stop()


def _client(store: ObjectStore, port: int, secret: str | None = None) -> Any:
    told = store.environment(port)
    return boto3.client(
        "s3",
        endpoint_url=told["MLFLOW_S3_ENDPOINT_URL"],
        region_name=told["AWS_DEFAULT_REGION"],
        aws_access_key_id=told["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=secret or told["AWS_SECRET_ACCESS_KEY"],
        config=Config(retries={"max_attempts": 1}, request_checksum_calculation="when_required"),
    )


def test_another_key_is_refused_and_nothing_is_said_on_the_command_line(store: ObjectStore) -> None:
    running = store.start()
    with pytest.raises(ClientError) as refused:
        _client(store, running.port, "another").list_objects_v2(Bucket=BUCKET)
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    process = running.process()
    assert process is not None
    assert "secret-of-the-key" not in " ".join(process.cmdline())
    listening = [it.laddr.ip for it in process.net_connections("tcp") if it.status == psutil.CONN_LISTEN]
    assert listening == ["127.0.0.1"]


def test_a_killed_store_comes_up_on_its_port_without_what_was_not_acknowledged(store: ObjectStore) -> None:
    running = store.start()
    _client(store, running.port).put_object(Bucket=BUCKET, Key="runs/model.bin", Body=b"weights")
    unfinished = store.data / BUCKET / "runs" / ".rclone_temp_put_1234"
    unfinished.write_text("half")
    process = running.process()
    assert process is not None
    process.kill()
    process.wait(20)
    again = store.start()
    assert again.port == running.port
    assert _client(store, again.port).get_object(Bucket=BUCKET, Key="runs/model.bin")["Body"].read() == b"weights"
    assert not unfinished.exists()


def test_a_store_that_runs_is_left_as_it_is(store: ObjectStore) -> None:
    running = store.start()
    assert store.start() == running
    assert store.stop()
    assert not store.stop()


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ServerError, match="cannot be used"):
        ObjectStore(tmp_path / "file" / "objects", "key", "secret").start()
