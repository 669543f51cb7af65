"""Claims about the second pass: it finds the same events, whether it knows their places or has to read granules."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest

from kubewitness.detect import aspects, collect, places, profile, run, scan
from kubewitness.detect.collect import Collector, Needle, search
from kubewitness.detect.run import Scan
from kubewitness.incident import deeds
from kubewitness.model.event import Event
from tests.detect.scanning import scan_paths
from tests.detect.test_workers import LINES
from tests.incident.logs import Log, account

MADE = Needle("miner", "shop", "2026-03-02T10:00:00.000000Z", "2026-03-02T11:00:00.000000Z")


def lines_of(log: Log) -> list[bytes]:
    """With a controller's work in them."""
    by: dict[str, Any] = {
        "by": account("kube-system", "replicaset-controller"),
        "address": "10.0.0.10",
        "namespace": "shop",
    }
    for number in range(6):
        log.request("create", "pods", at=f"10:0{number}", name=f"miner-{number}", **by)
        log.request("get", "pods", at=f"10:1{number}", name=f"miner-{number}", **by)
    return log.lines()


CONTROLLED = lines_of(Log())


def write(folder: Path, packed: bool = False) -> Path:
    """A file whose lines end as on Windows here and there, with a broken and a blank one."""
    lines = [*LINES[:900], b"", LINES[3][:-9], *CONTROLLED, *LINES[900:]]
    data = b"".join(line + (b"\r\n" if number % 7 == 0 else b"\n") for number, line in enumerate(lines))
    path = folder / ("audit.log.gz" if packed else "audit.log")
    path.write_bytes(gzip.compress(data) if packed else data)
    return path


def shown(events: list[Event]) -> list[object]:
    """Everything about an event that a report could cite."""
    return [(event.place, event.original, event.request, event.stage) for event in events]


def second_pass(found: Scan) -> list[object]:
    """All events of all accessors, and those of the controllers, looked for among all work and among pods made."""
    every = Collector(found).of(found.profiles.by_key)
    made = [shown(search(found, [MADE], makes_pods, among=among)) for among in ("work", "pods made")]
    assert made[0] == made[1]
    return [shown(every), made[0]]


def makes_pods(event: Event) -> bool:
    """Whether pods came of it, and no part of one."""
    return event.verb == "create" and event.resource == "pods" and not event.subresource


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gz"])
@pytest.mark.parametrize("workers", [1, 2])
def test_known_places_change_nothing_but_the_time(
    packed: bool, workers: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, packed)
    known = scan_paths([path], workers=workers)
    noted = [each.places for each in known.profiles.by_key.values()]
    assert all(each is not None for each in noted)
    assert not known.untraced
    assert len(known.traces) >= 6
    monkeypatch.setattr(run, "Room", lambda: places.Room(0))
    unknown = scan_paths([path], workers=workers)
    assert all(each.places is None for each in unknown.profiles.by_key.values())
    assert unknown.untraced
    assert second_pass(known) == second_pass(unknown)
    assert len(second_pass(known)[1]) == 6  # type: ignore[arg-type]


def test_an_accessor_with_many_events_keeps_no_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path)
    before = second_pass(scan_paths([path]))
    for module in (scan, profile):
        monkeypatch.setattr(module, "EACH", 40)
    some = scan_paths([path])
    assert {each.places is None for each in some.profiles.by_key.values()} == {True, False}
    assert second_pass(some) == before


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gz"])
def test_lines_are_the_same_read_alone_or_with_their_granule(
    packed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = scan_paths([write(tmp_path, packed)])
    monkeypatch.setattr(collect, "_MANY", 1 << 30)
    alone = second_pass(found)
    monkeypatch.setattr(collect, "_MANY", 0)
    assert second_pass(found) == alone


def test_what_makes_no_pod_is_not_among_the_pods_made(tmp_path: Path) -> None:
    log = Log()
    by: dict[str, Any] = {"by": account("kube-system", "scheduler"), "address": "10.0.0.10", "namespace": "shop"}
    log.request("create", "pods", at="10:00", name="miner-1", **by)
    log.request("create", "pods", at="10:01", name="miner-1", subresource="binding", **by)
    log.request("update", "pods", at="10:02", name="miner-1", **by)
    log.request("create", "events", at="10:03", name="miner-1.17", **by)
    (tmp_path / "audit.log").write_bytes(b"\n".join(log.lines()))
    found = scan_paths([tmp_path])
    assert (len(found.traces), len(found.pods_made)) == (4, 1)


def test_all_files_of_a_worker_share_one_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(3):
        (tmp_path / f"{number}.log").write_bytes(b"\n".join(CONTROLLED[number::3]))
    monkeypatch.setattr(run, "Room", lambda: places.Room(3))
    found = scan_paths([tmp_path])
    assert len(found.traces) == 3
    assert sum(len(each.places or ()) for each in found.profiles.by_key.values()) <= 3
    assert len(second_pass(found)[1]) == 6  # type: ignore[arg-type]


def test_a_granule_with_a_wrapped_event_is_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    wrapped = b'{"message":' + CONTROLLED[0].replace(b"\\", b"\\\\").replace(b'"', b'\\"').join((b'"', b'"')) + b"}"
    path.write_bytes(b"\n".join([*CONTROLLED[1:], wrapped]) + b"\n")
    found = scan_paths([path])
    assert found.untraced == {0}
    assert len(second_pass(found)[1]) == 6  # type: ignore[arg-type]


def test_places_survive_renumbering_or_are_given_up() -> None:
    place = (3 << places.GRANULE) + (17 << places.START) + 5
    given = places.array("Q", [place])  # type: ignore[attr-defined]
    moved = places.renumbered(given, 40)
    assert moved is not None
    assert places.granule_of(moved[0]) == 43
    assert places.within_granule(moved[0]) == (17, 5)
    assert places.renumbered(given, places.GRANULES - 1) is None


def test_every_workload_is_traced() -> None:
    assert aspects.WORKLOADS >= deeds.WORKLOADS
