"""What a person approves by: the plan of a release in a few sentences, short enough for an approval's message.
CodePipeline takes 1,000 characters: https://docs.aws.amazon.com/codepipeline/latest/userguide/limits.html"""

from collections.abc import Mapping

from model_deploy.plan import Action, Change, Plan
from model_deploy.version import RegisteredVersion

LONGEST = 900
_METRICS = 6
_CHANGES = 5
_LONGEST_VALUE = 32
# Said already: they follow from the version.
_OF_THE_VERSION = frozenset({"ModelName", "ModelVersion", "ModelDataUrl"})


def approval_text(
    version: RegisteredVersion, plans: list[Plan], metrics: Mapping[str, float], digest: str, commit: str
) -> str:
    """The plan as one line of sentences, of at most 900 characters: builds hand variables on line by line.

    What matters most comes first, so that it is the end that is cut where a release changes a great deal.
    """
    tier = f"tier {version.tier}" if version.tier else "no tier"
    sentences = [
        f"Release {version.model_name} version {version.number} ({tier}).",
        *(_stage(each) for each in plans),
        _metrics(metrics),
        _origin(version),
        f"Package digest {digest}, released from commit {commit[:12]}.",
    ]
    text = " ".join(" ".join(sentence.split()) for sentence in sentences if sentence)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 4]} ..."


def _stage(plan: Plan) -> str:
    name, then = plan.deployment.stage, f"version {plan.deployment.parameters['ModelVersion']}"
    if plan.action is Action.NOTHING:
        return f"{name}: serves {then} already, nothing changes."
    if plan.now is None:
        return f"{name}: nothing serves yet, then {then}."
    busy = f" ({plan.now.status})" if plan.now.status.endswith("_IN_PROGRESS") else ""
    also = _also(plan)
    return f"{name}: version {plan.now.parameters.get('ModelVersion', '?')} now{busy}, then {then}{also}."


def _also(plan: Plan) -> str:
    changes = [change for change in plan.changes if change.name not in _OF_THE_VERSION]
    told = [_change(change) for change in changes[:_CHANGES]]
    if len(changes) > _CHANGES:
        told.append(f"{len(changes) - _CHANGES} more settings")
    if plan.template_changed:
        told.append("endpoint.yaml")
    return f"; also changes {', '.join(told)}" if told else ""


def _change(change: Change) -> str:
    now, then = change.now or "none", change.then or "none"
    return change.name if max(len(now), len(then)) > _LONGEST_VALUE else f"{change.name} {now} to {then}"


def _metrics(metrics: Mapping[str, float]) -> str:
    told = [f"{name} {value:.4g}" for name, value in sorted(metrics.items())[:_METRICS]]
    return f"Metrics: {', '.join(told)}." if told else "Metrics: none are known."


def _origin(version: RegisteredVersion) -> str:
    commit, trigger = version.tags.get("source_commit", ""), version.tags.get("source_trigger", "")
    if not commit and not trigger:
        return "Who trained it is not known."
    return f"Trained by {trigger or 'nobody named'} from commit {commit[:12] or 'unknown'}."
