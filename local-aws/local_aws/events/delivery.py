"""Delivering an event to the targets of the rules that match it, and telling what could not be delivered.

Which services can be targets is a table, filled by the modules that deliver to them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError
from moto.events.models import Rule as MotoRule

from local_aws.errors import AwsError
from local_aws.events import rules, target_input
from local_aws.events.rules import Target
from local_aws.principal import ADMINISTRATOR, acting_as

if TYPE_CHECKING:
    from local_aws.cloud import Cloud

_LOG = logging.getLogger(__name__)
# Delivers one input to one target; answers the identifier of what came of it, such as an execution's id.
Deliver = Callable[["Cloud", Target, str], str]
_TARGETS: dict[str, Deliver] = {}
# One thread: what happened first is told first.
_BACKGROUND = ThreadPoolExecutor(max_workers=1, thread_name_prefix="events")


class NotDelivered(Exception):
    """A target that did not take what it was sent; the message says why."""


@dataclass(frozen=True)
class Delivery:
    """What became of an event at one target: `result` identifies what it led to, `failure` says why it led nowhere."""

    target: Target
    result: str = ""
    failure: str = ""


def target(service: str) -> Callable[[Deliver], Deliver]:
    """Register a function as the one that delivers to targets whose ARN names this service."""

    def register(function: Deliver) -> Deliver:
        _TARGETS[service] = function
        return function

    return register


def now(cloud: Cloud, message: Mapping[str, Any], targets: Iterable[Target]) -> list[Delivery]:
    """Deliver an event to targets, one after the other; a target that fails holds up no other."""
    return [_delivered(cloud, each, message) for each in targets]


def soon(cloud: Cloud, message: Mapping[str, Any]) -> None:
    """Deliver an event on the default bus in the background, after those before it."""
    _BACKGROUND.submit(_in_background, cloud, message, lambda: rules.targets(cloud, message))


def soon_by(cloud: Cloud, message: Mapping[str, Any], rule: MotoRule) -> None:
    """Deliver an event to the targets of one rule in the background, where the rule matches it."""
    _BACKGROUND.submit(_in_background, cloud, message, lambda: rules.of(rule) if rules.match(rule, message) else [])


def _in_background(cloud: Cloud, message: Mapping[str, Any], targets: Callable[[], list[Target]]) -> None:
    try:
        now(cloud, message, targets())
    except Exception:
        _LOG.exception("the event %s %s was not matched", message["source"], message["detail-type"])


def _delivered(cloud: Cloud, to: Target, message: Mapping[str, Any]) -> Delivery:
    try:
        deliver = _TARGETS.get(to.service)
        if deliver is None:
            raise NotDelivered(f"local-aws delivers no events to {to.service or 'such targets'}")
        # EventBridge acts for itself or as the target's role, not as whoever caused the event.
        with acting_as(ADMINISTRATOR):
            return Delivery(to, result=deliver(cloud, to, target_input.text(to, message)))
    except (NotDelivered, ValueError) as error:
        failure = str(error)
    except AwsError as error:
        failure = f"{error.code}: {error.message}"
    except ClientError as error:
        failure = str(error)
    except Exception as error:
        _LOG.exception("a defect in the delivery of an event to %s", to.arn)
        failure = f"{type(error).__name__}: {error}"
    _LOG.warning("rule %s: %s not delivered to %s: %s", to.rule, message["detail-type"], to.arn, failure)
    return Delivery(to, failure=failure)
