"""The parameters file: what is wrong in it is said before AWS is asked anything."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
import yaml

from cicd.errors import CicdError
from cicd.parameters import Parameters, check, read_parameters
from cicd.template import read_template

ROOT = Path(__file__).parents[2]
TEMPLATE = read_template()
MANAGED = "arn:aws:sagemaker:eu-west-1:123456789012:mlflow-tracking-server/team"
SECRET = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:mlflow-AbCdEf"
GOOD = {"project_name": "iris", "repository": "team/models", "mlflow_tracking_uri": "https://mlflow.internal"}


def checked(**changes: Any) -> Parameters:
    given = {key: value for key, value in {**GOOD, **changes}.items() if value is not None}
    return check(given, TEMPLATE, "parameters.yaml")


def test_the_roles_reach_the_model_that_is_pinned_as_the_repository_comes() -> None:
    pinned = yaml.safe_load((ROOT / "buildspec.yml").read_text())["env"]["variables"]["MODEL_NAME"]
    assert TEMPLATE.parameters["ModelNames"].default == pinned
    given = yaml.safe_load((ROOT / "cicd" / "parameters.yaml").read_text())["model_names"]
    assert fnmatchcase(pinned, given), "model_names in cicd/parameters.yaml has to cover MODEL_NAME in buildspec.yml"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"repositry": "team/models"}, "repositry is no parameter, perhaps repository is meant"),
        ({"xyzzy": 1}, "xyzzy is no parameter; there are project_name"),
        ({"sage_maker_project_id": "p-1"}, "sage_maker_project_id is no parameter"),
        ({"repository": None}, "repository is missing: owner/name of the repository"),
        ({"mlflow_tracking_uri": None}, "mlflow_tracking_uri is missing"),
        ({"mlflow_tracking_uri": "https://ada:secret@mlflow"}, "without user and password"),
        ({"mlflow_tracking_uri": "mlflow.internal:5000"}, "give an http(s) address"),
        ({"mlflow_tracking_uri": "arn:aws:s3:::mlflow"}, "or the ARN of a managed MLflow"),
        ({"mlflow_tracking_uri": MANAGED}, "mlflow_artifact_bucket is missing"),
        (
            {"mlflow_tracking_uri": MANAGED, "mlflow_artifact_bucket": "mlflow", "mlflow_secret_arn": SECRET},
            "mlflow_secret_arn is of no use with a managed MLflow",
        ),
        ({"mlflow_artifact_bucket": "mlflow"}, "mlflow_artifact_bucket is of a managed MLflow only"),
        ({"project_name": "My Project"}, "lower-case letters, digits and single hyphens"),
        ({"project_name": "a" * 33}, "has 33 characters"),
        ({"provider": "Subversion"}, "give one of GitHub, GitLab, Bitbucket, CodeCommit"),
        ({"branch": ["main", "release"]}, "branch is not a single value"),
        ({"approval_minutes": 1}, "approval_minutes is '1': give a number from 5 to 86400"),
        ({"approval_minutes": "soon"}, "approval_minutes is 'soon'"),
        ({"repository": "models"}, "give owner/name"),
        ({"provider": "CodeCommit"}, "a repository of CodeCommit has no owner"),
        ({"create_repository": True}, "make the repository at GitHub"),
        ({"vpc_id": "vpc-0123456789abcdef0"}, "vpc_id, subnet_ids and security_group_ids go together"),
        ({"stack": "1st"}, "stack is '1st'"),
        ({"model_names": "*"}, "model_names is '*': give the name of a registered model"),
        ({"model_names": "*-tree"}, "model_names is '*-tree'"),
    ],
)
def test_what_does_not_hold_is_said_in_plain_words(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(CicdError) as error:
        checked(**changes)
    assert said in str(error.value)


def test_all_faults_are_named_at_once() -> None:
    with pytest.raises(CicdError) as error:
        checked(repository=None, provider="svn", brnch="main")
    assert all(word in str(error.value) for word in ("repository is missing", "'svn'", "perhaps branch"))


def test_the_example_file_is_not_deployed_as_it_is() -> None:
    with pytest.raises(
        CicdError, match="repository is still the example's; mlflow_tracking_uri is still the example's"
    ):
        read_parameters(Path(__file__).parents[2] / "cicd" / "parameters.yaml", TEMPLATE)


@pytest.mark.parametrize(
    ("content", "said"), [("a: [", "is not YAML"), ("", "holds no keys"), ("- a", "holds no keys")]
)
def test_a_file_that_is_no_mapping_is_refused(tmp_path: Path, content: str, said: str) -> None:
    file = tmp_path / "parameters.yaml"
    file.write_text(content)
    with pytest.raises(CicdError, match=said):
        read_parameters(file, TEMPLATE)


def test_a_file_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(CicdError, match="cannot be read: No such file"):
        read_parameters(tmp_path / "none.yaml", TEMPLATE)


def test_values_become_what_cloudformation_takes() -> None:
    network = {"vpc_id": "vpc-0a", "subnet_ids": ["subnet-1", "subnet-2"], "security_group_ids": "sg-1"}
    found = checked(provider="CodeCommit", repository="models", create_repository=True, **network)
    assert found.stack_name == "iris-cicd"
    assert found.values["CreateRepository"] == "true"
    assert found.values["SubnetIds"] == "subnet-1,subnet-2"
    assert found.values["Branch"] == "main"
    assert "SageMakerProjectName" not in found.values
