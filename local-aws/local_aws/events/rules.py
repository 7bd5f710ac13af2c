"""The rules of the account's event buses, which moto keeps, and which of them an event matches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from moto.events.models import Rule as MotoRule
from moto.events.models import events_backends

if TYPE_CHECKING:
    from local_aws.cloud import Cloud

_DEFAULT_BUS = "default"


@dataclass(frozen=True)
class Target:
    """Where a rule sends what it matches, as given to PutTargets, and the rule it belongs to."""

    rule: str
    rule_arn: str
    arn: str
    role_arn: str | None
    settings: Mapping[str, Any]

    @property
    def service(self) -> str:
        """The service in the target's ARN."""
        return self.arn.split(":", 3)[2] if self.arn.count(":") > 2 else ""


def targets(cloud: Cloud, message: Mapping[str, Any]) -> list[Target]:
    """The targets of all rules of the default bus that an event matches.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-patterns.html
    """
    buses = events_backends[cloud.settings.account][cloud.settings.region].event_buses
    return [each for rule in list(buses[_DEFAULT_BUS].rules.values()) if match(rule, message) for each in of(rule)]


def of(rule: MotoRule) -> list[Target]:
    """The targets of one rule."""
    return [
        Target(rule.name, rule.arn, target["Arn"], target.get("RoleArn") or rule.role_arn, target)
        for target in list(rule.targets)
    ]


def match(rule: MotoRule, message: Mapping[str, Any]) -> bool:
    """Whether a rule is enabled and its pattern matches an event."""
    # A rule without a pattern is one that runs by a schedule.
    pattern = rule.event_pattern.get_pattern()
    enabled = rule.state != "DISABLED" and bool(pattern)
    return enabled and rule.event_pattern.matches_event(dict(message))  # type: ignore[arg-type]
