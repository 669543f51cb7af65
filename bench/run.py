"""Measure this project and its peers in one run: `python -m bench.run [--events N] [--quick]`, or `make bench`.

Repeats are interleaved (every peer once, then again), so that a slow minute of the machine hits all of them; the best
of the repeats counts. Slow peers get the first part of the log; figures per event stay comparable. A peer that is not
installed is a row with the reason.
"""

from __future__ import annotations

import argparse
import gzip
import importlib.metadata
import importlib.util
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from bench import generate, readme
from bench.measure import Cost, machine, run
from scenarios import synthetic

PYTHON = sys.executable
ACCEPTED = (0, 1)  # no finding, findings


@dataclass
class Peer:
    """A row of the table."""

    name: str
    command: list[str]
    log: Path
    events: int
    skipped: str = ""
    part: bool = False  # ran on the first part of the log
    costs: list[Cost] = field(default_factory=list)

    @property
    def cpu(self) -> float:
        """Least CPU seconds."""
        return min(cost.cpu for cost in self.costs)

    @property
    def wall(self) -> float:
        """Least wall seconds."""
        return min(cost.wall for cost in self.costs)

    @property
    def peak(self) -> float:
        """Most memory."""
        return max(cost.peak for cost in self.costs)

    @property
    def rate(self) -> float:
        """Events per CPU second."""
        return self.events / self.cpu


def logs(events: int, part: int, folder: Path) -> tuple[Path, Path, Path, Path]:
    """The log, its .gz, its first `part` events and its first event; kept until the generator changes."""
    whole = folder / f"audit-{events}.log"
    packed, first, one = (folder / f"audit-{events}.{end}" for end in ("log.gz", f"first-{part}.log", "first-1.log"))
    if not _fresh(whole):
        print(f"Writing {whole} ...", file=sys.stderr)
        generate.write(whole, events, 42)
    if not _fresh(packed, whole):
        print(f"Writing {packed} ...", file=sys.stderr)
        with whole.open("rb") as source, packed.open("wb") as raw, gzip.GzipFile("", "wb", 6, raw, mtime=0) as target:
            shutil.copyfileobj(source, target, 1 << 20)
    for path, count in ((first, part), (one, 1)):
        with whole.open("rb") as source, path.open("wb") as target:
            target.writelines(islice(source, count))
    return whole, packed, first, one


def _fresh(path: Path, *made_of: Path) -> bool:
    """Whether `path` is there and no older than what makes it."""
    code = [*Path(__file__).parent.glob("*.py"), *Path(synthetic.__file__).parent.glob("*.py"), *made_of]
    others = ("run", "measure", "peers", "readme", "benign", "hkerma", "same")
    writers = [each for each in code if each.stem not in others]
    return path.exists() and path.stat().st_mtime >= max(each.stat().st_mtime for each in writers)


def peers(events: int, part: int, folder: Path, output: Path) -> list[Peer]:
    """All rows."""
    whole, packed, first, one = logs(events, part, folder)

    def own(path: Path, workers: int) -> list[str]:
        options = ["--format", "json", "--output", str(output), "--workers", str(workers), "--quiet"]
        return [PYTHON, "-m", "kubewitness", "investigate", str(path), *options]

    query = 'select(.user.username=="system:anonymous" and .verb=="create")'
    jq = shutil.which("jq") or ""
    return [
        Peer("kubewitness, whole pack, 1 worker", own(whole, 1), whole, events),
        Peer("kubewitness, whole pack, 2 workers", own(whole, 2), whole, events),
        Peer("kubewitness, whole pack, 1 worker, .gz", own(packed, 1), packed, events),
        Peer("kubewitness, one event (start, rules, report)", own(one, 1), one, 1),
        Peer("msgspec decode alone", [PYTHON, "-m", "bench.peers", "decode", str(whole)], whole, events),
        Peer("stdlib json, one predicate", [PYTHON, "-m", "bench.peers", "json", str(first)], first, part, part=True),
        Peer(
            "jq, one predicate", [jq, "-c", query, str(first)], first, part, part=True,
            skipped="" if jq else "no `jq` on this machine",
        ),
        Peer("Zircolite, same rules", [], first, part, skipped=_no_zircolite()),
    ]  # fmt: skip


def _no_zircolite() -> str:
    """Why Zircolite is not measured."""
    if importlib.util.find_spec("zircolite") is None:
        return "not in the Python package index (only as a source checkout or release binary), so not installed"
    return "installed, but not comparable: it needs every nested field mapped by hand first"


def measure(rows: list[Peer], repeats: int) -> None:
    """Run everything `repeats` times, interleaved."""
    for turn in range(repeats):
        for peer in rows:
            if peer.skipped:
                continue
            cost = run(peer.command)
            print(f"{turn + 1}/{repeats} {peer.name}: {cost.cpu:.2f} CPU s, {cost.wall:.2f} s", file=sys.stderr)
            if cost.code not in ACCEPTED:
                peer.skipped = f"ended with code {cost.code}"
                continue
            peer.costs.append(cost)


def _cells(rows: list[Peer]) -> Iterator[list[str]]:
    floor = next((peer for peer in rows if peer.name.startswith("msgspec") and peer.costs), None)
    own = next((peer for peer in rows if peer.costs and peer.name.startswith("kubewitness")), None)
    for peer in rows:
        name = peer.name + (" *" if peer.part else "")
        if not peer.costs:
            yield [name, "", "", "", "", "", "", f"skipped: {peer.skipped}"]
            continue
        size = peer.log.stat().st_size / 1e6
        many = peer.events > 1
        yield [
            name,
            f"{peer.cpu:.2f}",
            f"{peer.wall:.2f}",
            f"{peer.peak:.0f}",
            f"{peer.rate:,.0f}" if many else "",
            f"{size / peer.cpu:,.0f}" if many and peer.log.suffix != ".gz" else "",
            f"{peer.rate / floor.rate:.2f}" if many and floor else "",
            f"{own.rate / peer.rate:.2g}x" if many and own and not peer.name.startswith("kubewitness") else "",
        ]


def _aims(rows: list[Peer]) -> list[str]:
    """The aims beside what was measured."""
    one, two, packed, _, floor, *_ = rows
    if not (one.costs and two.costs and packed.costs and floor.costs):
        return []
    return [
        f"- events per CPU-second with the whole pack: {one.rate:,.0f} (aim: 200,000)",
        f"- share of msgspec decode alone: {one.rate / floor.rate:.0%} (aim: 45 %)",
        f"- two workers against one, wall time: {one.wall / two.wall:.2f} times as fast (aim: 1.8)",
        f"- .gz against plain, CPU: {packed.cpu / one.cpu:.2f} times (aim: at most 1.3)",
        f"- peak memory: {max(one.peak, two.peak, packed.peak):.0f} MiB (aim: below 250)",
    ]


def render(rows: list[Peer], events: int, part: int, *, repeats: int, command: str, load: float) -> str:
    """The section of the README."""
    head = ["what", "CPU s", "wall s", "peak MiB", "events / CPU s", "MB / CPU s", "of decode", "kubewitness is"]
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("kubewitness", "msgspec", "isal"))
    lines = [
        f"Made by `{command}`: {events:,} events, best of {repeats}; * first {part:,} events.",
        f"{machine()}; Python {platform.python_version()}, {versions}; load average at the start {load:.1f}.",
        "",
        readme.table(head, list(_cells(rows))),
        "",
        *_aims(rows),
    ]
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.run", description="Measure this project and its peers.")
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="100,000 events, once, README not touched")
    parser.add_argument("--data", type=Path, default=generate.DATA, help="where the logs are written and kept")
    chosen = parser.parse_args(arguments)
    events, repeats = (100_000, 1) if chosen.quick else (chosen.events, chosen.repeats)
    if events < generate.SMALLEST:
        parser.error(f"--events: at least {generate.SMALLEST}")
    part = max(events // 5, 1)
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as scratch:
        rows = peers(events, part, chosen.data, Path(scratch) / "report.json")
        measure(rows, repeats)
    given = [] if events == 1_000_000 else [f"--events {events}"]
    given += [] if repeats == parser.get_default("repeats") else [f"--repeats {repeats}"]
    command = " ".join(["python -m bench.run", *given]) if given else "make bench"
    text = render(rows, events, part, repeats=repeats, command=command, load=load)
    print(text)
    if not chosen.quick:
        readme.put("speed", text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
