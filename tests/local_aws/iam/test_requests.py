"""Requests with the credentials of roles: the action and resource of each, and the words in which it is denied."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
import urllib3
from botocore.exceptions import ClientError

ARN = "arn:aws:{}:us-east-1:123456789012:{}"


def allow(action: Any, resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def denied(call: Callable[..., Any], *said: str, **parameters: Any) -> None:
    with pytest.raises(ClientError, match="not authorized") as caught:
        call(**parameters)
    error = caught.value.response["Error"]
    assert error["Code"] in ("AccessDenied", "AccessDeniedException", "AuthorizationError", "UnauthorizedOperation")
    for words in said:
        assert words in error["Message"], error["Message"]


def test_a_denial_names_the_session_the_action_and_the_resource(roles: Any, bucket: str) -> None:
    role = roles.make(allow("s3:GetObject", f"arn:aws:s3:::{bucket}/data/*"))
    with pytest.raises(ClientError) as caught:
        roles.client(role, "s3").put_object(Bucket=bucket, Key="data/x", Body=b"")
    error = caught.value.response
    assert (error["ResponseMetadata"]["HTTPStatusCode"], error["Error"]["Code"]) == (403, "AccessDenied")
    assert error["Error"]["Message"] == (
        f"User: arn:aws:sts::123456789012:assumed-role/{role.rpartition('/')[2]}/tester is not authorized to perform: "
        f's3:PutObject on resource: "arn:aws:s3:::{bucket}/data/x" because no identity-based policy allows the '
        "s3:PutObject action"
    )


def test_objects_are_read_and_listed_below_the_prefix_that_is_allowed(roles: Any, bucket: str) -> None:
    owner = roles.cloud.client("s3")
    for key in ("data/x", "models/x"):
        owner.put_object(Bucket=bucket, Key=key, Body=b"x")
    prefix = {"StringLike": {"s3:prefix": "data/*"}}
    role = roles.make(
        allow("s3:GetObject", f"arn:aws:s3:::{bucket}/data/*"),
        allow("s3:ListBucket", f"arn:aws:s3:::{bucket}", Condition=prefix),
    )
    s3 = roles.client(role, "s3")
    assert s3.get_object(Bucket=bucket, Key="data/x")["Body"].read() == b"x"
    assert s3.list_objects_v2(Bucket=bucket, Prefix="data/")["KeyCount"] == 1
    denied(s3.get_object, "s3:GetObject", Bucket=bucket, Key="models/x")
    denied(s3.list_objects_v2, "s3:ListBucket", Bucket=bucket, Prefix="models/")
    denied(s3.list_objects_v2, "s3:ListBucket", Bucket=bucket)
    denied(s3.list_buckets, "s3:ListAllMyBuckets", 'on resource: "*"')


def test_a_missing_object_is_a_secret_from_a_role_that_may_not_list(roles: Any, bucket: str) -> None:
    reader = allow("s3:GetObject", f"arn:aws:s3:::{bucket}/*")
    s3 = roles.client(roles.make(reader), "s3")
    denied(s3.get_object, "s3:ListBucket", Bucket=bucket, Key="missing")
    with pytest.raises(ClientError, match="403"):
        s3.head_object(Bucket=bucket, Key="missing")
    lister = roles.client(roles.make(reader, allow("s3:ListBucket", f"arn:aws:s3:::{bucket}")), "s3")
    with pytest.raises(lister.exceptions.NoSuchKey):
        lister.get_object(Bucket=bucket, Key="missing")
    everywhere = roles.client(roles.make(allow("s3:GetObject")), "s3")
    with pytest.raises(everywhere.exceptions.NoSuchBucket):
        everywhere.get_object(Bucket=f"{bucket}-2", Key="missing")


def test_a_copy_reads_the_one_and_writes_the_other(roles: Any, bucket: str) -> None:
    roles.cloud.client("s3").put_object(Bucket=bucket, Key="from/x", Body=b"x")
    copy = {"Bucket": bucket, "Key": "to/x", "CopySource": {"Bucket": bucket, "Key": "from/x"}}
    writer = roles.make(allow("s3:PutObject", f"arn:aws:s3:::{bucket}/to/*"))
    denied(roles.client(writer, "s3").copy_object, "s3:GetObject", "from/x", **copy)
    both = roles.make(
        allow("s3:PutObject", f"arn:aws:s3:::{bucket}/to/*"), allow("s3:GetObject", f"arn:aws:s3:::{bucket}/from/*")
    )
    roles.client(both, "s3").copy_object(**copy)


def test_deleting_many_asks_for_each(roles: Any, bucket: str) -> None:
    s3 = roles.client(roles.make(allow("s3:DeleteObject", f"arn:aws:s3:::{bucket}/a/*")), "s3")
    s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "a/1"}, {"Key": "a/2"}]})
    denied(s3.delete_objects, "b/2", Bucket=bucket, Delete={"Objects": [{"Key": "a/1"}, {"Key": "b/2"}]})


def test_an_upload_in_parts_asks_for_put_object(roles: Any, bucket: str) -> None:
    s3 = roles.client(roles.make(allow("s3:PutObject", f"arn:aws:s3:::{bucket}/a/*")), "s3")
    upload = s3.create_multipart_upload(Bucket=bucket, Key="a/1")["UploadId"]
    s3.upload_part(Bucket=bucket, Key="a/1", UploadId=upload, PartNumber=1, Body=b"x")
    denied(s3.create_multipart_upload, "s3:PutObject", Bucket=bucket, Key="b/1")
    denied(s3.abort_multipart_upload, "s3:AbortMultipartUpload", Bucket=bucket, Key="a/1", UploadId=upload)


def test_a_bucket_policy_grants_to_the_role_it_names_and_denies_it(roles: Any, bucket: str) -> None:
    role, owner = roles.make(), roles.cloud.client("s3")
    owner.put_object(Bucket=bucket, Key="x", Body=b"x")
    grant = {**allow("s3:GetObject", f"arn:aws:s3:::{bucket}/*"), "Principal": {"AWS": role}}
    owner.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [grant]}))
    roles.client(role, "s3").get_object(Bucket=bucket, Key="x")
    denied(roles.client(roles.make(), "s3").get_object, Bucket=bucket, Key="x")


def test_a_secret_is_read_by_the_role_that_may_and_no_other(roles: Any) -> None:
    name = f"mlflow-{uuid.uuid4().hex[:6]}"
    arn = roles.cloud.client("secretsmanager").create_secret(Name=name, SecretString="s")["ARN"]
    reader = roles.client(roles.make(allow("secretsmanager:GetSecretValue", arn)), "secretsmanager")
    assert reader.get_secret_value(SecretId=name)["SecretString"] == "s"
    assert reader.get_secret_value(SecretId=arn)["SecretString"] == "s"
    pattern = roles.make(allow("secretsmanager:GetSecretValue", ARN.format("secretsmanager", f"secret:{name}-??????")))
    assert roles.client(pattern, "secretsmanager").get_secret_value(SecretId=name)["SecretString"] == "s"
    other = roles.make(allow("secretsmanager:GetSecretValue", ARN.format("secretsmanager", "secret:other-*")))
    denied(roles.client(other, "secretsmanager").get_secret_value, arn, SecretId=name)


CASES = [
    ("ssm", "put_parameter", {"Name": "/a/b", "Value": "v", "Type": "String"}, "ssm:PutParameter", "parameter/a/b"),
    ("ssm", "get_parameters_by_path", {"Path": "/a"}, "ssm:GetParametersByPath", "parameter/a"),
    ("logs", "create_log_group", {"logGroupName": "/g"}, "logs:CreateLogGroup", "log-group:/g"),
    ("logs", "create_log_group", {"logGroupName": "/h"}, "logs:CreateLogGroup", "log-group:/h:*"),
    ("ecr", "create_repository", {"repositoryName": "iam/a"}, "ecr:CreateRepository", "repository/iam/*"),
    ("sns", "create_topic", {"Name": "iam-topic"}, "sns:CreateTopic", "iam-topic"),
    ("events", "put_rule", {"Name": "iam-r", "ScheduleExpression": "rate(1 day)"}, "events:PutRule", "rule/iam-r"),
    ("sagemaker", "list_models", {}, "sagemaker:ListModels", "*"),
    ("sagemaker", "create_model_package_group", {"ModelPackageGroupName": "iam-g"}, "sagemaker:CreateModelPackageGroup",
     "model-package-group/iam-*"),
    ("cloudformation", "list_stacks", {}, "cloudformation:ListStacks", "*"),
    ("ecr", "get_authorization_token", {}, "ecr:GetAuthorizationToken", "*"),
    ("sqs", "create_queue", {"QueueName": "iam-q"}, "sqs:CreateQueue", "iam-q"),
    ("cloudwatch", "put_metric_data", {"Namespace": "n", "MetricData": []}, "cloudwatch:PutMetricData", "*"),
    ("ec2", "describe_vpcs", {}, "ec2:DescribeVpcs", "*"),
    ("lambda", "list_functions", {}, "lambda:ListFunctions", "*"),
]  # fmt: skip


@pytest.mark.parametrize(("service", "operation", "request_", "action", "resource"), CASES)
def test_each_service_is_allowed_on_its_own_resource_and_denied_without(
    roles: Any, service: str, operation: str, request_: dict[str, Any], action: str, resource: str
) -> None:
    arn = resource if resource == "*" else ARN.format(service, resource)
    denied(getattr(roles.client(roles.make(allow("s3:*")), service), operation), action, **request_)
    getattr(roles.client(roles.make(allow(action, arn)), service), operation)(**request_)


def test_metrics_are_written_to_the_namespace_that_is_allowed(roles: Any) -> None:
    condition = {"StringLike": {"cloudwatch:namespace": "/aws/sagemaker/*"}}
    metrics = roles.client(roles.make(allow("cloudwatch:PutMetricData", Condition=condition)), "cloudwatch")
    metrics.put_metric_data(Namespace="/aws/sagemaker/TrainingJobs", MetricData=[{"MetricName": "m", "Value": 1}])
    denied(metrics.put_metric_data, Namespace="other", MetricData=[{"MetricName": "m", "Value": 1}])


def test_tags_of_a_request_and_of_a_resource_are_conditions(roles: Any) -> None:
    group = f"group-{uuid.uuid4().hex[:8]}"
    own = {"StringEquals": {"aws:RequestTag/team": "a"}, "ForAllValues:StringEquals": {"aws:TagKeys": ["team"]}}
    role = roles.make(
        allow(["sagemaker:CreateModelPackageGroup", "sagemaker:AddTags"], Condition=own),
        allow("sagemaker:DescribeModelPackageGroup", Condition={"StringEquals": {"aws:ResourceTag/team": "a"}}),
    )
    sagemaker = roles.client(role, "sagemaker")
    denied(sagemaker.create_model_package_group, ModelPackageGroupName=group)
    denied(
        sagemaker.create_model_package_group,
        ModelPackageGroupName=group,
        Tags=[{"Key": "team", "Value": "a"}, {"Key": "x", "Value": "y"}],
    )
    sagemaker.create_model_package_group(ModelPackageGroupName=group, Tags=[{"Key": "team", "Value": "a"}])
    sagemaker.describe_model_package_group(ModelPackageGroupName=group)
    roles.cloud.client("sagemaker").create_model_package_group(ModelPackageGroupName=f"{group}-b")
    denied(sagemaker.describe_model_package_group, ModelPackageGroupName=f"{group}-b")


def test_a_condition_key_that_is_not_evaluated_here_is_named_in_the_denial(roles: Any, bucket: str) -> None:
    role = roles.make(allow("s3:*", Condition={"StringEquals": {"aws:SourceVpc": "vpc-1"}}))
    words = "local-aws does not evaluate condition key aws:SourceVpc"
    denied(roles.client(role, "s3").list_objects_v2, words, Bucket=bucket)


def test_a_managed_policy_counts_by_its_default_version(roles: Any, bucket: str) -> None:
    iam, role = roles.iam, roles.make()
    name = role.rpartition("/")[2]
    documents = [json.dumps({"Version": "2012-10-17", "Statement": [allow(a)]}) for a in ("s3:ListBucket", "s3:Put*")]
    arn = iam.create_policy(PolicyName=name, PolicyDocument=documents[0])["Policy"]["Arn"]
    iam.attach_role_policy(RoleName=name, PolicyArn=arn)
    s3 = roles.client(role, "s3")
    s3.list_objects_v2(Bucket=bucket)
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=documents[1], SetAsDefault=True)
    denied(s3.list_objects_v2, Bucket=bucket)
    iam.attach_role_policy(RoleName=name, PolicyArn="arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess")
    s3.list_objects_v2(Bucket=bucket)


def test_a_permissions_boundary_limits_the_role(roles: Any, bucket: str) -> None:
    name = f"boundary-{uuid.uuid4().hex[:8]}"
    document = json.dumps({"Version": "2012-10-17", "Statement": [allow("s3:ListBucket")]})
    boundary = roles.iam.create_policy(PolicyName=name, PolicyDocument=document)["Policy"]["Arn"]
    s3 = roles.client(roles.make(allow("*"), PermissionsBoundary=boundary), "s3")
    s3.list_objects_v2(Bucket=bucket)
    denied(s3.put_object, "because no permissions boundary allows", Bucket=bucket, Key="k", Body=b"")


def test_a_presigned_address_does_what_its_signer_may(roles: Any, bucket: str) -> None:
    roles.cloud.client("s3").put_object(Bucket=bucket, Key="a/x", Body=b"x")
    s3 = roles.client(roles.make(allow("s3:GetObject", f"arn:aws:s3:::{bucket}/a/*")), "s3")
    good = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "a/x"})
    assert urllib3.request("GET", good).data == b"x"
    other = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "b/x"})
    assert urllib3.request("GET", other).status == 403
