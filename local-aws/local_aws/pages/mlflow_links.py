"""Where MLflow has what a job did: the addresses a job was given, and those its log names when a run ends."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from local_aws.pages.site import Link

_RUN = re.compile(r"https?://[^\s\"'<>]+/#/experiments/\d+/runs/[0-9a-f]{32}\b")
_MODEL = re.compile(r"https?://[^\s\"'<>]+/#/models/([^\s/\"'<>]+)/versions/(\d+)\b")
_NAMES = ("MLFLOW_TRACKING_URI", "tracking-uri", "tracking_uri", "TrackingUri", "MlflowTrackingUri")


def run(log: str) -> Link | None:
    """The last run whose address MLflow's client wrote into a log."""
    found = _RUN.findall(log)
    return Link("MLflow run", found[-1]) if found else None


def models(text: str) -> list[Link]:
    """The model versions whose addresses are in a text."""
    named = {
        match.group(): Link(f"MLflow: {match[1]} version {match[2]}", match.group()) for match in _MODEL.finditer(text)
    }
    return list(named.values())


def server(*settings: Mapping[str, Any]) -> Link | None:
    """The tracking server that the environment, hyperparameters or parameters name, if a browser can go there."""
    for mapping in settings:
        for name in _NAMES:
            value = mapping.get(name)
            if isinstance(value, str) and value.startswith(("http://", "https://")):
                return Link("MLflow", value)
    return None


def known(links: Iterable[Link | None]) -> list[Link]:
    """The links there are, each once."""
    return list({link.path: link for link in links if link is not None}.values())
