"""Templates that CloudFormation refuses, and what it tells about those it takes."""

from __future__ import annotations

import json
import math
import re
from typing import Any
from unittest.mock import ANY

import pytest
from botocore.exceptions import ClientError

GROUP = "{Type: AWS::Logs::LogGroup}"


def refusal(stacks: Any, template: str, **more: Any) -> str:
    """The message a stack of this template is refused with; nothing of it is left."""
    name = stacks.name()
    with pytest.raises(ClientError) as refused:
        stacks.cloudformation.create_stack(StackName=name, TemplateBody=template, **more)
    assert refused.value.response["Error"]["Code"] == "ValidationError"
    with pytest.raises(ClientError, match=f"Stack with id {name} does not exist"):
        stacks.describe(name)
    return str(refused.value.response["Error"]["Message"])


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{", r"Template format error: JSON not well-formed. \(line 1, column 2\)"),
        ("Resources: [\n  a: b\n c: d", r"Template format error: YAML not well-formed. \(line \d+, column \d+\)"),
        (
            "Resources: {A: &a {Type: AWS::Logs::LogGroup}, B: *a}",
            "YAML aliases are not allowed in CloudFormation templates",
        ),
        (
            "Resources: {" + ", ".join(f"A{number}: {GROUP}" for number in range(501)) + "}",
            "Number of resources, 501, is greater than maximum allowed, 500",
        ),
        ("just text", "Template format error: unsupported structure."),
        ("Resources: {}", "At least one Resources member must be defined."),
        (f"Resource: {{A: {GROUP}}}", r"Invalid template property or properties \[Resource\]"),
        (f"Resources: {{A-B: {GROUP}}}", "Resource name A-B is non alphanumeric."),
        ("Resources: {A: {Properties: {}}}", r"\[/Resources/A\] Every Resources object must contain a Type member."),
        (
            "Resources: {A: {Type: AWS::Logs::LogGroup, Propertys: {}}}",
            "Invalid template resource property 'Propertys'",
        ),
        ("Resources: {A: {Type: Nonsense}}", r"Unrecognized resource types: \[Nonsense\]"),
        (f"AWSTemplateFormatVersion: 2011-01-01\nResources: {{A: {GROUP}}}", "unsupported value for AWSTemplateFormat"),
        (f"Transform: AWS::Serverless-2016-10-31\nResources: {{A: {GROUP}}}", "section Transform is not carried out"),
        (
            "Resources: {A: {Type: AWS::Logs::LogGroup, Properties: {LogGroupName: !Sub 'x-${Missing}'}}}",
            r"Unresolved resource dependencies \[Missing\] in the Resources block of the template",
        ),
        (
            f"Resources: {{A: {GROUP}}}\nOutputs: {{O: {{Value: !Ref Gone}}}}",
            r"Unresolved resource dependencies \[Gone\] in the Outputs block of the template",
        ),
        (
            "Resources: {A: {Type: AWS::Logs::LogGroup, DependsOn: Gone}}",
            r"Unresolved resource dependencies \[Gone\] in the Resources block",
        ),
        (
            "Resources: {A: {Type: AWS::Logs::LogGroup, Properties: {LogGroupName: !GetAtt B.Arn}}}",
            "instance of Fn::GetAtt references undefined resource B",
        ),
        (
            f"Resources: {{A: {GROUP}}}\nOutputs: {{O: {{Value: !GetAtt A.Size}}}}",
            "resource A does not support attribute type Size in Fn::GetAtt",
        ),
        (
            "Resources: {A: {Type: AWS::Logs::LogGroup, Condition: Never}}",
            "Unresolved condition dependency Never in the Resources block",
        ),
        (
            f"Conditions: {{A: !Not [!Condition B], B: !Not [!Condition A]}}\nResources: {{A: {GROUP}}}",
            r"Circular dependency between conditions: \[A, B\]",
        ),
        (
            "Resources: {A: {Type: AWS::Logs::LogGroup, DependsOn: B}, B: {Type: AWS::S3::Bucket, DependsOn: A}}",
            r"Circular dependency between resources: \[(A, B|B, A)\]",
        ),
        (
            "Resources: {A: {Type: AWS::Logs::LogGroup, DeletionPolicy: Snapshot}}",
            "resource type AWS::Logs::LogGroup does not support DeletionPolicy Snapshot",
        ),
        (
            "Resources: {A: {Type: AWS::Logs::LogGroup, Properties: {LogGroupName: !FindInMap [M, a, b]}}}",
            "Unable to get mapping for M::a::b",
        ),
        (
            "Resources: {A: {Type: AWS::Logs::LogGroup, Properties: {LogGroupName: !Select [3, [a, b]]}}}",
            "Fn::Select cannot select nonexistent value at index 3",
        ),
        (
            "Resources: {A: {Type: AWS::Logs::LogGroup, Properties: {LogGroupName: !ImportValue nowhere}}}",
            "No export named nowhere found.",
        ),
        (
            "Resources: {A: {Type: AWS::Logs::LogGroup, Properties: {LogGroupName: !Transform {Name: X}}}}",
            "the function Fn::Transform is not carried out by local-aws",
        ),
        (f"Parameters: {{P: {{Type: Text}}}}\nResources: {{A: {GROUP}}}", "Unrecognized parameter type: Text"),
        (f"Resources: {{A: {GROUP}}}\n#" + "x" * 51_200, "Member must have length less than or equal to 51200"),
    ],
)
def test_a_template_that_breaks_a_rule_is_refused_in_awss_words(stacks: Any, template: str, message: str) -> None:
    assert re.search(message, refusal(stacks, template))


PARAMETERS = f"""
Parameters:
  Any: {{Type: String}}
  One: {{Type: String, Default: a, AllowedValues: [a, b]}}
  Lower: {{Type: String, Default: a, AllowedPattern: "[a-z]+", ConstraintDescription: lower case only}}
  Count: {{Type: Number, Default: 1, MinValue: 1, MaxValue: 9}}
  Long: {{Type: String, Default: abc, MinLength: 3, MaxLength: 5}}
  Numbers: {{Type: List<Number>, Default: "1,2"}}
  Secret: {{Type: String, Default: none, NoEcho: true, AllowedValues: [none, hush]}}
Resources: {{A: {GROUP}}}
"""


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, r"Parameters: \[Any\] must have values"),
        ({"Any": "", "Other": "x"}, r"Parameters: \[Other\] do not exist in the template"),
        ({"Any": "", "One": "c"}, "Parameter 'One' must be one of AllowedValues"),
        ({"Any": "", "Lower": "A"}, "Parameter Lower failed to satisfy constraint: lower case only"),
        ({"Any": "", "Count": "many"}, "Parameter 'Count' must be a number."),
        ({"Any": "", "Count": "0"}, "Parameter 'Count' must be a number not less than 1"),
        ({"Any": "", "Count": "10"}, "Parameter 'Count' must be a number not greater than 9"),
        ({"Any": "", "Long": "ab"}, "Parameter 'Long' must contain at least 3 characters"),
        ({"Any": "", "Long": "abcdef"}, "Parameter 'Long' must contain at most 5 characters"),
        ({"Any": "", "Numbers": "1,two"}, "Parameter 'Numbers' must be a number."),
    ],
)
def test_a_parameter_against_its_rules_is_refused_by_name(stacks: Any, given: dict[str, str], message: str) -> None:
    parameters = [{"ParameterKey": key, "ParameterValue": value} for key, value in given.items()]
    assert re.search(message, refusal(stacks, PARAMETERS, Parameters=parameters))


def test_a_hidden_parameter_is_shown_neither_in_a_refusal_nor_in_the_stack(stacks: Any) -> None:
    wrong = [{"ParameterKey": "Any", "ParameterValue": ""}, {"ParameterKey": "Secret", "ParameterValue": "p4ssw0rd"}]
    assert "p4ssw0rd" not in refusal(stacks, PARAMETERS, Parameters=wrong)
    name = stacks.create(PARAMETERS, {"Any": "", "Secret": "hush"})
    shown = {row["ParameterKey"]: row["ParameterValue"] for row in stacks.describe(name)["Parameters"]}
    assert shown["Secret"] == "****"
    assert shown["Any"] == ""


def test_a_parameter_can_name_an_ssm_parameter(stacks: Any, cloud: Any) -> None:
    name = f"/{stacks.name()}"
    cloud.client("ssm").put_parameter(Name=name, Type="String", Value="from-ssm")
    template = f"""
Parameters: {{P: {{Type: AWS::SSM::Parameter::Value<String>}}}}
Resources: {{A: {GROUP}}}
Outputs: {{P: {{Value: !Ref P}}}}
"""
    stack = stacks.create(template, {"P": name})
    assert stacks.outputs(stack) == {"P": "from-ssm"}
    assert stacks.describe(stack)["Parameters"][0]["ResolvedValue"] == "from-ssm"
    parameters = [{"ParameterKey": "P", "ParameterValue": "/nowhere"}]
    assert "Unable to fetch parameters [/nowhere]" in refusal(stacks, template, Parameters=parameters)


ROLE = """
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties: {AssumeRolePolicyDocument: {Version: 2012-10-17, Statement: []}%s}
"""


def test_a_template_with_a_role_needs_its_users_word_for_it(stacks: Any) -> None:
    for name, capability in (("", "CAPABILITY_IAM"), (", RoleName: x", "CAPABILITY_NAMED_IAM")):
        with pytest.raises(ClientError) as refused:
            stacks.cloudformation.create_stack(StackName=stacks.name(), TemplateBody=ROLE % name)
        assert refused.value.response["Error"] | {"Type": ""} == {
            "Code": "InsufficientCapabilitiesException",
            "Message": f"Requires capabilities : [{capability}]",
            "Type": "",
        }


def test_a_template_tells_what_it_declares_and_needs(stacks: Any) -> None:
    template = "Description: roles\nParameters: {P: {Type: Number, Default: 1, Description: count}}" + ROLE % ""
    validated = stacks.cloudformation.validate_template(TemplateBody=template)
    assert validated["Description"] == "roles"
    assert validated["Capabilities"] == ["CAPABILITY_IAM"]
    parameter = {"ParameterKey": "P", "DefaultValue": "1", "NoEcho": False, "Description": "count"}
    assert validated["Parameters"] == [parameter]
    summary = stacks.cloudformation.get_template_summary(TemplateBody=template)
    assert summary["ResourceTypes"] == ["AWS::IAM::Role"]
    assert summary["Parameters"][0]["ParameterType"] == "Number"


FUNCTIONS = """
Parameters:
  Name: {Type: String, Default: iris}
  Zones: {Type: CommaDelimitedList, Default: "a, b"}
Mappings:
  Sizes: {prod: {count: 2}, staging: {count: 1}}
Conditions:
  IsIris: !Equals [!Ref Name, iris]
  IsRose: !Not [!Condition IsIris]
  Both: !And [!Condition IsIris, !Condition IsRose]
  Either: !Or [!Condition IsIris, !Condition IsRose]
Resources:
  Group: {Type: AWS::Logs::LogGroup, Properties: {LogGroupName: !Sub "/${AWS::StackName}/${Name}"}}
  Rose: {Type: AWS::Logs::LogGroup, Condition: IsRose}
Outputs:
  Ref: {Value: !Ref Group}
  Arn: {Value: !GetAtt Group.Arn}
  LongArn: {Value: {"Fn::GetAtt": Group.Arn}}
  Sub: {Value: !Sub ["${Who} of ${AWS::Region}, ${!Literal}, ${Group}, ${Group.Arn}", {Who: !Ref Name}]}
  Join: {Value: !Join ["-", [a, !Ref Name, 1, true]]}
  Select: {Value: !Select [1, !Ref Zones]}
  Split: {Value: !Select ["0", !Split [":", "x:y"]]}
  If: {Value: !If [IsIris, yes it is, no]}
  Both: {Value: !If [Both, both, not both]}
  Either: {Value: !If [Either, either, neither]}
  FindInMap: {Value: !FindInMap [Sizes, prod, count]}
  Base64: {Value: !Base64 hello}
  Zone: {Value: !Select [0, !GetAZs ""]}
  Cidr: {Value: !Select [1, !Cidr [10.0.0.0/16, 2, 8]]}
  Account: {Value: !Ref AWS::AccountId}
  Never: {Condition: IsRose, Value: !Ref Rose}
"""


def test_every_function_is_carried_out(stacks: Any) -> None:
    name = stacks.create(FUNCTIONS)
    group = f"/{name}/iris"
    arn = f"arn:aws:logs:us-east-1:123456789012:log-group:{group}:*"
    assert stacks.outputs(name) == {
        "Ref": group,
        "Arn": arn,
        "LongArn": arn,
        "Sub": f"iris of us-east-1, ${{Literal}}, {group}, {arn}",
        "Join": "a-iris-1-true",
        "Select": "b",
        "Split": "x",
        "If": "yes it is",
        "Both": "not both",
        "Either": "either",
        "FindInMap": "2",
        "Base64": "aGVsbG8=",
        "Zone": "us-east-1a",
        "Cidr": "10.0.1.0/24",
        "Account": "123456789012",
    }
    assert list(stacks.resources(name)) == ["Group"]


def test_numbers_without_end_are_kept_as_they_were_written(stacks: Any) -> None:
    name = stacks.create("""
Metadata: {Least: -.inf}
Resources:
  Group: {Type: AWS::Logs::LogGroup, Metadata: {Most: [.inf, .nan]}}
""")
    found = stacks.cloudformation.describe_stack_resource(StackName=name, LogicalResourceId="Group")
    assert json.loads(found["StackResourceDetail"]["Metadata"]) == {"Most": [math.inf, ANY]}
    assert stacks.status(name) == "CREATE_COMPLETE"


def test_a_template_in_json_and_one_in_s3_are_taken_too(stacks: Any, cloud: Any, bucket: str) -> None:
    template = json.dumps({"Resources": {"Group": {"Type": "AWS::Logs::LogGroup"}}})
    cloud.client("s3").put_object(Bucket=bucket, Key="t.json", Body=template.encode())
    name = stacks.name()
    url = f"https://{bucket}.s3.us-east-1.amazonaws.com/t.json"
    stacks.cloudformation.create_stack(StackName=name, TemplateURL=url)
    assert stacks.settled(name)["StackStatus"] == "CREATE_COMPLETE"
    assert json.dumps(stacks.cloudformation.get_template(StackName=name)["TemplateBody"]) == template
    with pytest.raises(ClientError, match=r"S3 error: .*nothing\.json"):
        stacks.cloudformation.create_stack(
            StackName=stacks.name(), TemplateURL=f"https://s3.us-east-1.amazonaws.com/{bucket}/nothing.json"
        )


SMALL = "Resources: {Group: {Type: AWS::Logs::LogGroup}}"


@pytest.mark.parametrize(
    "address",
    [
        "https://BUCKET.s3.us-east-1.amazonaws.com/a%20folder/t.yaml",
        "https://BUCKET.s3.amazonaws.com/a%20folder/t.yaml",
        "https://s3.us-east-1.amazonaws.com/BUCKET/a%20folder/t.yaml",
        "https://s3-us-west-2.amazonaws.com/BUCKET/a%20folder/t.yaml",
        "ENDPOINT/BUCKET/a%20folder/t.yaml",
    ],
)
def test_every_operation_reads_a_template_from_s3(stacks: Any, cloud: Any, bucket: str, address: str) -> None:
    cloud.client("s3").put_object(Bucket=bucket, Key="a folder/t.yaml", Body=SMALL.encode())
    url, cloudformation, name = (
        address.replace("BUCKET", bucket).replace("ENDPOINT", cloud.endpoint_url),
        stacks.cloudformation,
        stacks.name(),
    )
    assert cloudformation.validate_template(TemplateURL=url)["Parameters"] == []
    assert cloudformation.get_template_summary(TemplateURL=url)["ResourceTypes"] == ["AWS::Logs::LogGroup"]
    cloudformation.create_change_set(StackName=name, ChangeSetName="first", ChangeSetType="CREATE", TemplateURL=url)
    cloudformation.execute_change_set(StackName=name, ChangeSetName="first")
    assert stacks.settled(name)["StackStatus"] == "CREATE_COMPLETE"
    with pytest.raises(ClientError, match="No updates are to be performed"):
        cloudformation.update_stack(StackName=name, TemplateURL=url)


@pytest.mark.parametrize(
    "url",
    [
        "s3://bucket/t.yaml",
        "http://bucket.s3.amazonaws.com/t.yaml",
        "https://example.com/t.yaml",
        "https://s3.amazonaws.com.example.com/bucket/t.yaml",
        "http://127.0.0.1:1/bucket/t.yaml",
    ],
)
def test_an_address_that_aws_does_not_read_from_is_refused(stacks: Any, url: str) -> None:
    for refuse in (stacks.cloudformation.validate_template, stacks.cloudformation.get_template_summary):
        with pytest.raises(ClientError, match="TemplateURL must be a supported URL"):
            refuse(TemplateURL=url)
    with pytest.raises(ClientError, match="TemplateURL must be a supported URL"):
        stacks.cloudformation.create_stack(StackName=stacks.name(), TemplateURL=url)


def test_a_template_is_limited_in_size_here_and_in_s3(stacks: Any, cloud: Any, bucket: str) -> None:
    def padded(size: int) -> str:
        return SMALL + "\n#" + "x" * (size - len(SMALL) - 2)

    s3, url = cloud.client("s3"), f"https://{bucket}.s3.us-east-1.amazonaws.com/t.yaml"
    stacks.cloudformation.validate_template(TemplateBody=padded(51_200))
    with pytest.raises(ClientError, match=r"'templateBody' failed to satisfy .* less than or equal to 51200"):
        stacks.cloudformation.validate_template(TemplateBody=padded(51_201))
    s3.put_object(Bucket=bucket, Key="t.yaml", Body=padded(1_000_000).encode())
    stacks.cloudformation.validate_template(TemplateURL=url)
    s3.put_object(Bucket=bucket, Key="t.yaml", Body=padded(1_000_001).encode())
    with pytest.raises(ClientError, match="Template may not exceed 1000000 bytes in size"):
        stacks.cloudformation.validate_template(TemplateURL=url)


def test_a_template_that_is_no_text_is_refused(stacks: Any, cloud: Any, bucket: str) -> None:
    cloud.client("s3").put_object(Bucket=bucket, Key="t.zip", Body=b"PK\xff\xfe")
    with pytest.raises(ClientError, match=r"t\.zip is not text"):
        stacks.cloudformation.validate_template(TemplateURL=f"https://{bucket}.s3.us-east-1.amazonaws.com/t.zip")
