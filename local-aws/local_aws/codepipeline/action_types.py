"""The action types that are carried out here: what their configuration may hold, and how many artifacts they take.

https://docs.aws.amazon.com/codepipeline/latest/userguide/actions-valid-providers.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from local_aws.codepipeline.declaration import Action, ActionType
from local_aws.codepipeline.refusals import invalid_action

_VARIABLE = "#{"


@dataclass(frozen=True)
class Rules:
    """The rules of one action type; `modes` has what else is required by the value of ActionMode.

    `limit` is how long an action of this type may take, of CodePipeline's quotas:
    https://docs.aws.amazon.com/codepipeline/latest/userguide/limits.html
    """

    required: frozenset[str]
    optional: frozenset[str]
    inputs: tuple[int, int]
    outputs: tuple[int, int]
    limit: timedelta
    modes: Mapping[str, frozenset[str]] = field(default_factory=dict)


_CODEBUILD = Rules(
    required=frozenset({"ProjectName"}),
    optional=frozenset({"PrimarySource", "BatchEnabled", "CombineArtifacts", "EnvironmentVariables"}),
    inputs=(1, 5),
    outputs=(0, 5),
    limit=timedelta(hours=8),
)
_TEMPLATE = frozenset({"TemplatePath", "RoleArn"})
_RULES: dict[tuple[str, str], Rules] = {
    ("Source", "CodeStarSourceConnection"): Rules(
        required=frozenset({"ConnectionArn", "FullRepositoryId", "BranchName"}),
        optional=frozenset({"OutputArtifactFormat", "DetectChanges"}),
        inputs=(0, 0),
        outputs=(1, 1),
        limit=timedelta(hours=1),
    ),
    ("Source", "CodeCommit"): Rules(
        required=frozenset({"RepositoryName", "BranchName"}),
        optional=frozenset({"OutputArtifactFormat", "PollForSourceChanges"}),
        inputs=(0, 0),
        outputs=(1, 1),
        limit=timedelta(hours=1),
    ),
    ("Build", "CodeBuild"): _CODEBUILD,
    ("Test", "CodeBuild"): _CODEBUILD,
    ("Approval", "Manual"): Rules(
        required=frozenset(),
        optional=frozenset({"NotificationArn", "CustomData", "ExternalEntityLink"}),
        inputs=(0, 0),
        outputs=(0, 0),
        limit=timedelta(days=7),
    ),
    ("Deploy", "CloudFormation"): Rules(
        required=frozenset({"ActionMode", "StackName"}),
        optional=frozenset(
            {
                "Capabilities",
                "ChangeSetName",
                "OutputFileName",
                "ParameterOverrides",
                "RoleArn",
                "TemplateConfiguration",
                "TemplatePath",
            }
        ),
        inputs=(0, 10),
        outputs=(0, 1),
        limit=timedelta(days=3),
        modes={
            "CREATE_UPDATE": _TEMPLATE,
            "REPLACE_ON_FAILURE": _TEMPLATE,
            "DELETE_ONLY": frozenset({"RoleArn"}),
            "CHANGE_SET_REPLACE": _TEMPLATE | {"ChangeSetName"},
            "CHANGE_SET_EXECUTE": frozenset({"ChangeSetName"}),
        },
    ),
}
_LISTS = {"OutputArtifactFormat": ("CODE_ZIP", "CODEBUILD_CLONE_REF"), "BatchEnabled": ("false",)}


def rules_of(kind: ActionType) -> Rules | None:
    """The rules of an action type, or None for one that is not carried out here."""
    if kind.owner != "AWS" or kind.version != "1":
        return None
    return _RULES.get((kind.category, kind.provider))


def shown() -> list[ActionType]:
    """All action types, for ListActionTypes."""
    return [ActionType(category, "AWS", provider, "1") for category, provider in _RULES]


def artifact_bounds(kind: ActionType) -> tuple[tuple[int, int], tuple[int, int]]:
    """The least and most input artifacts, and the least and most output artifacts, of a type in `shown()`."""
    rules = _RULES[kind.category, kind.provider]
    return rules.inputs, rules.outputs


def check(action: Action, region: str) -> None:
    """Raise `AwsError` (InvalidActionDeclarationException) for the first rule of its type that an action breaks."""
    kind = action.type
    rules = rules_of(kind)
    if rules is None:
        raise invalid_action(
            f"ActionType (Category: '{kind.category}', Provider: '{kind.provider}', Owner: '{kind.owner}', Version: "
            f"'{kind.version}') in action '{action.name}' is not available in region "
            f"'{region.upper().replace('-', '_')}' of local-aws, which has: "
            f"{', '.join(f'{category}/{provider}' for category, provider in _RULES)}"
        )
    _check_configuration(action, rules)
    for count, (least, most), noun in (
        (len(action.inputs), rules.inputs, "input"),
        (len(action.outputs), rules.outputs, "output"),
    ):
        if count < least:
            raise invalid_action(
                f"Action {action.name} declares {count} {noun} artifacts which is less than the minimum count ({least})"
            )
        if count > most:
            raise invalid_action(
                f"Action {action.name} declares {count} {noun} artifacts which is more than the maximum count ({most})"
            )
    if action.timeout_minutes is not None and kind.category != "Approval":
        raise invalid_action(
            f"Action '{action.name}' has timeoutInMinutes, which only manual approval actions may have"
        )
    if action.region is not None and action.region != region:
        raise invalid_action(
            f"Action '{action.name}' is to run in region '{action.region}', but local-aws has only '{region}'"
        )


def _check_configuration(action: Action, rules: Rules) -> None:
    given = action.configuration
    _check_names(action, rules)
    for key, values in _LISTS.items():
        value = given.get(key)
        if value is not None and _VARIABLE not in value and value not in values:
            raise invalid_action(
                f"Action configuration for action '{action.name}' has the value '{value}' for '{key}', local-aws "
                f"carries out: {', '.join(values)}"
            )
    if action.type.provider == "CodeBuild" and len(action.inputs) > 1:
        if "PrimarySource" not in given:
            raise invalid_action(
                f"Action configuration for action '{action.name}' is missing required configuration 'PrimarySource': "
                f"it has {len(action.inputs)} input artifacts"
            )
        if given["PrimarySource"] not in action.inputs:
            raise invalid_action(
                f"PrimarySource '{given['PrimarySource']}' of action '{action.name}' is none of its input artifacts: "
                f"{', '.join(action.inputs)}"
            )


def _check_names(action: Action, rules: Rules) -> None:
    given = action.configuration
    required = set(rules.required)
    mode = given.get("ActionMode")
    if rules.modes and mode is not None and _VARIABLE not in mode:
        if mode not in rules.modes:
            raise invalid_action(
                f"Action configuration for action '{action.name}' has the ActionMode '{mode}', valid are: "
                f"{', '.join(rules.modes)}"
            )
        required |= rules.modes[mode]
    for key in sorted(required - given.keys()):
        raise invalid_action(
            f"Action configuration for action '{action.name}' is missing required configuration '{key}'"
        )
    for key in sorted(given.keys() - rules.required - rules.optional):
        raise invalid_action(f"Action configuration for action '{action.name}' contains unknown configuration '{key}'")
