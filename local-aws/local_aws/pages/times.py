"""Points in time and durations as a person reads them, each with its exact value beside it."""

from __future__ import annotations

from datetime import datetime

from markupsafe import Markup

from local_aws.store import now

_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"))


def ago(at: datetime | None) -> Markup:
    """How long ago a point in time was; an en dash for none."""
    if at is None:
        return Markup("–")  # noqa: RUF001
    seconds = (now() - at).total_seconds()
    text = f"in {span(-seconds)}" if seconds < -1 else "just now" if seconds < 2 else f"{_roughly(seconds)} ago"
    exact = at.strftime("%Y-%m-%d %H:%M:%S UTC")
    return Markup('<time datetime="{}" title="{}">{}</time>').format(at.isoformat(), exact, text)


def took(start: datetime | None, end: datetime | None) -> Markup:
    """The time between two points, or up to now where the second is yet to come; an en dash where nothing began."""
    if start is None:
        return Markup("–")  # noqa: RUF001
    seconds = ((end or now()) - start).total_seconds()
    exact = f"{start:%H:%M:%S} to {end:%H:%M:%S} UTC" if end else f"since {start:%H:%M:%S} UTC"
    return Markup('<time datetime="PT{:.1f}S" title="{}">{}</time>').format(max(seconds, 0), exact, span(seconds))


def _roughly(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.0f} s"
    size, unit = next((size, unit) for size, unit in _UNITS if seconds >= size)
    return f"{seconds // size:.0f} {unit}"


def span(seconds: float) -> str:
    """A duration in its largest unit, with the next one where that says more: "4.2 s", "3 min 20 s", "2 d"."""
    seconds = max(seconds, 0)
    if 0 < seconds < 0.95:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 and seconds % 1 else f"{seconds:.0f} s"
    if seconds < 600:
        return f"{seconds // 60:.0f} min {seconds % 60:.0f} s"
    return _roughly(seconds)
