"""The endpoints that are up in this process, and which instance gets the next call.
The store knows what endpoints there should be; this knows where their traffic goes.
"""

from __future__ import annotations

import random
import threading
from weakref import WeakKeyDictionary

from local_aws.cloud import Cloud
from local_aws.sagemaker.data_capture import CaptureConfig
from local_aws.sagemaker.fleet import Fleet
from local_aws.sagemaker.serving_process import ServingProcess

KIND = "endpoint"
_SERVING = ("InService", "Updating", "RollingBack")
_COMING_UP_SECONDS = 60.0


class NoSuchVariant(Exception):
    """The endpoint has no variant of the name that a call targets."""


class NoInstance(Exception):
    """No instance of the variant is healthy just now."""


class LiveEndpoint:
    """The traffic of one endpoint: fleets with their shares, one fleet but for the time of an update."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.up = threading.Event()
        self._lock = threading.Lock()
        self._traffic: tuple[tuple[Fleet, float], ...] = ()

    @property
    def fleets(self) -> tuple[Fleet, ...]:
        return tuple(fleet for fleet, _ in self._traffic)

    def route(self, *traffic: tuple[Fleet, float]) -> None:
        """Send calls to these fleets by their shares from now on; calls in flight stay where they are."""
        with self._lock:
            self._traffic = traffic
        self.up.set()

    def take(self, target: str | None) -> tuple[ServingProcess, CaptureConfig | None]:
        """The instance for the next call, counted as having one more in flight, and what is captured of it.

        Raises `NoSuchVariant` or `NoInstance`.
        """
        with self._lock:
            fleet = self._fleet()
            if target is not None and target not in fleet.variants:
                raise NoSuchVariant(target)
            variant = target or fleet.choose_variant()
            process = fleet.take(variant)
            if process is None:
                raise NoInstance(variant)
            return process, fleet.capture

    def _fleet(self) -> Fleet:
        if len(self._traffic) == 1:
            return self._traffic[0][0]
        if not self._traffic:
            raise NoInstance(self.name)
        fleets, shares = zip(*self._traffic, strict=True)
        return random.choices(fleets, shares)[0]  # noqa: S311 - traffic, not secrets


class Hosting:
    """All live endpoints of a cloud."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._live: dict[str, LiveEndpoint] = {}
        self._lock = threading.Lock()

    def open(self, name: str) -> LiveEndpoint:
        """The live endpoint of this name, made where it was not."""
        with self._lock:
            return self._live.setdefault(name, LiveEndpoint(name))

    def close(self, name: str) -> LiveEndpoint | None:
        """Have the endpoint answer no more; what it was is for the caller to stop."""
        with self._lock:
            live = self._live.pop(name, None)
        if live is not None:
            live.up.set()
        return live

    def find(self, name: str) -> LiveEndpoint | None:
        """The endpoint of this name once it takes calls, or None where there is none.

        After a restart of the cloud an endpoint in service comes up again: that is waited for.
        """
        live = self._live.get(name)
        if live is None or not live.up.is_set():
            body = self._cloud.store.find(KIND, name)
            if body is None or body["EndpointStatus"] not in _SERVING:
                return None
            live = self.open(name)
            live.up.wait(_COMING_UP_SECONDS)
        return live


_HOSTINGS: WeakKeyDictionary[Cloud, Hosting] = WeakKeyDictionary()
_HOSTINGS_LOCK = threading.Lock()


def hosting(cloud: Cloud) -> Hosting:
    """The live endpoints of a cloud."""
    found = _HOSTINGS.get(cloud)
    if found is None:
        with _HOSTINGS_LOCK:
            found = _HOSTINGS.setdefault(cloud, Hosting(cloud))
    return found
