"""Templates to HTML: jinja2 with everything escaped, and the words and signs that all templates use."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from local_aws.pages import times
from local_aws.pages.statuses import Status

_FOLLOWED = re.compile(
    r"""(?P<url>https?://[^\s"'<>]*[^\s"'<>.,;:!?)\]}])"""
    r"|arn:aws:sagemaker:[\w-]+:\d+:(?:pipeline/[\w-]+/execution/(?P<execution>\w+)"
    r"|(?P<kind>training-job|processing-job|transform-job|hyper-parameter-tuning-job|endpoint)/(?P<name>[\w-]+))"
)
_SEGMENTS = {
    "training-job": "training-jobs",
    "processing-job": "processing-jobs",
    "transform-job": "transform-jobs",
    "hyper-parameter-tuning-job": "tuning-jobs",
    "endpoint": "endpoints",
}


def html(template: str, **values: Any) -> str:
    """A template of this package filled with values; one that it asks for and is not given is an error."""
    return _TEMPLATES.get_template(template).render(**values)


def status(name: str | Status) -> Markup:
    """A status with its sign."""
    shown = name if isinstance(name, Status) else Status.of(name)
    return Markup('<span class="status {}"><span class="sign" aria-hidden="true">{}</span>{}</span>').format(
        shown.tone, shown.sign, shown.text
    )


def past(name: str) -> Markup:
    """A status that something had once: what was under way then does not move any more."""
    then = Status.of(name)
    return status(Status(then.text, "quiet") if then.moving else then)


def status_as(text: str, tone: str) -> Markup:
    """Words in a tone, with its sign."""
    return status(Status(text, tone))


def linked(text: str) -> Markup:
    """A text in which addresses of the web and ARNs of what has a page here can be followed."""
    parts, end = [], 0
    for match in _FOLLOWED.finditer(text):
        parts += [Markup.escape(text[end : match.start()]), _link(match)]
        end = match.end()
    return Markup("").join([*parts, Markup.escape(text[end:])])


def pretty(value: Any) -> str:
    """A value as JSON to be read, times as text."""
    return json.dumps(value, indent=2, default=str, ensure_ascii=False)


def _link(match: re.Match[str]) -> Markup:
    if match["url"]:
        return Markup('<a href="{0}" target="_blank" rel="noreferrer">{0}</a>').format(match["url"])
    path = f"executions/{match['execution']}" if match["execution"] else f"{_SEGMENTS[match['kind']]}/{match['name']}"
    return Markup('<a href="/_local/{}">{}</a>').format(path, match.group())


_TEMPLATES = Environment(
    loader=PackageLoader("local_aws.pages"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_TEMPLATES.filters |= {
    "ago": times.ago,
    "status": status,
    "status_as": status_as,
    "past": past,
    "linked": linked,
    "pretty": pretty,
    "segment": lambda text: quote(text, safe=""),
}
_TEMPLATES.globals |= {"took": times.took}
