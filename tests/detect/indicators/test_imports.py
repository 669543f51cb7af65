"""Lists that users bring: STIX, MISP, tables, plain lines; what cannot be used is told with its line."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubewitness.detect.indicators.imports import read_all
from kubewitness.detect.indicators.indicator import Pack
from kubewitness.detect.indicators.stix import PatternRefused, values_of_pattern

DIGEST = "3928c5874249cc71b2d88e5c0c00989ac394238747bb7638897fc210531b4aab"


def read(folder: Path, name: str, text: str) -> Pack:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return read_all([path])


def values(pack: Pack) -> list[tuple[str, str]]:
    return [(one.type, one.value) for one in pack.indicators]


def reasons(pack: Pack) -> list[str]:
    return [error.rpartition("/")[2] for error in pack.errors]


def test_a_plain_list_with_comments_and_defanged_values_is_read(tmp_path: Path) -> None:
    text = f"# c2\n45.9.148[.]35\n\nhxxp://evil[.]example/drop/setup.sh  # dropper\n{DIGEST}\n; end\n"
    pack = read(tmp_path, "list.txt", text)
    assert values(pack) == [
        ("address", "45.9.148.35"),
        ("domain", "evil.example"),
        ("url_path", "/drop/setup.sh"),
        ("sha256", DIGEST),
    ]
    assert pack.errors == ()
    assert pack.indicators[0].source == "list:2", "where it came from is kept"


def test_bad_lines_are_told_by_number_and_cost_no_good_one(tmp_path: Path) -> None:
    pack = read(tmp_path, "list.txt", "10.0.0.1\nwhat is this\n45.9.148.35\n" + "x" * 9000 + "\n")
    assert values(pack) == [("address", "45.9.148.35")]
    assert reasons(pack) == [
        "list.txt:1: a private, loopback or reserved address: everybody's",
        "list.txt:2: cannot tell what this value is: name its type",
        "list.txt:4: longer than 8192 characters",
    ]


def test_a_table_has_its_columns_in_any_order(tmp_path: Path) -> None:
    text = (
        "campaign,confidence,value,type,valid_until\n"
        'our case,high,45.9.148.35,ip,2027-01-31\nour case,30,"kube-evil,x",process,\n'
        "our case,low,,ip,\nour case,low,abc,quux,\n"
    )
    pack = read(tmp_path, "iocs.csv", text)
    first, second = pack.indicators
    assert (first.value, first.confidence, first.campaign, first.valid_until) == (
        "45.9.148.35", "high", "our case", "2027-01-31",
    )  # fmt: skip
    assert (second.type, second.value, second.confidence) == ("process", "kube-evil,x", "medium")
    assert reasons(pack) == ["iocs.csv:4: no value", "iocs.csv:5: type 'quux' is not looked for"]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("[ipv4-addr:value = '192.0.2.1']", [("address", "192.0.2.1")]),
        (
            "[ipv4-addr:value = '192.0.2.1' OR domain-name:value = 'c2.example']",
            [("address", "192.0.2.1"), ("domain", "c2.example")],
        ),
        ("[url:value = 'http://a/b\\'c'] OR [file:name IN ('a.sh', 'b.sh')]",
         [("url", "http://a/b'c"), ("file_name", "a.sh"), ("file_name", "b.sh")]),
        (f"[file:hashes.'SHA-256' = '{DIGEST}']", [("sha256", DIGEST)]),
    ],
)  # fmt: skip
def test_simple_patterns_are_read(pattern: str, found: list[tuple[str, str]]) -> None:
    assert values_of_pattern(pattern) == found


@pytest.mark.parametrize(
    "pattern",
    [
        "[ipv4-addr:value = '192.0.2.1' AND domain-name:value = 'c2.example']",
        "[ipv4-addr:value = '192.0.2.1'] FOLLOWEDBY [domain-name:value = 'c2.example']",
        "[ipv4-addr:value = '192.0.2.1'] WITHIN 5 SECONDS",
        "[ipv4-addr:value != '192.0.2.1']",
        "[NOT ipv4-addr:value = '192.0.2.1']",
        "[url:value MATCHES '(a+)+$']",
        "[x-custom:thing = 'a']",
        "[ipv4-addr:value = '192.0.2.1'",
        "ipv4-addr:value = '192.0.2.1'",
        "[ipv4-addr:value IN ('a'",
        "[]",
        "",
        "(" * 50_000,
    ],
)
def test_patterns_that_ask_for_more_are_refused_as_a_whole(pattern: str) -> None:
    with pytest.raises(PatternRefused):
        values_of_pattern(pattern)


@given(st.text(alphabet="[]()'= ORAND\\:-.abip4", max_size=200))
def test_no_pattern_breaks_the_reader(pattern: str) -> None:
    with suppress(PatternRefused):
        assert values_of_pattern(pattern)


def test_a_stix_bundle_gives_its_indicators_and_observables(tmp_path: Path) -> None:
    objects = [
        {"type": "indicator", "id": "indicator--1", "name": "c2", "pattern_type": "stix", "confidence": 90,
         "pattern": "[ipv4-addr:value = '45.9.148.35']", "valid_from": "2026-01-01T00:00:00Z",
         "valid_until": "2026-06-01T00:00:00Z"},
        {"type": "indicator", "id": "indicator--2", "pattern": "[a:b = 'c' AND d:e = 'f']", "pattern_type": "stix"},
        {"type": "indicator", "id": "indicator--3", "pattern": "rule x {}", "pattern_type": "yara"},
        {"type": "indicator", "id": "indicator--4", "pattern": "[ipv4-addr:value = '45.9.148.36']", "revoked": True},
        {"type": "domain-name", "id": "domain-name--1", "value": "c2.example"},
        {"type": "file", "id": "file--1", "hashes": {"SHA-256": DIGEST, "SSDEEP": "x"}},
        {"type": "report", "id": "report--1"}, 7, None,
    ]  # fmt: skip
    pack = read(tmp_path, "b.json", json.dumps({"type": "bundle", "id": "bundle--1", "objects": objects}, indent=1))
    assert values(pack) == [("address", "45.9.148.35"), ("domain", "c2.example"), ("sha256", DIGEST)]
    first = pack.indicators[0]
    assert (first.campaign, first.confidence, first.valid_until) == ("c2", "high", "2026-06-01")
    assert len(pack.errors) == 2
    assert "b.json:1" in pack.errors[0]
    assert pack.errors[0].split(":")[1] not in ("0", "1"), "the line of the object, not of the file"


def test_a_misp_event_gives_what_it_means_for_detection(tmp_path: Path) -> None:
    attributes = [
        {"type": "ip-dst", "value": "45.9.148.35", "to_ids": True, "uuid": "u-1", "comment": "c2"},
        {"type": "ip-src", "value": "45.9.148.36", "to_ids": False, "uuid": "u-2"},
        {"type": "filename|sha256", "value": f"xmrig|{DIGEST}", "to_ids": True},
        {"type": "ip-dst|port", "value": "45.9.148.37|443", "to_ids": True},
        {"type": "comment", "value": "seen in the wild"},
        {"type": "yara", "value": "rule x {}", "to_ids": True},
        {"type": 7}, 9,
    ]  # fmt: skip
    event = {"Event": {"info": "Some campaign", "Attribute": attributes,
                       "Object": [{"Attribute": [{"type": "xmr", "value": "4" * 95, "to_ids": True}]}]}}  # fmt: skip
    pack = read(tmp_path, "m.json", json.dumps({"response": [event]}))
    assert values(pack) == [
        ("address", "45.9.148.35"), ("sha256", DIGEST), ("address", "45.9.148.37"), ("wallet", "4" * 95),
    ]  # fmt: skip
    assert {one.campaign for one in pack.indicators} == {"Some campaign"}
    assert pack.indicators[2].port == 443
    assert len(pack.errors) == 2


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.json", "{"),
        ("a.json", '{"a": 1}'),
        ("a.json", "[" * 100_000),
        ("a.json", '{"objects": [{"type": "indicator", "pattern": 5}]}'),
        ("a.txt", "\x00\x01\x02"),
    ],
)
def test_what_is_no_list_is_told_and_nothing_more(tmp_path: Path, name: str, text: str) -> None:
    pack = read(tmp_path, name, text)
    assert pack.indicators == ()
    assert len(pack.errors) == 1


def test_a_folder_gives_its_lists_and_a_missing_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "d" / "e").mkdir(parents=True)
    (tmp_path / "d" / "e" / "one.txt").write_text("45.9.148.35\n")
    (tmp_path / "d" / "notes.md").write_text("45.9.148.36\n")
    pack = read_all([tmp_path / "d", tmp_path / "gone.txt"])
    assert values(pack) == [("address", "45.9.148.35")]
    assert "cannot be read" in pack.errors[0]
