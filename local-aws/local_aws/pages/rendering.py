"""Templates to HTML: jinja2 with everything escaped, and the words and signs that all templates use."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from local_aws.pages import times
from local_aws.pages.statuses import Status

_LINKED = ("http://", "https://")


def html(template: str, **values: Any) -> str:
    """A template of this package filled with values; one that it asks for and is not given is an error."""
    return _TEMPLATES.get_template(template).render(**values)


def status(name: str | Status) -> Markup:
    """A status with its sign."""
    shown = name if isinstance(name, Status) else Status.of(name)
    return Markup('<span class="status {}"><span class="sign" aria-hidden="true">{}</span>{}</span>').format(
        shown.tone, shown.sign, shown.text
    )


def status_as(text: str, tone: str) -> Markup:
    """Words in a tone, with its sign."""
    return status(Status(text, tone))


def linked(text: str) -> Markup:
    """A text of which the words that are addresses can be followed, in a tab of their own."""
    lines = []
    for line in text.split("\n"):
        words = [_word(word) for word in line.split(" ")]
        lines.append(Markup(" ").join(words))
    return Markup("\n").join(lines)


def pretty(value: Any) -> str:
    """A value as JSON to be read, times as text."""
    return json.dumps(value, indent=2, default=str, ensure_ascii=False)


def _word(word: str) -> Markup:
    if not word.startswith(_LINKED):
        return Markup.escape(word)
    return Markup('<a href="{0}" target="_blank" rel="noreferrer">{0}</a>').format(word)


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
    "linked": linked,
    "pretty": pretty,
    "segment": lambda text: quote(text, safe=""),
}
_TEMPLATES.globals |= {"took": times.took}
