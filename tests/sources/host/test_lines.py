"""Lines and their places, whatever the chunks they come in."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from kubewitness.evidence.opening import Source
from kubewitness.evidence.stretch import Stretch
from kubewitness.sources.host.lines import Lines


class Chunks(Source):
    """A source that hands out the chunks it was made of."""

    def __init__(self, chunks: list[bytes]) -> None:
        super().__init__("item", None)
        self._chunks = chunks

    def open(self):  # type: ignore[no-untyped-def]  # noqa: ANN201
        return iter(self._chunks)


@given(st.lists(st.binary(max_size=40).map(lambda data: data.replace(b"\r", b"r").replace(b"\xef", b"e")), max_size=8))
def test_places_point_at_the_bytes_of_the_line(chunks: list[bytes]) -> None:
    data = b"".join(chunks)
    whole = data.split(b"\n")
    found = list(Lines(Chunks(chunks)))
    assert [place.line for place, _ in found] == [n for n, line in enumerate(whole, 1) if line and not line.isspace()]
    for place, text in found:
        line = data[place.offset : place.offset + place.length]
        assert line == whole[place.line - 1]
        assert text == line.decode("utf-8", "backslashreplace")


def test_a_long_line_is_cut_and_told_and_the_next_one_is_read() -> None:
    lines = Lines(Chunks([b"a" * 700, b"a" * 700 + b"\nnext\n"]), limit=1000)
    assert [(place.length, len(text)) for place, text in lines] == [(1400, 1000), (4, 4)]
    assert lines.cut
    assert "1400 bytes" in lines.cut.reason


def test_a_byte_order_mark_and_carriage_returns_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"\xef\xbb\xbfone\r\ntwo\r\n")
    source = Source("x", Stretch(path, 0, path.stat().st_size))
    assert [text for _, text in Lines(source)] == ["one", "two"]
    assert len(source.sha256) == 64


def never(line: bytes) -> bool:
    return False


def test_lines_nobody_wants_are_counted_and_those_that_are_no_text_are_told() -> None:
    lines = Lines(
        Chunks([b"plain\nt\xe9l\xe9\n\x1b[31mred\x1b[0m of a terminal\n", b"\x01\x02\x03ab\nx\0y\nplain\n"]),
        wanted=never,
    )
    assert not list(lines)
    assert lines.passed == 4
    assert lines.junk
    assert (lines.junk.reason, lines.junk.place.line) == ("2 lines that are no text, this is the first", 4)


def test_a_line_behind_a_block_of_nuls_is_read() -> None:
    lines = Lines(
        Chunks([b"\0" * 4000 + b"kubelet E\nkubelet I\n" + b"\0" * 90]),
        wanted=lambda line: line.startswith(b"kubelet E"),
    )
    assert [(place.line, text) for place, text in lines] == [(1, "kubelet E")]
    assert (lines.passed, lines.junk.reason if lines.junk else "") == (1, "a line that is no text")


def test_a_line_that_is_no_text_is_told_though_the_block_with_its_end_is_clean() -> None:
    lines = Lines(Chunks([b"plain\n\x01\x02\x03", b"ab", b"\nplain\n"]), wanted=never)
    assert not list(lines)
    assert (lines.passed, lines.junk.place.line if lines.junk else 0) == (2, 2)
