"""Reading one piece of host evidence in a test, and the recorded machines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from kubewitness.evidence.opening import walk
from kubewitness.model.evidence import Place
from kubewitness.model.host import Host
from kubewitness.sources.host.context import Clock, Context
from kubewitness.sources.host.hosts import HostEvidence, read_hosts

RECORDED = Path(__file__).resolve().parents[3] / "scenarios" / "recorded"
CID = "f60d2ba54be6b158d86f9059c02781477fc272483727776306e9a9a58c5aa5e1"


def lines(text: str, item: str = "item") -> Iterator[tuple[Place, str]]:
    offset = 0
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield Place(item, number, offset, len(line.encode())), line
        offset += len(line.encode()) + 1


def context(item: str = "item", latest: datetime | None = None, zone: timedelta | None = None) -> Context:
    return Context(item, Clock(2024, latest, zone))


def moment(year: int, month: int, day: int, hour: int = 0) -> datetime:
    return datetime(year, month, day, hour, tzinfo=UTC)


def folder(tmp_path: Path, files: Mapping[str, str | bytes]) -> HostEvidence:
    for name, content in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_hosts(walk([str(tmp_path)]), 2024)


def recorded(scenario: str) -> HostEvidence:
    return read_hosts(walk([str(RECORDED / scenario / "evidence")]), 2026)


def only(evidence: HostEvidence) -> Host:
    [host] = evidence.hosts
    return host
