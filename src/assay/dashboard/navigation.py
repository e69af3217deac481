"""The navigation: the sections there are, and in which order."""

from __future__ import annotations

from assay.model import Vertical

FIRST = (
    ("overview", "Overview"),
    ("profiles", "Trusted Auth Tokens"),
    ("try", "Try a token"),
    ("attempts", "Attempts"),
    ("sessions", "Sessions"),
)
PEOPLE: dict[Vertical, tuple[tuple[str, str], ...]] = {
    "b2b": (("organizations", "Organizations"), ("members", "Members")),
    "consumer": (("users", "Users"),),
}
# Operators are not edited as users are: their own page keeps an owner, and ends sessions with each change.
OF_OPERATORS = frozenset({"overview", "profiles", "try", "attempts", "sessions", "activity"})
LAST = (("keys", "Keys"), ("environment", "Environment"), ("activity", "Activity"))


def sections(vertical: Vertical) -> tuple[tuple[str, str], ...]:
    """The sections of an environment: the last part of the path of each, and its title."""
    return (*FIRST, *PEOPLE[vertical], *LAST)


def is_section(section: str, vertical: Vertical) -> bool:
    """Whether environments of this vertical have the section."""
    return any(section == name for name, _ in sections(vertical))
