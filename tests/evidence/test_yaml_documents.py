"""YAML: JSON's scalars and nothing of YAML's magic."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from kubewitness.evidence.documents import Frame, frame_documents
from kubewitness.model.evidence import ParseFailure


def framed(text: bytes) -> list[Frame | ParseFailure]:
    return list(frame_documents(iter([text[:10], text[10:]]), "item"))


def test_documents_are_split_and_placed() -> None:
    first, second = framed(b"# licence\n---\nkind: Event\nauditID: a1\n---\nkind: Event\nauditID: a2\n")
    assert isinstance(first, Frame)
    assert isinstance(second, Frame)
    assert json.loads(first.data) == {"kind": "Event", "auditID": "a1"}
    assert json.loads(second.data)["auditID"] == "a2"
    assert (first.place.line, second.place.line) == (3, 6)


def test_scalars_are_those_of_json() -> None:
    text = b"a: 2024-01-01T01:00:00Z\nb: yes\nc: 0644\nd: 12:30:45\ne: 5\nf: true\ng: ~\nh: '5'\ni: 1.5\nj: .inf\nk:\n"
    (frame,) = framed(text)
    assert isinstance(frame, Frame)
    assert json.loads(frame.data) == {
        "a": "2024-01-01T01:00:00Z", "b": "yes", "c": "0644", "d": "12:30:45", "e": 5, "f": True, "g": None,
        "h": "5", "i": 1.5, "j": ".inf", "k": None,
    }  # fmt: skip


def test_aliases_are_refused() -> None:
    (failure,) = framed(b"a: &x [1, 2]\nb: [*x, *x]\n")
    assert isinstance(failure, ParseFailure)
    assert "aliases" in failure.reason


def test_deep_nesting_is_refused() -> None:
    (failure,) = framed(b"a: " + b"[" * 900 + b"]" * 900 + b"\n")
    assert isinstance(failure, ParseFailure)
    assert "deep" in failure.reason


def test_too_many_parts_are_refused() -> None:
    (failure,) = framed(b"a: [" + b"1," * 250_000 + b"1]\n")
    assert isinstance(failure, ParseFailure)
    assert "parts" in failure.reason


def test_tags_build_no_objects() -> None:
    (failure,) = framed(b"a: !!python/object/apply:os.system ['true']\n")
    assert isinstance(failure, ParseFailure)


def test_a_bad_document_costs_only_itself() -> None:
    first, second, third = framed(b"---\na: 1\n---\na: [unclosed\n---\na: 3\n")
    assert isinstance(first, Frame)
    assert isinstance(second, ParseFailure)
    assert isinstance(third, Frame)
    assert json.loads(third.data) == {"a": 3}


def test_a_log_that_looks_like_yaml_at_first_falls_back_to_lines() -> None:
    frames = framed(b'starting: now\n{"kind":"Event","auditID":"a1"} x: [\n')
    assert [frame.data for frame in frames if isinstance(frame, Frame)][1].startswith(b'{"kind"')


@given(st.text(alphabet="a: -[]{}#&*!|>'\"%@`\n\t\0\x85?,0", max_size=80))
def test_no_text_raises(text: str) -> None:
    framed(b"---\n" + text.encode())
