"""Networks and sites: which addresses count as the same place."""

from __future__ import annotations

import pytest

from kubewitness.rules.fields import facet_of
from tests.rules.features.events import event, read


@pytest.mark.parametrize(
    ("address", "network", "site"),
    [
        ("203.0.113.7", "203.0.113.0/24", "203.0.0.0/16"),
        ("::ffff:203.0.113.7", "203.0.113.0/24", "203.0.0.0/16"),
        ("2001:db8:1:2::7", "2001:db8:1::/48", "2001:db8::/32"),
        ("fe80::1%eth0", "fe80::/48", "fe80::/32"),
        ("not an address", None, None),
        ("203.0.113.7/8", None, None),
    ],
)
def test_an_address_lies_in_a_network_and_a_site(address: str, network: str | None, site: str | None) -> None:
    came = event(sourceIPs=["192.0.2.1", address])  # the last is the fact
    assert read("source.network", came) == ((network,) if network else ())
    assert read("source.site", came) == ((site,) if site else ())


def test_without_an_address_there_is_neither() -> None:
    assert read("source.network", event()) == read("source.site", event()) == ()


def test_the_source_alone_decides_them() -> None:
    assert facet_of("source.network") == facet_of("source.site") == "source"
