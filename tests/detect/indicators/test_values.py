"""Values: made whole again, told apart, and refused where they would match nothing or everything."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubewitness.detect.indicators.indicator import IndicatorType
from kubewitness.detect.indicators.values import ValueRefused, canonical, refanged, type_of


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("hxxp://45.9.148[.]35/x", "http://45.9.148.35/x"),
        ("hXXps[://]a[dot]example", "https://a.example"),
        ('"borg(.)wtf"', "borg.wtf"),
        ("c2{.}example", "c2.example"),
    ],
)
def test_what_was_made_harmless_to_click_on_is_made_whole(written: str, meant: str) -> None:
    assert refanged(written) == meant


@pytest.mark.parametrize(
    ("value", "type_"),
    [
        ("45.9.148.35", "address"),
        ("45.9.148.35:443", "address"),
        ("[2001:db8::1]:443", "address"),
        ("borg.wtf", "domain"),
        ("http://borg.wtf/x", "domain"),
        ("d" * 64, "sha256"),
        ("/tmp/.x1mr", "file_path"),
        ("two words", None),
        ("kinsing", None),
    ],
)
def test_the_type_of_a_value_is_told_where_it_can_be_nothing_else(value: str, type_: str | None) -> None:
    assert type_of(value) == type_


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        ("address", "10.0.0.1"),
        ("address", "127.0.0.1"),
        ("address", "224.0.0.1"),
        ("address", "45.9.148.0/24"),
        ("address", "999.1.1.1"),
        ("domain", "localhost"),
        ("file_path", "/tmp/"),
        ("file_path", "relative/path"),
        ("url_path", "/"),
        ("url_path", "/*"),
        ("file_name", "sh"),
        ("sha256", "abc"),
        ("sha256", "d" * 32),
        ("wallet", "46EPFzvnX5GH61ejkPp"),
        ("command", "ls"),
        ("object", "daemonsets"),
        ("image", "UPPER/Case"),
        ("ssh_key", "ssh-rsa short"),
        ("domain", ""),
        ("domain", "a." * 3000 + "com"),
    ],
)
def test_what_is_no_value_of_its_type_or_is_everywhere_is_refused(type_: IndicatorType, value: str) -> None:
    with pytest.raises(ValueRefused):
        canonical(type_, value)


@given(
    st.text(max_size=300), st.sampled_from(["address", "domain", "url_path", "image", "wallet", "ssh_key", "object"])
)
def test_no_text_breaks_it(text: str, type_: IndicatorType) -> None:
    whole = refanged(text)
    type_of(whole)
    try:
        made, port = canonical(type_, whole)
    except ValueRefused:
        return
    assert made
    assert 0 <= port < 65_536
