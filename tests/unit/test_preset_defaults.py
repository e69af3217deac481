"""Defaults of a preset's settings may be made of other settings; what an operator says is taken as it is."""

from __future__ import annotations

from assay.rules.presets import Preset, Setting, fill

PRESET = Preset(
    name="example",
    title="Example",
    about="An example.",
    docs="https://example.com",
    settings={
        "tenant": Setting(about="The tenant.", example="t-1"),
        "issuer": Setting(about="The issuer.", example="https://a.example", default="https://${tenant}.example"),
        "secret": Setting(about="The secret.", example="s", secret=True),
    },
    profile={"issuer": "${issuer}", "key_sources": [{"kind": "hmac", "secret": "${secret}"}]},
)


def test_a_default_is_filled_with_the_settings_before_it() -> None:
    assert fill(PRESET, {"tenant": "t-1", "secret": "s"}, "b2b")["issuer"] == "https://t-1.example"


def test_a_value_of_the_operator_s_stands_over_the_default() -> None:
    given = {"tenant": "t-1", "secret": "s", "issuer": "https://b.example"}
    assert fill(PRESET, given, "b2b")["issuer"] == "https://b.example"


def test_nothing_in_a_value_of_the_operator_s_is_filled_in() -> None:
    filled = fill(PRESET, {"tenant": "t-1", "secret": "${tenant}"}, "b2b")
    assert filled["key_sources"] == [{"kind": "hmac", "secret": "${tenant}"}]
