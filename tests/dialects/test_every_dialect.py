"""What holds of every preset: it has a fixture, it says nothing that no profile has, and its tokens are recognised."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import pytest

from assay.model import Vertical
from assay.rules import guessing
from assay.rules.expressions import compile_expression
from assay.rules.presets import Preset, all_presets
from assay.stories.profiles import ProfileCreate
from tests.dialects.dialect import GOOD, NOW, OTHER_PROJECT, Dialect, filled_in
from tests.dialects.harness import all_dialects
from tests.dialects.minting import token_of, values_of

DIALECTS = all_dialects()
OTHER = {OTHER_PROJECT: "project-test-00000000-0000-4000-8000-000000000000"}


def cases(dialects: Iterable[Dialect]) -> pytest.MarkDecorator:
    both = [(each, vertical) for each in dialects for vertical in each.verticals]
    return pytest.mark.parametrize(
        ("dialect", "vertical"), both, ids=[f"{each.preset}-{vertical}" for each, vertical in both]
    )


each_preset = pytest.mark.parametrize("preset", all_presets(), ids=lambda preset: preset.name)
each_token = cases(DIALECTS)
recognised = cases(each for each in DIALECTS if not each.not_guessed)
unrecognised = cases(each for each in DIALECTS if each.not_guessed)


def guessed(dialect: Dialect, vertical: Vertical) -> guessing.Guess:
    token = token_of(dialect, GOOD, values_of(dialect, **OTHER))
    return guessing.guess(guessing.look_at(token), vertical, NOW)


@each_preset
def test_a_preset_has_a_fixture_with_at_least_three_wrong_tokens(preset: Preset) -> None:
    found = [dialect for dialect in DIALECTS if dialect.preset == preset.name]
    assert found, "there is no tests/dialects/test_dialect_….py"
    assert sum(len(dialect.wrong) for dialect in found) >= 3


@each_preset
def test_a_preset_says_nothing_that_no_profile_has(preset: Preset) -> None:
    assert preset.profile.keys() <= set(ProfileCreate.__struct_fields__)
    assert {"name", "issuer", "audience", "key_sources", "algorithms", "attribute_mapping"} <= preset.profile.keys()


@each_preset
def test_a_preset_says_where_its_issuer_documents_its_tokens_and_whose_they_are(preset: Preset) -> None:
    assert preset.docs.startswith("https://")
    for text in (preset.about, *(setting.about for setting in preset.settings.values())):
        assert text.endswith("."), text


@each_preset
def test_what_a_preset_is_recognised_by_can_be_compiled(preset: Preset) -> None:
    for text in (preset.hallmark, *(setting.found for setting in preset.settings.values())):
        assert not text or compile_expression(text).reads_token


@recognised
def test_a_token_is_guessed_as_that_of_its_preset_with_the_settings_it_shows(
    dialect: Dialect, vertical: Vertical
) -> None:
    found = guessed(dialect, vertical)
    assert found.preset == dialect.preset, found.also_fitting
    settings = filled_in(dialect.settings, values_of(dialect, **OTHER))
    # A setting that has a default may be shown by the token all the same: Google's hd, for one.
    shown = {name: value for name, value in found.settings.items() if dialect.of.settings[name].default is None}
    assert shown.items() <= settings.items()
    assert set(found.missing) == {name for name in settings if dialect.of.settings[name].default is None} - shown.keys()


@unrecognised
def test_what_a_token_does_not_tell_is_not_guessed(dialect: Dialect, vertical: Vertical) -> None:
    found = guessed(dialect, vertical)
    settings = filled_in(dialect.settings, values_of(dialect, **OTHER))
    assert len(dialect.not_guessed.split()) > 2
    assert (found.preset, found.settings) != (dialect.preset, settings), "it is guessed after all"


@each_token
def test_a_guess_holds_nothing_of_the_signature(dialect: Dialect, vertical: Vertical) -> None:
    token = token_of(dialect, GOOD, values_of(dialect, **OTHER))
    said = msgspec.json.encode(guessing.guess(guessing.look_at(token), vertical, NOW)).decode()
    assert not any(part in said for part in token.split("."))
