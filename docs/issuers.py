"""Writes docs/how-to/issuers out of the presets and the fixtures of tests/dialects: a page per issuer, and an index.

``docs/generate.py`` calls it; tests run the command of each page, and fail while a page is out of date.
"""

# ruff: noqa: INP001 - a script beside the pages it writes, not a package

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

from assay.rules.presets import Preset, all_presets, fill
from tests.dialects.dialect import JWKS, NOW, OTHER_PROJECT, PEM, SECRET, Dialect, Wrong, filled_in
from tests.dialects.harness import all_dialects
from tests.dialects.minting import values_of

FOLDER = Path(__file__).parent / "how-to" / "issuers"
INDEX = "README.md"
NOTE = "<!-- Written by docs/generate.py out of the preset and its fixture: change those, not this page. -->\n"
STAND_INS = {PEM: "@key.pem", JWKS: "@keys.json", SECRET: "@secret.txt", OTHER_PROJECT: "$OTHER_PROJECT_ID"}
"""What a command says for what the operator has in a file, or has in mind."""

_SHOWN_CHARACTERS = 80
_TIMES = {"exp": "when the token ends", "iat": "when it was made", "nbf": "from when on it counts"}
_READ_CLAIM = re.compile(r"""\bclaims(?:\.(\w+)|\[\s*["']([^"']+)["']\s*\])|claims\.\?(\w+)""")
_FIELDS = {
    "issuer": "Issuer",
    "issuer_check": "Check of the issuer",
    "audience": "Audience",
    "audience_claim": "Where the audience stands",
    "additional_audiences": "Further audiences",
    "algorithms": "Algorithms",
    "typ": "Types",
    "conditions": "Conditions",
    "max_age_seconds": "Greatest age, in seconds",
    "max_lifetime_seconds": "Longest life, in seconds",
    "replay": "Used once only",
    "trust_email": "Addresses count without proof",
}


def pages() -> dict[str, str]:
    """Every page by its name, the index among them."""
    dialects = {dialect.preset: dialect for dialect in reversed(all_dialects())}
    known = [preset for preset in all_presets() if preset.name in dialects]
    made = {f"{preset.name}.md": _page(preset, dialects[preset.name]) for preset in known}
    return {INDEX: _index(known), **made}


def write() -> None:
    """Write every page, and take away those of presets that there are no more."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    made = pages()
    for path in FOLDER.glob("*.md"):
        if path.name not in made:
            path.unlink()
    for name, text in made.items():
        (FOLDER / name).write_text(text, encoding="utf-8")


def command(dialect: Dialect) -> str:
    """The command that makes the profile, with the settings of the fixture, over several lines."""
    lines = [f'assay profile create --project-id "$PROJECT_ID" --preset {dialect.preset} --jit']
    for name, value in dialect.settings.items():
        lines.append(f"  --set {_quoted(f'{name}={filled_in(value, STAND_INS)}')}")
    return " \\\n".join(lines)


def _quoted(word: str) -> str:
    return f'"{word}"' if "$" in word and not set('"`\\') & set(word) else shlex.quote(word)


# ---------------------------------------------------------------- pages


def _index(known: list[Preset]) -> str:
    rows = [[f"[{each.title}]({each.name}.md)", each.about, f"`{each.name}`"] for each in known]
    text = (
        "Each of these issuers has a preset: `assay profile create --preset NAME` fills in its keys, algorithms,"
        " conditions and mapping, and you say what is yours. A preset is looked at when the profile is made and never"
        " again. `assay preset show NAME` shows what it fills in; `assay profile guess -` reads a token from standard"
        " input and names the preset that fits.\n\n"
        "An issuer that is not here needs no preset: [say where its keys come from](../key-sources.md), and map its"
        " claims.\n"
    )
    return "\n".join(["# Known issuers\n", NOTE, text, _table(["Issuer", "Whose tokens", "Preset"], rows)])


def _page(preset: Preset, dialect: Dialect) -> str:
    guessed = "" if dialect.not_guessed else " With a token at hand, `assay profile guess -` proposes the same.\n"
    parts = [
        f"# {preset.title}\n",
        NOTE,
        f"{preset.about} Such tokens are documented [here]({preset.docs}).\n",
        "## Create the profile\n",
        _settings(preset),
        f"```sh\n{command(dialect)}\n```\n",
        f"`--jit` makes people at their first login{_organizations(preset)}.{guessed or chr(10)}",
        "## What is in the token\n",
        _claims(preset, dialect),
        "## What the profile demands\n",
        _demands(preset),
        "## What is refused\n",
        _table(["Token", "Answer", "Why"], [_refusal(name, wrong) for name, wrong in dialect.wrong.items()]),
        _unlike(dialect),
        _notes(preset),
    ]
    return "\n".join(part for part in parts if part).rstrip() + "\n"


def _settings(preset: Preset) -> str:
    needed = "You need a running Assay, and a project of it (`PROJECT_ID`).\n"
    if not preset.settings:
        return needed
    rows = [[f"`{name}`", setting.about, _default(setting.default)] for name, setting in preset.settings.items()]
    return f"{needed}\n{_table(['Setting', 'Meaning', 'Unless set'], rows)}"


def _default(default: str | None) -> str:
    if default is None:
        return "required"
    return f"`{default}`" if default else "nothing"


def _organizations(preset: Preset) -> str:
    mapped = "organization_id" in preset.profile["attribute_mapping"]
    return ", and in a B2B project their organization" if mapped else ""


def _unlike(dialect: Dialect) -> str:
    rows = [[name, good.why] for name, good in dialect.also.items() if good.why]
    return f"## What is accepted as well\n\n{_table(['Token', 'Why'], rows)}" if rows else ""


def _notes(preset: Preset) -> str:
    return "## Good to know\n\n" + "".join(f"- {note}\n" for note in preset.notes) if preset.notes else ""


# ---------------------------------------------------------------- claims


def _claims(preset: Preset, dialect: Dialect) -> str:
    shown = {OTHER_PROJECT: "project-test-…"}
    rows = [
        [f"`{name}`", _code(filled_in(value, shown)), _meaning(preset, dialect, name)]
        for name, value in dialect.claims.items()
    ]
    others = [
        [f"`{name}` (header)", _code(value), _header_meaning(preset, name)]
        for name, value in dialect.header.items()
        if _header_meaning(preset, name)
    ]
    return _table(["Claim", "Such as", "What becomes of it"], rows + others)


def _meaning(preset: Preset, dialect: Dialect, claim: str) -> str:
    profile, mapping = preset.profile, _mapping(preset, dialect)
    told = [attribute for attribute, place in mapping.items() if claim in _read(place)]
    if claim == "email_verified" and "`email`" in mapping and not told:
        told.append("whether the address counts as verified")
    if claim == profile.get("audience_claim", "aud"):
        told.append("the audience")
    if claim == "iss":
        told.append("the issuer" if profile.get("issuer_check") != "none" else "not compared")
    if claim in _TIMES:
        told.append(_TIMES[claim])
    if any(claim in _read_by(text) for text in profile.get("conditions", ())):
        told.append("a condition looks at it")
    if claim == "jti" and "`token_id`" not in mapping:
        told.append("`token_id`")
    if claim in profile.get("kept_claims", ()):
        told.append("kept in the record of the attempt")
    return ", ".join(told)


def _mapping(preset: Preset, dialect: Dialect) -> dict[str, Any]:
    """The mapping with the settings of the fixture, under the names that people read."""
    values = values_of(dialect, **{OTHER_PROJECT: "project-test-00000000-0000-4000-8000-000000000000"})
    vertical = preset.verticals[0]
    mapping = fill(preset, filled_in(dialect.settings, values), vertical)["attribute_mapping"]
    external_id = "`external_member_id` or `external_user_id`" if len(preset.verticals) > 1 else "`external_id`"
    return {external_id if name.startswith("external_") else f"`{name}`": place for name, place in mapping.items()}


def _read(place: Any) -> set[str]:  # noqa: ANN401 - the right side of a mapping
    """The top-level claims that the right side of an attribute reads."""
    if isinstance(place, dict):
        return _read_by(place["cel"]) if "cel" in place else _read(place["from"])
    return {place[1:].partition("/")[0].replace("~1", "/").replace("~0", "~")} if place.startswith("/") else {place}


def _read_by(expression: str) -> set[str]:
    return {name for names in _READ_CLAIM.findall(expression) for name in names if name}


def _header_meaning(preset: Preset, name: str) -> str:
    profile = preset.profile
    told = ["the audience"] if profile.get("audience_claim") == f"header:{name}" else []
    if any(f"header.{name}" in text for text in profile.get("conditions", ())):
        told.append("a condition looks at it")
    return ", ".join(told)


def _demands(preset: Preset) -> str:
    rows = [
        [_FIELDS[name], _value(preset.profile[name])] for name in _FIELDS if preset.profile.get(name, "off") != "off"
    ]
    keys = [["Keys", "<br>".join(_source(each) for each in preset.profile["key_sources"])]]
    text = "`${…}` stands for a setting.\n\n" if preset.settings else ""
    return text + _table(["What", "Must be"], rows + keys)


def _source(source: dict[str, Any]) -> str:
    members = [f"`{value}`" for name, value in source.items() if name != "kind" and isinstance(value, str)]
    return " ".join([f"`{source['kind']}`", *members])


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return "<br>".join(f"`{each}`" for each in value)
    return f"`{value}`"


def _refusal(name: str, wrong: Wrong) -> list[str]:
    link = f"[`{wrong.code}`](../../reference/errors.md#{wrong.code})"
    return [name, f"{link}, at the step “{wrong.step}”", wrong.why]


def _code(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False) if not isinstance(value, str) else value
    if isinstance(value, int) and not isinstance(value, bool) and abs(value - NOW) < 10 * 365 * 86_400:
        return "seconds since 1970"
    short = text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 1] + "…"
    return f"`{short}`" if short else ""


# ---------------------------------------------------------------- text


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines) + "\n"
