"""Policy documents, read once into statements that can be asked whether they apply to a request.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements.html
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from local_aws.iam import conditions
from local_aws.iam.conditions import Condition
from local_aws.iam.context import Context, NotEvaluated
from local_aws.iam.patterns import Patterns

# The version of the policy language with variables; the older one takes ${...} as it is.
_WITH_VARIABLES = "2012-10-17"


@dataclass(frozen=True)
class Query:
    """What is asked: may `action` ("s3:GetObject") be done to `resource` (an ARN, or "*" where it has none)?

    `aliases` are other ARNs under which policies name the same resource. `resource_unknown` says that there is one
    which this cloud cannot name. `principals` are the names of who asks, for policies that have a Principal, and
    `accounts` those of the account they belong to: a Deny of an account means all in it, an Allow leaves it to IAM.
    """

    action: str
    resource: str
    context: Context
    aliases: tuple[str, ...] = ()
    resource_unknown: bool = False
    principals: frozenset[tuple[str, str]] = frozenset()
    accounts: frozenset[tuple[str, str]] = frozenset()


@dataclass(frozen=True)
class Statement:
    """One statement of the policy named `policy`."""

    policy: str
    name: str
    denies: bool
    actions: Patterns | None
    not_actions: Patterns | None
    resources: Patterns | None
    not_resources: Patterns | None
    principals: frozenset[tuple[str, str]] | None
    not_principals: bool
    conditions: tuple[Condition, ...]

    def applies(self, query: Query) -> bool:
        """Whether every element matches; raises `NotEvaluated` where that hangs on what is not known here."""
        if not self._names_action(query):
            return False
        open_question: NotEvaluated | None = None
        for matches in (self._names_principal, self._names_resource, self._meets_conditions):
            try:
                if not matches(query):
                    return False
            except NotEvaluated as error:
                open_question = error
        if open_question is not None:
            raise open_question
        return True

    def _names_action(self, query: Query) -> bool:
        if self.actions is not None:
            return self.actions.match(query.action, query.context)
        return self.not_actions is not None and not self.not_actions.match(query.action, query.context)

    def _names_resource(self, query: Query) -> bool:
        if query.resource_unknown:
            # A resource that cannot be named is denied by whatever may mean it, and allowed by what means all.
            return self.denies or (self.resources is not None and self.resources.everything)
        names = (query.resource, *query.aliases)
        if self.resources is not None:
            return any(self.resources.match(name, query.context) for name in names)
        if self.not_resources is not None:
            return not any(self.not_resources.match(name, query.context) for name in names)
        # A trust policy has no resource: it is the role's own.
        return self.principals is not None

    def _meets_conditions(self, query: Query) -> bool:
        open_question: NotEvaluated | None = None
        for condition in self.conditions:
            try:
                if not condition.holds(query.context):
                    return False
            except NotEvaluated as error:
                open_question = error
        if open_question is not None:
            raise open_question
        return True

    def _names_principal(self, query: Query) -> bool:
        if self.not_principals:
            raise NotEvaluated("element NotPrincipal")
        meant = query.principals | query.accounts if self.denies else query.principals
        return self.principals is None or not self.principals.isdisjoint(meant)


@dataclass(frozen=True)
class Policy:
    """A policy document by the name under which messages and simulations speak of it."""

    name: str
    statements: tuple[Statement, ...]


@functools.lru_cache(1024)
def read(name: str, text: str) -> Policy:
    """The policy of a JSON document; raises `ValueError` for what is none."""
    document = json.loads(text)
    variables = document.get("Version") == _WITH_VARIABLES
    given = document.get("Statement", [])
    statements = given if isinstance(given, list) else [given]
    return Policy(name, tuple(_statement(name, i, each, variables) for i, each in enumerate(statements, start=1)))


def _statement(policy: str, number: int, given: Mapping[str, Any], variables: bool) -> Statement:
    def element(name: str, *, fold_case: bool = False) -> Patterns | None:
        if name not in given:
            return None
        texts = given[name] if isinstance(given[name], list) else [given[name]]
        return Patterns([str(text) for text in texts], variables=variables and not fold_case, fold_case=fold_case)

    return Statement(
        policy=policy,
        name=given.get("Sid") or str(number),
        denies=given.get("Effect") == "Deny",
        actions=element("Action", fold_case=True),
        not_actions=element("NotAction", fold_case=True),
        resources=element("Resource"),
        not_resources=element("NotResource"),
        principals=_principals(given["Principal"]) if "Principal" in given else None,
        not_principals="NotPrincipal" in given,
        conditions=conditions.read(given.get("Condition", {}), variables=variables),
    )


def _principals(element: Any) -> frozenset[tuple[str, str]]:
    if element == "*":
        return frozenset({("AWS", "*")})
    return frozenset(
        (kind, str(name)) for kind, names in element.items() for name in (names if isinstance(names, list) else [names])
    )
