"""Finding texts that tell of one person, by what the person is called: ids, addresses and external ids.

A trace counts where it stands as a whole: ``ada@acme.example`` is not found in ``nada@acme.example``, which is
somebody else's address, nor the external id ``42`` in ``1042`` or ``auth0|42``. It is also found as it stands in
reasons, which quote what came in a token: escaped, or cut off with an ellipsis.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import lru_cache

import msgspec

_CUT = "…"

# So much of a trace must stand before an ellipsis to be taken for it.
_LEAST_CUT = 6

# A name goes on over these; over the second ones only if a letter or digit follows or goes before.
_NAME, _JOINTS = r"[\w+%-]", r"[.@|:/]"

_PLAIN = re.compile(r"[a-z0-9@._:|+-]+", re.ASCII)


class Trace(msgspec.Struct, frozen=True):
    """One way in which a text may call the person. Only addresses are the same in upper and lower case."""

    text: str
    is_address: bool

    def stands_in(self, text: str) -> bool:
        """Whether the text holds this as a whole, or all that is left of it before an ellipsis."""
        if self.is_address:
            text = text.lower()
        if self.text in text and _whole(self.text, is_address=self.is_address).search(text):
            return True
        return _CUT in text and any(self._is_cut_off(part) for part in text.split(_CUT)[:-1])

    def _is_cut_off(self, before: str) -> bool:
        for length in range(len(self.text) - 1, _LEAST_CUT - 1, -1):
            if before.endswith(self.text[:length]):
                return _begins(is_address=self.is_address).search(before, 0, len(before) - length) is not None
        return False


class Known(msgspec.Struct, frozen=True):
    """All ways in which texts may call one person, and a part of each, of which one is in every such text."""

    traces: tuple[Trace, ...]
    parts: tuple[str, ...]

    def may_stand_in(self, text: str) -> bool:
        """Whether a closer look is needed; most texts are done with here, at a small part of its price."""
        lowered = text.lower()
        return any(part in lowered for part in self.parts) or _CUT in text


def in_text(traces: str, text: str) -> bool:
    """Whether the text tells of whom ``traces``, a JSON list of strings, call by name."""
    known = _read(traces)
    return known.may_stand_in(text) and any(trace.stands_in(text) for trace in known.traces)


def in_json(traces: str, text: str) -> bool:
    """The same for a JSON text: looks at each string in it, names of members included, and at no number."""
    known = _read(traces)
    return known.may_stand_in(text) and any(
        trace.stands_in(one) for one in _strings(msgspec.json.decode(text)) for trace in known.traces
    )


def parts(traces: str) -> tuple[str, ...]:
    """Of each trace what stands in every text, once that is in lower case, that calls the person so as a whole."""
    return _read(traces).parts


@lru_cache(maxsize=4)
def _read(traces: str) -> Known:
    """Each trace as it is, and as a reason or a JSON text would write it."""
    names = [name.lower() if "@" in name else name for name in msgspec.json.decode(traces, type=list[str]) if name]
    found: dict[Trace, None] = {}
    for name in names:
        quoted = (repr(name), json.dumps(name), json.dumps(name, ensure_ascii=False))
        found.update((Trace(spelling, "@" in name), None) for spelling in (name, *(one[1:-1] for one in quoted)))
    return Known(tuple(found), tuple(dict.fromkeys(map(_plain_part, names))))


def _plain_part(name: str) -> str:
    """The longest part of a name that nobody escapes, in lower case; may be empty, which is in every text."""
    return max(_PLAIN.findall(name.lower()), key=len, default="")


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, member in value.items():
            yield name
            yield from _strings(member)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)


@lru_cache(maxsize=64)
def _whole(trace: str, *, is_address: bool) -> re.Pattern[str]:
    joints = r"\." if is_address else _JOINTS
    return re.compile(rf"{_before(joints)}{re.escape(trace)}(?!{_NAME}|{joints}\w)")


@lru_cache(maxsize=2)
def _begins(*, is_address: bool) -> re.Pattern[str]:
    return re.compile(_before(r"\." if is_address else _JOINTS) + r"\Z")


def _before(joints: str) -> str:
    r"""What may stand before a name; the letter of an escape such as ``\n`` is none of a name's own."""
    return rf"(?:(?<!{_NAME})(?<!\w{joints})|(?<=\\[nrt]))"
