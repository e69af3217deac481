"""Tokens near good ones, as Hypothesis draws them: a plan of few changes, and the token that it makes.

A plan shrinks to the least change that shows something. Text may be respelled before signing, so that the signature
is over the odd spelling, or after it.
"""

from __future__ import annotations

import base64
import json
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from hypothesis import strategies as st

from assay.rules.algorithms import DEFAULT_ALGORITHMS
from tests.hostile.forging import ORDERS
from tests.issuer import AUDIENCE, IssuerKey, make_key, signature

NOW = 1_800_000_000
LEEWAY = 30
ISSUER = "https://issuer.example"
FAMILIES = ("RSA", "P-256", "P-384", "P-521", "Ed25519", "Ed448")

_YEAR = 366 * 86_400


class Edit(NamedTuple):
    """A change of one member of the header (part 0) or the claims (part 1); ``value`` is JSON text, None: left out."""

    part: int
    name: str
    value: str | None
    again: bool = False


class Spelling(NamedTuple):
    """Another form of a part's text (``form``) or of its base64url (``spelling``), before or after signing."""

    part: int
    form: str
    at: int = 0
    before: bool = True


class Plan(NamedTuple):
    """What a token is made of."""

    family: str
    signed_with: str
    named: str
    allowed: tuple[str, ...]
    edits: tuple[Edit, ...] = ()
    forms: tuple[Spelling, ...] = ()
    spellings: tuple[Spelling, ...] = ()
    made: tuple[str, int] = ("good", 0)
    around: str = ""
    stranger: bool = False

    @property
    def key(self) -> IssuerKey:
        """The key that judges."""
        return make_key(self.family, "fuzz")


# ---------------------------------------------------------------- drawing

_TIMES = [
    str(NOW + offset)
    for offset in (-100_000, -LEEWAY - 1, -LEEWAY, -LEEWAY + 1, -1, 0, 1, LEEWAY, LEEWAY + 1, 300, _YEAR, _YEAR + 1)
]
_ODD_NUMBERS = [
    "0", "-0", "-1", f"{NOW}.5", f"{NOW - 30}.5", f"{NOW + 30}.5", f"{NOW + 31}.0", "1.8e9", "1e308", "1e309",
    "-1e400", "NaN", "Infinity", "-Infinity", "9" * 64, "9" * 65, "9" * 400, "9" * 5000, "01", "0x1", "+1", ".5",
]  # fmt: skip
_ODD_STRINGS = [
    '""', '"x"', '" "', '"\\u0000"', '"\\ud800"', '"\\ud83d\\ude00"', '"\\u0061lg"', '"é"', f'"{NOW + 300}"', '"1e3"',
    '"JWT"', '"jwt"', '"at+jwt"', '"application/jwt"', '"application/at+jwt"', '"logout+jwt"', '"DEF"', '"A256GCM"',
    '"https://evil.example/jwks"', '"a\nb"', '"' + "k" * 1025 + '"', '"' + "k" * 600 + '"', "'x'", '"unfinished',
]  # fmt: skip
_ODD_VALUES = [
    "null", "true", "false", "[]", "{}", "[1]", '["x"]', '["x",1]', "[null]", "[[]]", '{"a":1}', '{"a":1,"a":2}',
    '[{"b":1,"b":1}]', "[" * 31 + "]" * 31, "[" * 40 + "]" * 40, '["b64"]', '["exp"]', '["crit"]', '["x","x"]', "",
]  # fmt: skip
_AUDIENCES = [
    json.dumps(value)
    for value in (AUDIENCE, [AUDIENCE], [AUDIENCE, "x"], [AUDIENCE, 1], [AUDIENCE, None], [[AUDIENCE]], AUDIENCE[:-1])
]
_ISSUERS = [json.dumps(value) for value in (ISSUER, ISSUER + "/", ISSUER[:-1], ISSUER.upper(), [ISSUER], {ISSUER: 1})]

_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
).map(json.dumps)
_value = st.one_of(
    st.sampled_from(_TIMES),
    st.sampled_from(_ODD_NUMBERS),
    st.sampled_from(_ODD_STRINGS),
    st.sampled_from(_ODD_VALUES),
    _json,
)
_HEADER_NAMES = [
    "alg", "kid", "typ", "cty", "crit", "b64", "zip", "enc", "jwk", "jku", "x5u", "x5c", "x5t", "x5t#S256", "x", "ALG",
    "epk", "apu", "p2c", "nonce", "iss", "a\\u006cg",
]  # fmt: skip
_CLAIM_NAMES = ["iss", "aud", "exp", "nbf", "iat", "sub", "jti", "email", "x", "s\\u0075b", "ISS", "", "__proto__"]
_algorithms = st.sampled_from([*DEFAULT_ALGORITHMS, "none", "HS256", "ES256K", "Ed25519", "rs256", ""])

_header_edit = st.builds(
    Edit,
    st.just(0),
    st.sampled_from(_HEADER_NAMES),
    st.one_of(_value, _algorithms.map(json.dumps), st.none()),
    st.booleans(),
)
_claim_edit = st.builds(Edit, st.just(1), st.sampled_from(_CLAIM_NAMES), st.one_of(_value, st.none()), st.booleans())
_time_edit = st.builds(
    Edit,
    st.just(1),
    st.sampled_from(["exp", "nbf", "iat"]),
    st.sampled_from([*_TIMES, *_ODD_NUMBERS, f'"{NOW + 300}"', "true", "null"]),
    st.just(False),
)
_audience_edit = st.builds(Edit, st.just(1), st.just("aud"), st.sampled_from(_AUDIENCES), st.just(False))
_issuer_edit = st.builds(Edit, st.just(1), st.just("iss"), st.sampled_from(_ISSUERS), st.just(False))
_edit = st.one_of(_header_edit, _claim_edit, _time_edit, _audience_edit, _issuer_edit)

FORMS = (
    "spaces",
    "utf-8-sig",
    "utf-16",
    "utf-32",
    "utf-16-le",
    "tail",
    "line",
    "bad",
    "overlong",
    "list",
    "empty",
    "comment",
)
SPELLINGS = ("pad", "overpad", "stray", "standard", "junk", "line", "dot", "cut", "longer")
MADE = ("good", "flip", "cut", "longer", "zero", "twin", "der", "s+l", "empty", "swap", "ones")

_form = st.builds(Spelling, st.integers(0, 1), st.sampled_from(FORMS))
_spelling = st.builds(Spelling, st.integers(0, 2), st.sampled_from(SPELLINGS), st.integers(0, 400), st.booleans())
_signature_change = st.tuples(st.sampled_from(MADE), st.integers(0, 2000))
_around = st.sampled_from(["\n", " ", "\t", "\r\n", ".", "=", "\u00a0", "\ufeff", "A", "AAAA"])


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """A good token of any family with at most a few things wrong; some of them are wrong only in name."""
    family = draw(st.sampled_from(FAMILIES))
    own = sorted(make_key(family, "fuzz").algorithms & set(DEFAULT_ALGORITHMS))
    signed_with = draw(st.sampled_from(own))
    plan = Plan(family, signed_with, signed_with, DEFAULT_ALGORITHMS)
    kinds = draw(st.lists(st.sampled_from(["edit", "edit", "edit", "form", "spelling", "made", "other"]), max_size=3))
    for kind in kinds:
        plan = _changed(draw, plan, kind)
    return plan


def _changed(draw: st.DrawFn, plan: Plan, kind: str) -> Plan:
    if kind == "edit":
        return plan._replace(edits=(*plan.edits, draw(_edit)))
    if kind == "form":
        return plan._replace(forms=(*plan.forms, draw(_form)))
    if kind == "spelling":
        return plan._replace(spellings=(*plan.spellings, draw(_spelling)))
    if kind == "made":
        return plan._replace(made=draw(_signature_change))
    which = draw(st.sampled_from(["named", "allowed", "around", "stranger"]))
    others: dict[str, Any] = {
        "named": _algorithms,
        "allowed": st.sampled_from([(plan.signed_with,), ("RS256",), ("ES256", "EdDSA")]),
        "around": _around,
        "stranger": st.just(True),
    }
    return plan._replace(**{which: draw(others[which])})


# ---------------------------------------------------------------- making

_HEADER = (("alg", ""), ("kid", '"fuzz"'), ("typ", '"JWT"'))
_CLAIMS = (
    ("iss", json.dumps(ISSUER)),
    ("aud", json.dumps(AUDIENCE)),
    ("sub", '"subject"'),
    ("jti", '"token"'),
    ("iat", str(NOW - 10)),
    ("exp", str(NOW + 300)),
)


def make(plan: Plan) -> str:
    """The token of a plan. Raises nothing, whatever the plan asks for."""
    segments = [_encoded(_text(plan, part)) for part in (0, 1)]
    for each in plan.spellings:
        if each.before and each.part < 2:
            segments[each.part] = _respelled(segments[each.part], each)
    signed = ".".join(segments).encode("utf-8", "surrogatepass")
    key = make_key(plan.family, "fuzz-stranger") if plan.stranger else plan.key
    segments.append(_encoded(_made(plan, signature(plan.signed_with, key.private_key, signed))))
    for each in plan.spellings:
        if not each.before or each.part == 2:
            segments[each.part] = _respelled(segments[each.part], each)
    return ".".join(segments) + plan.around


def _text(plan: Plan, part: int) -> bytes:
    base = _CLAIMS if part else (("alg", json.dumps(plan.named)), *_HEADER[1:])
    members: list[tuple[str, str]] = list(base)
    for edit in plan.edits:
        if edit.part != part:
            continue
        if not edit.again:
            members = [member for member in members if member[0] != edit.name]
        if edit.value is not None:
            members.append((edit.name, edit.value))
    text = "{" + ",".join(f'"{name}":{value}' for name, value in members) + "}"
    for form in plan.forms:
        if form.part == part:
            return _formed(text, form.form)
    return text.encode("utf-8", "surrogatepass")


def _formed(text: str, form: str) -> bytes:
    if form in {"utf-8-sig", "utf-16", "utf-32", "utf-16-le"}:
        return text.encode(form, "surrogatepass")
    raw = text.encode("utf-8", "surrogatepass")
    return {
        "spaces": b" \r\n\t" + raw + b"\n ",
        "tail": raw + b"x",
        "line": raw[:1] + b"\n" + raw[1:],
        "bad": raw[:-1] + b',"y":"\xff"}',
        "overlong": raw[:-1] + b',"y":"\xc1\xa1"}',
        "list": b"[" + raw + b"]",
        "empty": b"",
        "comment": b"/**/" + raw,
    }[form]


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _respelled(segment: str, how: Spelling) -> str:
    at = how.at % (len(segment) + 1)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    if how.form == "stray":
        if not segment or len(segment) % 4 == 0 or segment[-1] not in alphabet:
            return segment
        return segment[:-1] + alphabet[(alphabet.index(segment[-1]) + 1) % 64]
    return {
        "pad": segment + "=" * (-len(segment) % 4),
        "overpad": segment + "====",
        "standard": segment.replace("-", "+").replace("_", "/"),
        "junk": segment[:at] + "!" + segment[at:],
        "line": segment[:at] + "\n" + segment[at:],
        "dot": segment[:at] + "." + segment[at:],
        "cut": segment[:-1],
        "longer": segment + "A",
    }[how.form]


def _made(plan: Plan, made: bytes) -> bytes:
    how, at = plan.made
    half = len(made) // 2
    if how == "flip":
        return made[: at % len(made)] + bytes([made[at % len(made)] ^ (1 << at % 8)]) + made[at % len(made) + 1 :]
    if how in {"twin", "der"}:
        return _ecdsa_form(plan, made, how)
    if how == "s+l":
        if plan.family != "Ed25519":
            return made
        return made[:32] + (int.from_bytes(made[32:], "little") + ORDERS["Ed25519"]).to_bytes(33, "little")[:32]
    return {
        "good": made,
        "cut": made[: at % len(made)],
        "longer": made + bytes(1 + at % 9),
        "zero": bytes(len(made)),
        "empty": b"",
        "swap": made[half:] + made[:half],
        "ones": b"\xff" * len(made),
    }[how]


def _ecdsa_form(plan: Plan, made: bytes, how: str) -> bytes:
    """The other good signature, or the same one as DER."""
    private = plan.key.private_key
    if not isinstance(private, ec.EllipticCurvePrivateKey):
        return made
    half = len(made) // 2
    r, s = int.from_bytes(made[:half], "big"), int.from_bytes(made[half:], "big")
    if how == "der":
        return encode_dss_signature(r, s)
    return made[:half] + (private.curve.group_order - s).to_bytes(half, "big")
