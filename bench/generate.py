"""Write the benchmark's audit log: JSON lines, deterministic, with a few hundred labelled attack events.

    python -m bench.generate                      # 1,000,000 events, about 1.4 GB, in bench/data/audit.log
    python -m bench.generate --small              # 20,000 events, for a smoke test
    python -m bench.generate --events N --output FILE --gz

Beside FILE it writes `labels.jsonl` (FILE's stem + `.labels.jsonl`): one line per attack request with auditID,
actor, step. The same seed and number give the same bytes. Attacks begin at fixed shares of the log, so every size
holds all of them.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from bench.population import Population
from scenarios.synthetic import intruders
from scenarios.synthetic.intruders import Intruder, Label
from scenarios.synthetic.wire import SECOND

DATA = Path(__file__).parent / "data"
SMALLEST = 20_000  # below, the last attack would be cut off

Attack = Callable[[Population, int], Intruder]


def _buster(people: Population, at: int) -> Intruder:
    return intruders.rbac_buster(people.traffic, at, "203.0.113.77", pace=0.03)[0]


def _stolen(number: int) -> Attack:
    def attack(people: Population, at: int) -> Intruder:
        who, _, _ = people.operators[number]
        return intruders.stolen_token(
            people.traffic, at, f"198.51.100.{30 + number}", who, people.namespaces[number * 7]
        )

    return attack


def _exec(people: Population, at: int) -> Intruder:
    work = people.cluster.workloads[17]
    return intruders.exec_shell(people.traffic, at, "198.51.100.61", people.people[3], work.namespace, work.pods[0][0])


def _sweep(people: Population, at: int) -> Intruder:
    return intruders.secrets_sweep(people.traffic, at, people.operators[14][0], people.namespaces[:110])


def _persistence(number: int) -> Attack:
    def attack(people: Population, at: int) -> Intruder:
        who = people.people[number]
        return intruders.persistence(people.traffic, at, who, people.namespaces[number * 11])

    return attack


def _brute(people: Population, at: int) -> Intruder:
    return intruders.brute_force(people.traffic, at, "203.0.113.140", 60)


ATTACKS: tuple[tuple[float, Attack], ...] = (
    (0.10, _brute), (0.20, _stolen(3)), (0.30, _exec), (0.38, _buster), (0.55, _sweep), (0.62, _stolen(11)),
    (0.68, _persistence(6)), (0.74, _stolen(14)), (0.80, _persistence(10)),
)  # fmt: skip


def lines(events: int, seed: int, labels: list[Label]) -> Iterator[str]:
    """Exactly `events` lines in the order of the log; `labels` is filled on the way."""
    people = Population(seed)
    waiting = list(ATTACKS)
    written = 0
    while True:
        for line in people.clock.run(people.clock.now + SECOND):
            yield line
            written += 1
            if written == events:
                return
        while waiting and written >= waiting[0][0] * events:
            labels += waiting.pop(0)[1](people, people.clock.now).labels


def write(path: Path, events: int, seed: int, *, packed: bool = False, progress: bool = False) -> list[Label]:
    """Write log and labels; the labels."""
    path.parent.mkdir(parents=True, exist_ok=True)
    labels: list[Label] = []
    begun = time.monotonic()
    with path.open("wb") as raw:
        out = gzip.GzipFile("", "wb", 6, raw, mtime=0) if packed else raw
        batch: list[str] = []
        for number, line in enumerate(lines(events, seed, labels), 1):
            batch.append(line)
            if len(batch) == 500:
                out.write("".join(batch).encode())
                batch.clear()
                if progress and number % 50_000 == 0:
                    print(f"{number:,} events, {time.monotonic() - begun:.0f} s", file=sys.stderr)
        out.write("".join(batch).encode())
        if out is not raw:
            out.close()
    side = path.parent / (path.name.split(".")[0] + ".labels.jsonl")
    side.write_text("".join(json.dumps(label._asdict()) + "\n" for label in labels))
    return labels


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.generate", description="Write the benchmark's audit log.")
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--small", action="store_true", help=f"{SMALLEST:,} events")
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--gz", action="store_true", help="compress")
    chosen = parser.parse_args(arguments)
    events = SMALLEST if chosen.small else chosen.events
    if events < SMALLEST:
        parser.error(f"--events: at least {SMALLEST}")
    path = chosen.output or DATA / f"audit-{events}.log{'.gz' if chosen.gz else ''}"
    labels = write(path, events, chosen.seed, packed=chosen.gz, progress=True)
    print(f"{path}: {events:,} events, {path.stat().st_size:,} bytes, {len(labels)} of them labelled attack requests")
    return 0


if __name__ == "__main__":
    sys.exit(main())
