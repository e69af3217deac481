"""Every reason for which an attest is refused, and what to do about it: the one list, kept as data beside this.

The step ``session JWT`` refuses for one reason only, which ``request`` has too.
"""

from __future__ import annotations

import re
import tomllib
from importlib import resources

import msgspec

from assay import errors

ANYTHING = "…"


class Reason(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One reason. ``says`` has … for what differs; empty where the public sentence of the error is the reason.

    ``error_names`` are classes of :mod:`assay.errors`, ``do`` is a remedy in CommonMark.
    """

    step: str
    error_names: tuple[str, ...] = msgspec.field(name="errors")
    says: str = ""
    do: str

    @property
    def kinds(self) -> tuple[type[errors.Error], ...]:
        """The errors that carry this reason."""
        return tuple(getattr(errors, name) for name in self.error_names)


def _listed() -> tuple[Reason, ...]:
    text = resources.files("assay.rules").joinpath("reasons.toml").read_text(encoding="utf-8")
    return tuple(msgspec.convert(tomllib.loads(text)["reason"], list[Reason]))


REASONS = _listed()


def reason_of(refusal: errors.Error) -> Reason | None:
    """The reason in the list that this refusal is for; None for one that no judgement gives."""
    fitting = [each for each in REASONS if type(refusal) in each.kinds and _is_said(each, refusal.detail)]
    # The one that says most: "the condition … is …" fits what "the condition … is of no use: …" says, too.
    return max(fitting, key=lambda each: len(each.says), default=None)


def reason_of_record(code: str, text: str) -> Reason | None:
    """The reason of a refusal that was written down: its code, and its detail or else its public sentence."""
    known = [each for each in REASONS if any(kind.code == code for kind in each.kinds)]
    said = [each for each in known if each.says and _is_said(each, text)]
    unsaid = [each for each in known if not each.says and any(kind.default_message == text for kind in each.kinds)]
    return max(said, key=lambda each: len(each.says), default=unsaid[0] if unsaid else None)


def _is_said(reason: Reason, detail: str) -> bool:
    if not reason.says or not detail:
        return not reason.says and not detail
    pattern = ".*".join(re.escape(part) for part in reason.says.split(ANYTHING))
    return re.fullmatch(pattern, detail, re.DOTALL) is not None
