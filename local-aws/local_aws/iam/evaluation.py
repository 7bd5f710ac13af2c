"""The decision over a request: an explicit Deny wins, every kind of policy that limits must allow, and one must allow.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from local_aws.iam.context import NotEvaluated
from local_aws.iam.policy import Policy, Query, Statement

# How messages and simulations name a kind of policy, each with its article.
IDENTITY, BOUNDARY, SESSION, RESOURCE = "identity-based", "permissions boundary", "session", "resource-based"


@dataclass(frozen=True)
class Outcome:
    """What some policies say: `denied` and `allowed` are the statements that do so.

    `unsaid` is what could not be evaluated, `denied_unsaid` whether a Deny hangs on it.
    """

    denied: tuple[Statement, ...] = ()
    allowed: tuple[Statement, ...] = ()
    unsaid: tuple[str, ...] = ()
    denied_unsaid: bool = False

    @property
    def denies(self) -> bool:
        return bool(self.denied) or self.denied_unsaid


@dataclass(frozen=True)
class Decision:
    """Whether a request may be carried out; `reason` is the end of AWS's sentence about it, empty where it may."""

    allowed: bool
    reason: str = ""
    explicit: bool = False
    statements: tuple[Statement, ...] = ()


@dataclass(frozen=True)
class Policies:
    """The policies that bear on one principal and one resource; None stands for a kind that does not limit."""

    identity: tuple[Policy, ...]
    boundary: tuple[Policy, ...] | None = None
    session: tuple[Policy, ...] | None = None
    resource: tuple[Policy, ...] = ()


def outcome(policies: Iterable[Policy], query: Query) -> Outcome:
    """What policies say together; a Deny that cannot be evaluated denies, an Allow that cannot does not allow."""
    denied: list[Statement] = []
    allowed: list[Statement] = []
    unsaid: list[str] = []
    denied_unsaid = False
    for policy in policies:
        for statement in policy.statements:
            try:
                if statement.applies(query):
                    (denied if statement.denies else allowed).append(statement)
            except NotEvaluated as error:
                unsaid.append(f"{error} of statement {statement.name} in policy {policy.name}")
                denied_unsaid = denied_unsaid or statement.denies
    return Outcome(tuple(denied), tuple(allowed), tuple(unsaid), denied_unsaid)


def decide(policies: Policies, query: Query) -> Decision:
    """Whether these policies together allow what is asked."""
    found = {IDENTITY: outcome(policies.identity, query), RESOURCE: outcome(policies.resource, query)}
    limits = {BOUNDARY: policies.boundary, SESSION: policies.session}
    found |= {kind: outcome(limit, query) for kind, limit in limits.items() if limit is not None}
    for kind, said in found.items():
        if said.denies:
            article = "an" if kind == IDENTITY else "a"
            reason = f"with an explicit deny in {article} {_policy(kind)}"
            return Decision(False, reason + _unsaid(() if said.denied else said.unsaid), True, said.denied)
    granted = found[IDENTITY].allowed + found[RESOURCE].allowed
    for kind in (BOUNDARY, SESSION):
        if kind in found and not found[kind].allowed:
            return Decision(
                False, f"because no {_policy(kind)} allows the {query.action} action" + _unsaid(found[kind].unsaid)
            )
    if granted:
        return Decision(True, statements=granted)
    unsaid = found[IDENTITY].unsaid + found[RESOURCE].unsaid
    return Decision(False, f"because no {_policy(IDENTITY)} allows the {query.action} action" + _unsaid(unsaid))


def _policy(kind: str) -> str:
    return kind if kind == BOUNDARY else f"{kind} policy"


def _unsaid(unsaid: Sequence[str]) -> str:
    return f" (local-aws does not evaluate {'; nor '.join(dict.fromkeys(unsaid))})" if unsaid else ""
