"""The shipped pack: dated, sourced, and strict about itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubewitness.detect.indicators.pack import COLUMNS, read_tsv, shipped
from kubewitness.model.errors import ContentError

GOOD = "address\t45.9.148.35\tsome-campaign\thigh\t2021-02\t2021-08\t2022-08-31\tscripts\t"


def test_every_shipped_indicator_has_a_source_and_dates() -> None:
    pack = shipped()
    assert len(pack.indicators) > 100
    assert all(one.source and one.first_seen for one in pack.indicators)
    assert all(one.valid_until for one in pack.indicators if one.type in ("address", "domain"))


def test_an_image_of_tutorials_keeps_its_warning() -> None:
    (one,) = [one for one in shipped().indicators if one.value == "pauseyyf/pause"]
    assert one.confidence == "low"
    assert "harmless" in one.note


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (GOOD.replace("address", "adress"), "type 'adress' is not known"),
        (GOOD.replace("high", "certain"), "confidence"),
        (GOOD.replace("2022-08-31", ""), "changes hands"),
        (GOOD.replace("2021-02", "February"), "no date"),
        (GOOD.replace("45.9.148.35", "10.0.0.1"), "private"),
        (GOOD.replace("\tscripts", "\t"), "source"),
        ("address\t45.9.148.35", "columns"),
    ],
)
def test_a_wrong_line_of_the_pack_is_named(tmp_path: Path, line: str, reason: str) -> None:
    path = tmp_path / "a.tsv"
    path.write_text("# words\n" + "\t".join(COLUMNS) + "\n" + GOOD + "\n" + line + "\n")
    with pytest.raises(ContentError, match=reason) as error:
        read_tsv(path)
    assert f"{path}:4" in str(error.value)
