"""Settings that need more than a copy."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from assay import config


@pytest.mark.parametrize(
    ("text", "networks"),
    [
        ("", ()),
        ("10.1.0.0/16", (ip_network("10.1.0.0/16"),)),
        (" 10.1.2.3 , fd12:3456::/48,", (ip_network("10.1.2.3/32"), ip_network("fd12:3456::/48"))),
    ],
)
def test_networks_of_key_urls(text: str, networks: tuple[config.Network, ...]) -> None:
    assert config.read({"ASSAY_KEY_URL_NETWORKS": text}).key_url_networks == networks


@pytest.mark.parametrize("text", ["10.1.2.3/16", "10.0.0.0/33", "intranet", "10.0.0.0/8;fd00::/8"])
def test_networks_that_cannot_be_read_are_a_fault(text: str) -> None:
    with pytest.raises(config.ConfigFault, match="ASSAY_KEY_URL_NETWORKS"):
        config.read({"ASSAY_KEY_URL_NETWORKS": text})


@pytest.mark.parametrize(("text", "days"), [("", 30), ("1", 1), ("3650", 3650)])
def test_days_that_attempts_and_ended_sessions_are_kept(text: str, days: int) -> None:
    assert config.read({"ASSAY_ATTEMPTS_DAYS": text}).attempts_days == days
    assert config.read({"ASSAY_SESSIONS_KEPT_DAYS": text}).sessions_kept_days == days


@pytest.mark.parametrize("text", ["0", "3651", "-1", "1.5", "a month", " 7", "٣", "9" * 5000])
@pytest.mark.parametrize("variable", ["ASSAY_ATTEMPTS_DAYS", "ASSAY_SESSIONS_KEPT_DAYS"])
def test_days_out_of_range_are_a_fault(variable: str, text: str) -> None:
    with pytest.raises(config.ConfigFault, match=f"{variable} must be a whole number from 1 to 3650"):
        config.read({variable: text})


@pytest.mark.parametrize(("text", "workers"), [("", 1), ("1", 1), ("2", 2), ("64", 64)])
def test_how_many_workers_there_are(text: str, workers: int) -> None:
    assert config.read({"ASSAY_WORKERS": text}).workers == workers


@pytest.mark.parametrize("text", ["0", "65", "-1", "two", "1.0", "100"])
def test_workers_out_of_range_are_a_fault(text: str) -> None:
    with pytest.raises(config.ConfigFault, match="ASSAY_WORKERS must be a whole number from 1 to 64"):
        config.read({"ASSAY_WORKERS": text})
