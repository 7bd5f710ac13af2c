"""What the statuses of all services come down to: five tones, each with a sign of its own beside its colour."""

from __future__ import annotations

from dataclasses import dataclass

_GOOD, _BAD, _BUSY, _WAITING, _QUIET = "good", "bad", "busy", "waiting", "quiet"
_SIGNS = {_GOOD: "✓", _BAD: "✕", _BUSY: "", _WAITING: "!", _QUIET: "–"}  # noqa: RUF001
_TONES = {
    _GOOD: {"succeeded", "completed", "inservice", "available", "passed", "active"},
    _BAD: {"failed", "failure", "fault", "error", "timed_out", "abandoned", "client_error", "outofservice"},
    _WAITING: {"pending", "waiting", "approve", "completedwithfailures", "incomplete", "unknown"},
    _BUSY: {
        "inprogress",
        "in_progress",
        "executing",
        "starting",
        "stopping",
        "creating",
        "updating",
        "deleting",
        "rollingback",
        "systemupdating",
    },
}
_WORDS = {
    "InProgress": "In progress",
    "IN_PROGRESS": "In progress",
    "InService": "In service",
    "SUCCEEDED": "Succeeded",
    "FAILED": "Failed",
    "STOPPED": "Stopped",
    "FAULT": "Fault",
    "TIMED_OUT": "Timed out",
    "CompletedWithFailures": "Completed with failures",
    "RollingBack": "Rolling back",
    "AVAILABLE": "Available",
    "PENDING": "Pending",
}


@dataclass(frozen=True)
class Status:
    """A status as shown: its words, the tone that colours them, and the sign that says the same without colour."""

    text: str
    tone: str

    @property
    def sign(self) -> str:
        return _SIGNS[self.tone]

    @property
    def moving(self) -> bool:
        return self.tone == _BUSY

    @staticmethod
    def of(name: str) -> Status:
        """The status that an API calls `name`; one of CloudFormation goes by its ending and by a rollback in it."""
        known = name.lower()
        tone = next((tone for tone, names in _TONES.items() if known in names), None)
        if tone is None:
            tone = _stack_tone(name)
        return Status(_WORDS.get(name, name), tone)


def _stack_tone(name: str) -> str:
    if name.endswith("_IN_PROGRESS"):
        return _BUSY
    if name.endswith("_FAILED") or "ROLLBACK" in name:
        return _BAD
    return _GOOD if name.endswith("_COMPLETE") else _QUIET
