"""Requests that say once more what was answered a moment ago.

A product asks about the session of a person with each of their requests, and says the same each time. To read such a
request, to look for the session and to write the answer takes several times what it takes to see that nothing it was
decided upon has changed. What is compared is a digest, so that no secret is kept here.
"""

from __future__ import annotations

import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import msgspec

from assay.api.credentials import AUTHORIZATION, CONTENT_LENGTH, MEMBER_SESSION, MEMBER_SESSION_JWT, Headers
from assay.api.wire.answers import Answered, encode, time
from assay.stories.context import Call, Context
from assay.stories.granted import Granted, Look
from assay.stories.sessions import AuthenticateRequest

_DIGITS = 3
"""Of the length of a body that is looked at, in bytes. One that holds a session token and no more has two or three."""

MOST = 2_000
"""Some eight kilobytes each."""

Render = Callable[[Any, str], Answered]


class Form(msgspec.Struct, frozen=True):
    """An answer but for its request id and its time of the last access, which stand between its three parts."""

    before: bytes
    between: bytes
    after: bytes

    def filled(self, request_id: str, last_accessed_at: int) -> bytes:
        """The answer under this id, for an access at this time (seconds)."""
        parts = (self.before, request_id.encode(), self.between, _written(last_accessed_at), self.after)
        return b"".join(parts)


class Repeat(msgspec.Struct):
    """A request that was answered with a look at a session; ``form`` is made when it comes again."""

    look: Look
    form: Form | None = None


class Repeats:
    """The requests of one route that came lately, at most ``most``. ``render`` makes an answer of what was granted."""

    def __init__(self, render: Render, most: int = MOST) -> None:
        self._render = render
        self._most = most
        self._kept: OrderedDict[bytes, Repeat] = OrderedDict()

    def find(self, key: bytes) -> Repeat | None:
        """The request that came before with this key, which may have to be judged anew all the same."""
        return self._kept.get(key)

    def written(self, context: Context, repeat: Repeat, request_id: str) -> bytes:
        """The answer to a request that comes to the same look once more, under this id."""
        look = repeat.look
        if repeat.form is None:
            repeat.form = form_of(self._render, look.granted)
        return repeat.form.filled(request_id, max(look.view.session.last_accessed_at, int(context.clock())))

    def keep(self, context: Context, key: bytes, call: Call, request: object, granted: Granted) -> None:
        """Keep a request that opened a session by its token and asked for nothing else."""
        if granted.details is None or request != AuthenticateRequest(session_token=granted.session_token):
            return
        look = context.looks.get(granted.details.session.number)
        if look is not None and look.caller is call.caller and look.granted.session_jwt == granted.session_jwt:
            if len(self._kept) >= self._most and key not in self._kept:
                self._kept.popitem(last=False)
            self._kept[key] = Repeat(look)


def is_short(headers: Headers) -> bool:
    """Whether the body is said to be so short that a stranger's costs nothing worth mentioning (R44)."""
    announced = headers.get(CONTENT_LENGTH)
    return announced is not None and len(announced[0]) <= _DIGITS


def key_of(headers: Headers, body: bytes | None) -> bytes | None:
    """A digest of all that an answer depends on: who calls, and what they ask. None for what is not kept."""
    shown = headers.get(AUTHORIZATION)
    if body is None or shown is None or len(shown) > 1 or MEMBER_SESSION in headers or MEMBER_SESSION_JWT in headers:
        return None
    return hashlib.sha256(b"%b\n%b" % (shown[0], body)).digest()


def form_of(render: Render, granted: Granted) -> Form:
    """The form of an answer, found by rendering one with marks that nobody could have put into it."""
    before, _, rest = encode(render(granted.as_of(_SOMETIME), _MARK)).partition(_MARK.encode())
    between, _, after = rest.partition(_written(_SOMETIME))
    return Form(before, between, after)


def _written(seconds: int) -> bytes:
    return _encode(time(seconds))


_encode = msgspec.json.Encoder().encode
# Chosen by chance at each start: what callers put into claims and metadata must not be taken for them.
_MARK = f"request-id-{secrets.token_hex(16)}"
_SOMETIME = 250_000_000_000 + secrets.randbelow(3_000_000_000)
