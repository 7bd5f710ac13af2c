"""The model package: the same files make the same bytes, and S3 keeps them under what they are."""

import gzip
import io
import os
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from model_deploy.errors import DeploymentError
from model_deploy.package import Package, build_package, contents_digest
from model_deploy.store import ship_package
from moto.server import ThreadedMotoServer


@pytest.fixture(scope="module")
def s3() -> Iterator[Any]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    client = boto3.client(
        "s3",
        endpoint_url=f"http://{host}:{port}",
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    client.create_bucket(Bucket="artifacts")
    yield client
    server.stop()


@pytest.fixture
def package(saved_model: Path, tmp_path: Path) -> Package:
    return build_package(saved_model, tmp_path / "model.tar.gz")


def test_a_link_in_the_model_is_refused(saved_model: Path, tmp_path: Path) -> None:
    shutil.copytree(saved_model, tmp_path / "model")
    (tmp_path / "model" / "secrets").symlink_to("/etc")
    with pytest.raises(DeploymentError, match="secrets, which is neither a file nor a directory"):
        build_package(tmp_path / "model", tmp_path / "model.tar.gz")


def test_the_same_files_make_the_same_bytes_whatever_their_times_and_owners(saved_model: Path, tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    for name in ("one", "other"):
        shutil.copytree(saved_model, tmp_path / name)
        (tmp_path / name / "code").mkdir()
        (tmp_path / name / "code" / "features.py").write_text("LENGTHS = 4\n")
    for path in (tmp_path / "other").rglob("*"):
        os.utime(path, (1, 1))
        path.chmod(path.stat().st_mode ^ 0o022)
    one = build_package(tmp_path / "one", tmp_path / "one.tar.gz")
    other = build_package(tmp_path / "other", tmp_path / "elsewhere.tar.gz")
    assert one.path.read_bytes() == other.path.read_bytes()
    assert (one.digest, one.sha256) == (other.digest, other.sha256)


def test_one_changed_byte_makes_another_digest(saved_model: Path, package: Package, tmp_path: Path) -> None:
    shutil.copytree(saved_model, tmp_path / "model")
    (tmp_path / "model" / "requirements.txt").write_text("scikit-learn==1.8.0\n")
    assert build_package(tmp_path / "model", tmp_path / "other.tar.gz").digest != package.digest


def test_the_models_directory_is_the_root_of_the_archive(package: Package) -> None:
    with tarfile.open(package.path) as tar:
        entries = tar.getmembers()
    assert {"MLmodel", "model.skops", "requirements.txt"} <= {entry.name for entry in entries}
    assert {(entry.mtime, entry.uid, entry.gid, entry.uname) for entry in entries} == {(0, 0, 0, "")}


def test_the_digest_can_be_taken_from_the_archive_again(package: Package) -> None:
    assert contents_digest(io.BytesIO(package.path.read_bytes())) == package.digest


def test_a_missing_bucket_is_named(s3: Any, package: Package) -> None:
    with pytest.raises(DeploymentError, match="ARTIFACT_BUCKET is 'nowhere', and there is no such bucket"):
        ship_package(s3, "nowhere", package.key("iris"), package)


def test_something_else_under_the_packages_key_is_refused(s3: Any, package: Package) -> None:
    key = package.key("poisoned")
    s3.put_object(Bucket="artifacts", Key=key, Body=package.path.read_bytes()[:-9])
    with pytest.raises(
        DeploymentError, match=f"s3://artifacts/{key} is not the model package its key names: it is no whole"
    ):
        ship_package(s3, "artifacts", key, package)
    (package.path.parent / "other").mkdir()
    (package.path.parent / "other" / "MLmodel").write_text("flavors: {}")
    other = build_package(package.path.parent / "other", package.path.with_name("other.tar.gz"))
    s3.put_object(Bucket="artifacts", Key=key, Body=other.path.read_bytes())
    with pytest.raises(DeploymentError, match=f"its contents have the digest {other.digest}"):
        ship_package(s3, "artifacts", key, package)


def test_the_same_contents_pressed_by_another_zlib_are_taken_as_they_are(s3: Any, package: Package) -> None:
    key = package.key("otherwise-pressed")
    pressed = gzip.compress(gzip.decompress(package.path.read_bytes()), compresslevel=1)
    s3.put_object(Bucket="artifacts", Key=key, Body=pressed)
    assert ship_package(s3, "artifacts", key, package) is False
    assert s3.get_object(Bucket="artifacts", Key=key)["Body"].read() == pressed


def test_a_package_goes_up_once(s3: Any, package: Package) -> None:
    key = package.key("iris")
    assert key == f"models/iris/{package.digest}/model.tar.gz"
    assert ship_package(s3, "artifacts", key, package) is True
    first = s3.head_object(Bucket="artifacts", Key=key)["LastModified"]
    assert ship_package(s3, "artifacts", key, package) is False
    assert s3.head_object(Bucket="artifacts", Key=key)["LastModified"] == first
    assert s3.get_object(Bucket="artifacts", Key=key)["Body"].read() == package.path.read_bytes()
