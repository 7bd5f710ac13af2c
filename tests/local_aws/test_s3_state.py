"""The state of S3 and of moto's services: what a restart must give back, and what a full disk must not pretend.

Each scene begins in the same cloud; when all have come to their `yield` the cloud is killed, and each is told which one
came back on its state.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Any

import psutil
import pytest
from botocore.exceptions import ClientError

AcrossAKill = Generator[None, Any, None]


@contextlib.contextmanager
def full_disk(cloud: Any, largest_file: int) -> Iterator[None]:
    """Have the server fail to write any file beyond `largest_file` bytes, which stands for a full disk."""
    if not hasattr(psutil.Process, "rlimit"):
        pytest.skip("limits what a running process may write")
    server = psutil.Process(cloud.process.pid)
    before = server.rlimit(psutil.RLIMIT_FSIZE)
    server.rlimit(psutil.RLIMIT_FSIZE, (largest_file, before[1]))
    try:
        yield
    finally:
        server.rlimit(psutil.RLIMIT_FSIZE, before)


def refusal_of(act: Callable[[], Any]) -> dict[str, Any]:
    with pytest.raises(ClientError) as caught:
        act()
    return dict(caught.value.response)


def an_object_keeps_its_tags_encryption_class_and_time_across_a_kill(cloud: Any) -> AcrossAKill:
    bucket, s3 = cloud.new_bucket(), cloud.client("s3")
    s3.put_object(
        Bucket=bucket, Key="k", Body=b"x", Tagging="a=b", ServerSideEncryption="AES256", StorageClass="STANDARD_IA"
    )
    s3.put_object(Bucket=bucket, Key="kms", Body=b"y", ServerSideEncryption="aws:kms", SSEKMSKeyId="my-key")
    s3.put_object_tagging(Bucket=bucket, Key="kms", Tagging={"TagSet": [{"Key": "late", "Value": "1"}]})
    before = {key: s3.head_object(Bucket=bucket, Key=key) for key in ("k", "kms")}
    s3 = (yield).client("s3")
    after = {key: s3.head_object(Bucket=bucket, Key=key) for key in ("k", "kms")}
    for key, names in {
        "k": ("ServerSideEncryption", "StorageClass", "LastModified", "ETag"),
        "kms": ("ServerSideEncryption", "SSEKMSKeyId", "LastModified", "ETag"),
    }.items():
        assert {name: after[key].get(name) for name in names} == {name: before[key][name] for name in names}
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == [{"Key": "a", "Value": "b"}]
    assert s3.get_object_tagging(Bucket=bucket, Key="kms")["TagSet"] == [{"Key": "late", "Value": "1"}]


def an_object_without_encryption_has_none_after_a_restart_although_its_bucket_encrypts_by_now(
    cloud: Any,
) -> AcrossAKill:
    bucket, s3 = cloud.new_bucket(), cloud.client("s3")
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    before = s3.head_object(Bucket=bucket, Key="k").get("ServerSideEncryption")
    rules = [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}]
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": rules})
    s3 = (yield).client("s3")
    assert s3.head_object(Bucket=bucket, Key="k").get("ServerSideEncryption") == before


def an_upload_that_was_open_at_a_kill_is_no_such_upload(cloud: Any) -> AcrossAKill:
    bucket, s3 = cloud.new_bucket(), cloud.client("s3")
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    part = s3.upload_part(Bucket=bucket, Key="k", UploadId=upload, PartNumber=1, Body=b"x")["ETag"]
    s3 = (yield).client("s3")
    parts = {"Parts": [{"PartNumber": 1, "ETag": part}]}
    asked = {"Bucket": bucket, "Key": "k", "UploadId": upload}
    for told in (
        refusal_of(lambda: s3.complete_multipart_upload(**asked, MultipartUpload=parts)),
        refusal_of(lambda: s3.upload_part(**asked, PartNumber=2, Body=b"y")),
        refusal_of(lambda: s3.abort_multipart_upload(**asked)),
    ):
        assert (told["Error"]["Code"], told["ResponseMetadata"]["HTTPStatusCode"]) == ("NoSuchUpload", 404)


def an_object_that_does_not_fit_on_the_disk_is_refused_and_the_old_one_stays(cloud: Any) -> AcrossAKill:
    bucket, s3 = cloud.new_bucket(), cloud.client("s3")
    s3.put_object(Bucket=bucket, Key="k", Body=b"old", Metadata={"m": "1"}, Tagging="a=b")
    files = set((cloud.home / "s3" / "data").iterdir())
    with full_disk(cloud, 128 * 1024):
        for key in ("k", "new"):
            told = refusal_of(lambda key=key: s3.put_object(Bucket=bucket, Key=key, Body=b"z" * 200_000))
            assert told["ResponseMetadata"]["HTTPStatusCode"] == 507
            assert "disk of local-aws is full" in told["Error"]["Message"]
    assert set((cloud.home / "s3" / "data").iterdir()) == files

    def check(s3: Any) -> None:
        held = s3.get_object(Bucket=bucket, Key="k")
        assert (held["Body"].read(), held["Metadata"], held["TagCount"]) == (b"old", {"m": "1"}, 1)
        assert [item["Key"] for item in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["k"]

    check(s3)
    check((yield).client("s3"))


def a_version_that_does_not_fit_on_the_disk_leaves_the_versions_before_it(cloud: Any) -> AcrossAKill:
    bucket, s3 = cloud.new_bucket(), cloud.client("s3")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    versions = [s3.put_object(Bucket=bucket, Key="k", Body=body)["VersionId"] for body in (b"one", b"two")]
    with full_disk(cloud, 128 * 1024):
        refusal_of(lambda: s3.put_object(Bucket=bucket, Key="k", Body=b"z" * 200_000))
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"two"
    assert s3.get_object(Bucket=bucket, Key="k", VersionId=versions[0])["Body"].read() == b"one"
    again = (yield).client("s3").get_object(Bucket=bucket, Key="k")
    assert (again["Body"].read(), again["VersionId"]) == (b"two", versions[1])


def objects_can_be_deleted_on_a_full_disk_and_stay_deleted(cloud: Any) -> AcrossAKill:
    bucket, s3 = cloud.new_bucket(), cloud.client("s3")
    for key in ("a", "b", "c", "kept"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    with full_disk(cloud, 0):
        s3.delete_object(Bucket=bucket, Key="a")
        s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "b"}, {"Key": "c"}]})
    assert [item["Key"] for item in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["kept"]
    s3 = (yield).client("s3")
    assert [item["Key"] for item in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["kept"]


def tags_that_do_not_fit_on_the_disk_are_refused_and_the_old_ones_stay(cloud: Any) -> AcrossAKill:
    bucket, s3 = cloud.new_bucket(), cloud.client("s3")
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", Tagging="a=b")
    new = {"TagSet": [{"Key": "new", "Value": "1"}]}
    with full_disk(cloud, 0):
        told = refusal_of(lambda: s3.put_object_tagging(Bucket=bucket, Key="k", Tagging=new))
        assert told["ResponseMetadata"]["HTTPStatusCode"] == 507
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == [{"Key": "a", "Value": "b"}]
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"
    s3 = (yield).client("s3")
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == [{"Key": "a", "Value": "b"}]


def a_change_that_cannot_be_written_to_the_journal_is_refused_and_not_made(cloud: Any) -> AcrossAKill:
    secrets, s3 = cloud.client("secretsmanager"), cloud.client("s3")
    with full_disk(cloud, 0):
        told = refusal_of(lambda: secrets.create_secret(Name="lost", SecretString="s"))
        assert told["ResponseMetadata"]["HTTPStatusCode"] == 507
        assert "disk of local-aws is full" in told["Error"]["Message"]
        told = refusal_of(lambda: cloud.client("iam").create_role(RoleName="lost", AssumeRolePolicyDocument="{}"))
        assert "disk of local-aws is full" in told["Error"]["Message"]
        assert "disk of local-aws is full" in refusal_of(lambda: s3.create_bucket(Bucket="lost"))["Error"]["Message"]
    assert secrets.list_secrets()["SecretList"] == []
    assert "lost" not in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
    secrets.create_secret(Name="kept", SecretString="s")
    again = (yield).client("secretsmanager")
    assert [secret["Name"] for secret in again.list_secrets()["SecretList"]] == ["kept"]


def what_was_refused_is_not_asked_again_at_a_restart(cloud: Any) -> AcrossAKill:
    refusal_of(lambda: cloud.client("iam").delete_role(RoleName="nobody"))
    yield
    assert "replay of" not in (cloud.home / "test.log").read_text()


SCENES = (
    an_object_keeps_its_tags_encryption_class_and_time_across_a_kill,
    an_object_without_encryption_has_none_after_a_restart_although_its_bucket_encrypts_by_now,
    an_upload_that_was_open_at_a_kill_is_no_such_upload,
    an_object_that_does_not_fit_on_the_disk_is_refused_and_the_old_one_stays,
    a_version_that_does_not_fit_on_the_disk_leaves_the_versions_before_it,
    objects_can_be_deleted_on_a_full_disk_and_stay_deleted,
    tags_that_do_not_fit_on_the_disk_are_refused_and_the_old_ones_stay,
    a_change_that_cannot_be_written_to_the_journal_is_refused_and_not_made,
    what_was_refused_is_not_asked_again_at_a_restart,
)


@dataclass(frozen=True)
class Played:
    """All scenes up to the kill, what failed in one before it, and the cloud that came back."""

    begun: dict[Any, AcrossAKill]
    failed: dict[Any, BaseException]
    cloud: Any


@pytest.fixture(scope="module")
def played(make_modules_cloud: Callable[..., Any]) -> Played:
    cloud = make_modules_cloud()
    begun = {scene: scene(cloud) for scene in SCENES}
    failed: dict[Any, BaseException] = {}
    for scene in SCENES:
        try:
            next(begun[scene])
        except BaseException as failure:
            failed[scene] = failure
    cloud.process.kill()
    cloud.process.wait()
    return Played(begun, failed, make_modules_cloud(cloud.home))


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
def test_across_a_kill(scene: Any, played: Played) -> None:
    if scene in played.failed:
        raise played.failed[scene]
    with pytest.raises(StopIteration):
        played.begun[scene].send(played.cloud)
