"""The metrics of endpoints in CloudWatch: how often variants were invoked, how long they took, how often they failed.
They are counted call by call and published together.

https://docs.aws.amazon.com/sagemaker/latest/dg/monitoring-cloudwatch.html
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from botocore.exceptions import BotoCoreError, ClientError

from local_aws.cloud import Cloud
from local_aws.store import now

NAMESPACE = "AWS/SageMaker"
_LOG = logging.getLogger(__name__)
_PUBLISH_SECONDS = 5.0


@dataclass
class _Counts:
    """What happened to one variant since it was last published; latencies in microseconds."""

    calls: int = 0
    total: float = 0.0
    least: float = float("inf")
    most: float = 0.0
    client_errors: int = 0
    server_errors: int = 0

    def add(self, seconds: float, status: int) -> None:
        latency = seconds * 1e6
        self.calls += 1
        self.total += latency
        self.least = min(self.least, latency)
        self.most = max(self.most, latency)
        self.client_errors += 400 <= status < 500
        self.server_errors += status >= 500

    def data(self, endpoint: str, variant: str) -> list[dict[str, Any]]:
        dimensions = [{"Name": "EndpointName", "Value": endpoint}, {"Name": "VariantName", "Value": variant}]
        latency = {"SampleCount": self.calls, "Sum": self.total, "Minimum": self.least, "Maximum": self.most}
        counted = {
            "Invocations": self.calls,
            "Invocation4XXErrors": self.client_errors,
            "Invocation5XXErrors": self.server_errors,
        }
        shared = {"Dimensions": dimensions, "Timestamp": now()}
        metrics = [
            {**shared, "MetricName": name, "Unit": "None", "Value": float(value)} for name, value in counted.items()
        ]
        return [*metrics, {**shared, "MetricName": "ModelLatency", "Unit": "Microseconds", "StatisticValues": latency}]


class EndpointMetrics:
    """Counts calls, and publishes the counts every few seconds in which there were any."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._counts: dict[tuple[str, str], _Counts] = {}
        self._lock = threading.Lock()
        threading.Thread(target=self._publish_regularly, name="endpoint metrics", daemon=True).start()

    def count(self, endpoint: str, variant: str, seconds: float, status: int) -> None:
        """Count one call that took so long and was answered with this HTTP status."""
        with self._lock:
            self._counts.setdefault((endpoint, variant), _Counts()).add(seconds, status)

    def publish(self) -> None:
        """Put what was counted so far into CloudWatch."""
        with self._lock:
            counts, self._counts = self._counts, {}
        for (endpoint, variant), counted in counts.items():
            try:
                self._cloud.client("cloudwatch").put_metric_data(
                    Namespace=NAMESPACE, MetricData=counted.data(endpoint, variant)
                )
            except (BotoCoreError, ClientError) as error:
                if not self._cloud.stopping.is_set():
                    _LOG.warning("metrics of endpoint %s could not be published: %s", endpoint, error)

    def _publish_regularly(self) -> None:
        while not self._cloud.stopping.wait(_PUBLISH_SECONDS):
            self.publish()


_METRICS: WeakKeyDictionary[Cloud, EndpointMetrics] = WeakKeyDictionary()
_METRICS_LOCK = threading.Lock()


def endpoint_metrics(cloud: Cloud) -> EndpointMetrics:
    """The one that counts for this cloud."""
    found = _METRICS.get(cloud)
    if found is None:
        with _METRICS_LOCK:
            found = _METRICS.get(cloud) or _METRICS.setdefault(cloud, EndpointMetrics(cloud))
    return found
