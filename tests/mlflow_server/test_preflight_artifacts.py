"""Where a server refuses to keep artifacts: a bucket or a folder that it cannot use, and a disk that is full."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest
from mlflow_server import preflight
from mlflow_server.artifact_store import check
from mlflow_server.errors import ServerError


@pytest.fixture
def aws(cloud: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment in which everything of AWS is the shared local cloud's."""
    for name, value in cloud.environment.items():
        if name.startswith("AWS_"):
            monkeypatch.setenv(name, value)
    monkeypatch.delenv("MLFLOW_S3_ENDPOINT_URL", raising=False)


def refusal(destination: str) -> str:
    with pytest.raises(ServerError) as refused:
        check(destination)
    return str(refused.value)


def test_a_bucket_that_is_missing_is_named_and_one_that_is_there_passes(
    aws: None, bucket: str, serve: Callable[..., str]
) -> None:
    check(f"s3://{bucket}/artifacts")
    assert "There is no bucket 'gone-for-good'" in serve(MLFLOW_ARTIFACTS_DESTINATION="s3://gone-for-good/artifacts")


def test_a_bucket_that_is_someone_elses_is_refused_with_the_rights_it_takes(
    aws: None, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    trust = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role = (
        boto3.Session()
        .client("iam")
        .create_role(RoleName=f"stranger-{bucket}", AssumeRolePolicyDocument=document)["Role"]
    )
    session = boto3.Session().client("sts").assume_role(RoleArn=role["Arn"], RoleSessionName="stranger")["Credentials"]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", session["AccessKeyId"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", session["SecretAccessKey"])
    monkeypatch.setenv("AWS_SESSION_TOKEN", session["SessionToken"])
    said = refusal(f"s3://{bucket}/artifacts")
    assert f"may not list the bucket '{bucket}', which may be someone else's" in said
    assert "s3:ListBucket" in said


def test_a_key_that_the_object_store_does_not_know_is_refused(
    postgres_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for line in (postgres_home / "client.env").read_text().splitlines():
        name, _, value = line.removeprefix("export ").partition("=")
        monkeypatch.setenv(name, value)
    check("s3://mlflow/artifacts")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    assert "refused the access key for s3://mlflow/artifacts (SignatureDoesNotMatch)" in refusal(
        "s3://mlflow/artifacts"
    )
    monkeypatch.setenv("MLFLOW_S3_ENDPOINT_URL", "http://127.0.0.1:1")
    assert "The object store of s3://mlflow/artifacts does not answer" in refusal("s3://mlflow/artifacts")


def test_no_credentials_at_all_are_said_to_be_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    assert "There are no AWS credentials to reach s3://mlflow/artifacts" in refusal("s3://mlflow/artifacts")
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    assert "nobody" in refusal("s3://mlflow/artifacts")


def test_a_place_for_artifacts_that_is_none_is_refused(tmp_path: Path) -> None:
    assert "'my-bucket/artifacts' has no scheme" in refusal("my-bucket/artifacts")
    assert "names no bucket" in refusal("s3:///artifacts")
    for other in ("ftp://host/x", "ftps://host/x", "gs://bucket/x", "http://host/x", "mlflow-artifacts:/x"):
        assert f"cannot be kept at {other}: this server looks at buckets and folders only" in refusal(other)
    (tmp_path / "file").write_text("")
    assert "Not a directory" in refusal((tmp_path / "file" / "artifacts").as_uri())
    check((tmp_path / "a folder").as_uri())
    assert (tmp_path / "a folder").is_dir()


NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]


@pytest.mark.skipif(
    os.geteuid() != 0 or bool(subprocess.run([*NOBODY, sys.executable, "-c", ""], check=False).returncode),
    reason="only root can run the server as somebody who may not write, where everyone may read it",
)
def test_a_folder_that_may_not_be_written_to_is_refused(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    for folder in (tmp_path, *tmp_path.parents):
        if not folder.stat().st_mode & 0o005:
            folder.chmod(0o755)
    done = subprocess.run(
        [*NOBODY, sys.executable, "-m", "mlflow_server", "up", "--home", str(home)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd="/",
    )
    assert done.returncode == 1
    assert f"{home}/changing cannot be used (Permission denied)" in done.stderr


def test_a_disk_that_is_nearly_full_is_warned_of(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert preflight.scarce_room(tmp_path) is None
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 5 * 1024**2})())
    assert "has 5 MiB left" in str(preflight.scarce_room(tmp_path))
