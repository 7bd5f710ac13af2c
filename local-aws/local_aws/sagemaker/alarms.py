"""The alarms that roll an update back: which of them are in ALARM just now.
moto keeps alarms and metrics but never compares them, so that is done here, when someone looks.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

from local_aws.cloud import Cloud
from local_aws.errors import validation_error
from local_aws.sagemaker.endpoint_metrics import NAMESPACE, endpoint_metrics
from local_aws.store import now

_BREACHES: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanThreshold": operator.gt,
    "GreaterThanOrEqualToThreshold": operator.ge,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}


def in_alarm(cloud: Cloud, names: Iterable[str]) -> list[str]:
    """Those of the alarms that are in ALARM, in alphabetical order.

    An alarm on one metric of an endpoint is compared with what the endpoint did in its evaluation periods, and given
    the state that comes of it; any other keeps the state it was set to.
    Raises `AwsError` (ValidationException) for a name that no alarm has.
    """
    wanted = sorted(set(names))
    if not wanted:
        return []
    endpoint_metrics(cloud).publish()
    found = cloud.client("cloudwatch").describe_alarms(AlarmNames=wanted, AlarmTypes=["MetricAlarm", "CompositeAlarm"])
    alarms = {
        alarm["AlarmName"]: alarm for kind in ("MetricAlarms", "CompositeAlarms") for alarm in found.get(kind, [])
    }
    missing = [name for name in wanted if name not in alarms]
    if missing:
        raise validation_error(f"Could not find alarm {', '.join(missing)} of AutoRollbackConfiguration.")
    return [name for name in wanted if _state(cloud, alarms[name]) == "ALARM"]


def _state(cloud: Cloud, alarm: dict[str, Any]) -> str:
    """https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/AlarmThatSendsEmail.html"""
    known = alarm["StateValue"]
    if alarm.get("Namespace") != NAMESPACE or "Statistic" not in alarm or alarm["ComparisonOperator"] not in _BREACHES:
        return known
    period, periods = alarm["Period"], alarm.get("EvaluationPeriods", 1)
    points = cloud.client("cloudwatch").get_metric_statistics(
        Namespace=NAMESPACE,
        MetricName=alarm["MetricName"],
        Dimensions=alarm.get("Dimensions", []),
        StartTime=now() - timedelta(seconds=period * periods),
        EndTime=now() + timedelta(seconds=1),
        Period=period,
        Statistics=[alarm["Statistic"]],
    )["Datapoints"]
    breaches = _BREACHES[alarm["ComparisonOperator"]]
    breaching = sum(breaches(point[alarm["Statistic"]], alarm["Threshold"]) for point in points)
    if alarm.get("TreatMissingData") == "breaching":
        breaching += periods - len(points)
    state = (
        "ALARM"
        if breaching >= alarm.get("DatapointsToAlarm", periods)
        else known
        if known == "ALARM" and not points
        else "OK"
    )
    if state != known:
        cloud.client("cloudwatch").set_alarm_state(
            AlarmName=alarm["AlarmName"],
            StateValue=state,
            StateReason=f"{breaching} of {periods} periods breach the threshold",
        )
    return state
