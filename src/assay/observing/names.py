"""What a request is called in numbers and traces: words of ours, of which there are only so many."""

from __future__ import annotations

UNMATCHED = "unmatched"
"""The route of a request that none of the table answers."""

OTHER = "_OTHER"
"""A method that is none of the usual ones, as OpenTelemetry writes it."""

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def method(text: str) -> str:
    """The method, which a caller may have made up."""
    return text if text in _METHODS else OTHER


def route(template: str) -> str:
    """The template of a route, which is empty when none matched."""
    return template or UNMATCHED
