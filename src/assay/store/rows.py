"""Records as rows: a column per field, JSON text where a field holds more than one value.

Numbers, text, bytes and booleans are columns of their own kind; tuples, dicts and Structs are JSON text, so that
the same tables can be had in every database.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterable
from typing import Any, Generic, Literal, TypeVar, Union, get_args, get_origin

import msgspec

from assay.model import (
    Attempt,
    Environment,
    Event,
    JwtTemplate,
    KeptKeys,
    Member,
    Observations,
    OperatorLink,
    OperatorPassword,
    Organization,
    PemFile,
    Profile,
    Project,
    PublicToken,
    RedirectUrl,
    ReplayMark,
    Secret,
    Session,
    SigningKey,
    User,
    WorkspaceKey,
)

R = TypeVar("R", bound=msgspec.Struct)

Parameters = dict[str, Any]


class Rows(Generic[R]):
    """How one kind of record is written to and read from its table. Made once per kind.

    ``columns`` are the names in their order, ``kinds`` the Python type of each.
    """

    def __init__(self, record: type[R], *, without: tuple[str, ...] = ()) -> None:
        kinds: dict[str, Any] = {
            field.name: field.type for field in msgspec.structs.fields(record) if field.name not in without
        }
        self.columns = tuple(kinds)
        self.kinds = kinds
        self._record = record
        self._is_whole = not without
        self._encoded = tuple(place for place, kind in enumerate(kinds.values()) if _is_json(kind))
        self._decoded = tuple((name, _decoder(kind)) for name, kind in kinds.items() if _is_json(kind) or kind is bool)

    def parameters(self, record: R) -> Parameters:
        """The record's columns as named parameters of a statement; the dict is the caller's own."""
        return dict(zip(self.columns, self.values(record)))  # noqa: B905 - both come of the same fields, and it is hot

    def values(self, record: R) -> list[Any]:
        """The record's columns in their order; the list is the caller's own."""
        if self._is_whole:
            values = list(msgspec.structs.astuple(record))
        else:
            values = [getattr(record, name) for name in self.columns]
        for place in self._encoded:
            values[place] = _encode(values[place]).decode()
        return values

    def record(self, row: Iterable[Any]) -> R:
        """The record of a row that was selected with ``columns``, in their order."""
        values = dict(zip(self.columns, row))  # noqa: B905 - a value too few is missed below, and it is hot
        for name, decode in self._decoded:
            values[name] = decode(values[name])
        return self._record(**values)


_encode = msgspec.json.Encoder().encode


def json_text(value: object) -> str:
    """Compact JSON, as it stands in a column."""
    return _encode(value).decode()


def _is_json(kind: object) -> bool:
    """Whether values of this type need JSON text; optional ones are plain types with null."""
    origin = get_origin(kind)
    if origin is Literal:
        return False
    if origin in {Union, types.UnionType}:
        return any(_is_json(one) for one in get_args(kind))
    return kind not in {int, str, bytes, bool, type(None)}


def _decoder(kind: Any) -> Callable[[Any], Any]:  # noqa: ANN401 - a type, in any of its spellings
    return bool if kind is bool else msgspec.json.Decoder(kind).decode


PROJECT = Rows(Project)
ENVIRONMENT = Rows(Environment)
SECRET = Rows(Secret)
PUBLIC_TOKEN = Rows(PublicToken)
WORKSPACE_KEY = Rows(WorkspaceKey)
JWT_TEMPLATE = Rows(JwtTemplate)
REDIRECT_URL = Rows(RedirectUrl)
SIGNING_KEY = Rows(SigningKey)
PROFILE = Rows(Profile, without=("pem_files",))
PEM_FILE = Rows(PemFile)
KEPT_KEYS = Rows(KeptKeys)
ORGANIZATION = Rows(Organization)
MEMBER = Rows(Member)
USER = Rows(User)
OPERATOR_PASSWORD = Rows(OperatorPassword)
OPERATOR_LINK = Rows(OperatorLink)
SESSION = Rows(Session)
REPLAY_MARK = Rows(ReplayMark)
OBSERVATIONS = Rows(Observations)
ATTEMPT = Rows(Attempt)
EVENT = Rows(Event)
