"""Presets fill in profiles with what the operator says, and with nothing that could mean something else."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from assay.model import Vertical
from assay.rules import presets
from assay.rules.presets import BadSettings, Preset

MADE: dict[str, Any] = {
    "name": "example",
    "title": "Example",
    "about": "Somebody.",
    "docs": "https://example.com/docs",
    "settings": {
        "audience": {"about": "Whom it is for.", "example": "https://api.example.com"},
        "tenant": {"about": "The tenant.", "example": "42", "pattern": "[0-9]{1,9}"},
        "region": {"about": "The region.", "example": "eu", "default": "us"},
        "secret": {"about": "The secret.", "example": "s", "secret": True, "default": ""},
    },
    "profile": {
        "name": "Example",
        "issuer": "https://${tenant}.example.com/${region}",
        "audience": "${audience}",
        "conditions": ['claims.tid == "${tenant}"', "claims.n in [1, 2]"],
        "key_sources": [{"kind": "jwks", "url": "https://${tenant}.example.com/keys"}],
        "max_lifetime_seconds": 60,
        "attribute_mapping": {
            "external_id": "sub",
            "organization_id": "tid",
            "organization_name": "org",
            "trusted_metadata.tenant": {"from": "tid", "default": "${tenant}"},
        },
    },
}
PRESET = msgspec.convert(MADE, Preset)
GIVEN = {"audience": "us", "tenant": "7"}


def test_settings_stand_wherever_they_are_named() -> None:
    filled = presets.fill(PRESET, GIVEN, "b2b")
    assert filled["issuer"] == "https://7.example.com/us"
    assert filled["conditions"] == ['claims.tid == "7"', "claims.n in [1, 2]"]
    assert filled["key_sources"] == [{"kind": "jwks", "url": "https://7.example.com/keys"}]
    assert filled["max_lifetime_seconds"] == 60
    assert filled["attribute_mapping"]["trusted_metadata.tenant"] == {"from": "tid", "default": "7"}


@pytest.mark.parametrize(
    ("vertical", "attributes"),
    [
        ("b2b", {"external_member_id", "organization_id", "organization_name", "trusted_metadata.tenant"}),
        ("consumer", {"external_user_id", "trusted_metadata.tenant"}),
    ],
)
def test_the_mapping_is_that_of_the_vertical(vertical: Vertical, attributes: set[str]) -> None:
    assert presets.fill(PRESET, GIVEN, vertical)["attribute_mapping"].keys() == attributes


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        pytest.param({"audience": "us"}, "needs the setting tenant, such as 42", id="one missing"),
        pytest.param(GIVEN | {"tennant": "7"}, "no setting tennant; there are: audience, tenant", id="one unknown"),
        pytest.param(GIVEN | {"tenant": "x"}, "tenant looks like 42", id="of another form"),
        pytest.param(GIVEN | {"tenant": "7\n"}, "tenant looks like 42", id="with a line break"),
        pytest.param(GIVEN | {"tenant": ""}, "tenant looks like 42", id="empty"),
        pytest.param(GIVEN | {"audience": 'a" || true || "'}, "audience looks like", id="that ends a CEL string"),
        pytest.param(GIVEN | {"audience": "a\\"}, "audience looks like", id="that ends with an escape"),
        pytest.param(GIVEN | {"audience": "a?b#c"}, "audience looks like", id="that changes a URL"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings: dict[str, str], told: str) -> None:
    with pytest.raises(BadSettings, match=told.replace("?", r"\?")):
        presets.fill(PRESET, settings, "b2b")


def test_a_setting_is_never_taken_for_the_place_of_another() -> None:
    preset = msgspec.structs.replace(
        PRESET,
        settings={**PRESET.settings, "audience": presets.Setting(about="Whom it is for.", example="a", pattern=".*")},
    )
    assert presets.fill(preset, GIVEN | {"audience": "${tenant}"}, "b2b")["audience"] == "${tenant}"


def test_a_preset_for_one_vertical_makes_no_profile_of_the_other() -> None:
    preset = msgspec.structs.replace(PRESET, verticals=("b2b",))
    with pytest.raises(BadSettings, match="for b2b projects, and this is a consumer one"):
        presets.fill(preset, GIVEN, "consumer")


def test_a_preset_is_found_by_its_name() -> None:
    assert [each.name for each in presets.all_presets()] == sorted(each.name for each in presets.all_presets())
    assert presets.find("github_actions") in presets.all_presets()
    assert presets.find("GitHub Actions") is None
