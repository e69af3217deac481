"""Request bodies and query strings, read as bytes with limits and turned into plain members."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote_to_bytes

from starlette.types import Receive

from assay import errors, jsontext
from assay.api.credentials import CONTENT_LENGTH, Headers

LIMIT = 1024 * 1024
MOST_ARGUMENTS = 100


class ClientGone(Exception):
    """The caller hung up before its request was complete; there is nobody to answer."""


async def read(headers: Headers, receive: Receive) -> bytes:
    """The whole body. Raises RequestTooLarge as soon as it is known to pass the limit, and ClientGone."""
    announced = headers.get(CONTENT_LENGTH)
    if announced and announced[0].isdigit() and int(announced[0][:20]) > LIMIT:
        raise errors.RequestTooLarge
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body", False):
        body: bytes = message.get("body", b"")
        _check_length(len(body))
        return body
    chunks = bytearray()
    while message["type"] == "http.request":
        chunks += message.get("body", b"")
        _check_length(len(chunks))
        if not message.get("more_body", False):
            return bytes(chunks)
        message = await receive()
    raise ClientGone


def members(body: bytes) -> dict[str, Any]:
    """The members of the body, which is a JSON object or empty. Raises BadRequest (decisions D17)."""
    if not body:
        return {}
    try:
        value = jsontext.loads(body)
    except jsontext.JsonFault as fault:
        raise errors.BadRequest(f"The request body cannot be read: {fault}.") from None
    if not isinstance(value, dict):
        raise errors.BadRequest("The request body must be a JSON object.")
    return value


def query(text: bytes) -> dict[str, Any]:
    """The arguments of a query string. Raises BadRequest for one that comes twice or is not UTF-8."""
    if not text:
        return {}
    try:
        pairs = parse_qsl(text.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MOST_ARGUMENTS)
    except ValueError:
        raise errors.BadRequest("The query string is not UTF-8 or has too many arguments.") from None
    arguments = dict(pairs)
    if len(arguments) != len(pairs):
        raise errors.BadRequest("The query string repeats an argument.")
    if b"%00" in text and any("\x00" in part for pair in pairs for part in pair):
        raise errors.BadRequest("The query string holds a NUL character.")
    return arguments


def path(segments: Mapping[str, str]) -> dict[str, str]:
    """The ids in a path, decoded one by one, so that an encoded slash stays part of its id. Raises BadRequest."""
    return {name: _decoded(name, segment) if "%" in segment else segment for name, segment in segments.items()}


def _decoded(name: str, segment: str) -> str:
    try:
        text = unquote_to_bytes(segment).decode()
    except UnicodeDecodeError:
        raise errors.BadRequest(f"{name}: the path segment is not UTF-8.") from None
    if "\x00" in text:
        raise errors.BadRequest(f"{name}: the path segment holds a NUL character.")
    return text


def _check_length(length: int) -> None:
    if length > LIMIT:
        raise errors.RequestTooLarge
