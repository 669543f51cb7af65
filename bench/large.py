"""How long a large chain takes to build: `python -m bench.large [--events N] [--implicated N]`.

One intruder with thousands of requests of every kind (reads secrets, starts pods, runs commands in them, removes
workloads, makes bindings) in the benchmark's log. What counts is the time from the end of the first pass over the log
to the finished document; the aim is ten seconds for 5,000 implicated requests among 1,000,000 events.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from bench.generate import DATA
from bench.population import Population
from kubewitness.incident.investigate import Options, Progress, investigate
from kubewitness.rules.loader import load_rules
from scenarios.synthetic.intruders import RBAC, Intruder, anonymous_admin
from scenarios.synthetic.wire import SECOND, dump, ref

ADDRESS = "203.0.113.200"
_BEGINS = 0.3  # of the log
_EVERY = 0.1  # seconds between requests of the intruder


class Ransack:
    """An intruder who does everything, as often as asked for."""

    def __init__(self, people: Population) -> None:
        self._people = people
        self._him = Intruder(people.traffic, "ransack")
        self._who = anonymous_admin(ADDRESS, "python-requests/2.31.0", "cluster-system-anonymous")

    def go(self, number: int, at: int) -> None:
        """The request of that number."""
        him, who, namespaces = self._him, self._who, self._people.namespaces
        namespace = namespaces[number // 5 % len(namespaces)]
        match number % 5:
            case 0:
                him.lists("secrets", at, who, "secrets", namespace=namespace)
            case 1:
                self._pod(number, at, namespace)
            case 2:
                name = f"worker-{number - 1}"
                uri = f"/api/v1/namespaces/{namespace}/pods/{name}/exec?command=sh&command=-c&command=id+{number % 7}"
                him.does("exec", at, who, "create", uri, ref("pods", namespace, name, sub="exec"))
            case 3:
                him.deletes("delete", at, who, "deployments", f"app-{number}", group="apps", namespace=namespace)
            case _:
                self._binding(number, at)

    def _pod(self, number: int, at: int, namespace: str) -> None:
        pod = {
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": f"worker-{number}", "namespace": namespace},
            "spec": {"containers": [{"name": "w", "image": "docker.io/library/worker:1",
                                     "securityContext": {"privileged": True}}], "hostPID": True},
        }  # fmt: skip
        body = dump(pod)
        self._him.does(
            "pod", at, self._who, "create", f"/api/v1/namespaces/{namespace}/pods",
            ref("pods", namespace, f"worker-{number}"), level="RequestResponse", sent=body, returned=body,
        )  # fmt: skip

    def _binding(self, number: int, at: int) -> None:
        binding = {
            "apiVersion": f"{RBAC}/v1", "kind": "ClusterRoleBinding", "metadata": {"name": f"backdoor-{number}"},
            "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": "cluster-admin"},
            "subjects": [{"apiGroup": RBAC, "kind": "User", "name": "system:anonymous"}],
        }  # fmt: skip
        body = dump(binding)
        self._him.does(
            "binding", at, self._who, "create", f"/apis/{RBAC}/v1/clusterrolebindings",
            ref("clusterrolebindings", "", f"backdoor-{number}", group=RBAC), level="RequestResponse", sent=body,
            returned=body,
        )  # fmt: skip


def lines(events: int, implicated: int, seed: int) -> Iterator[str]:
    """Exactly `events` lines, `implicated` of them the intruder's."""
    people = Population(seed)
    ransack = Ransack(people)
    done = written = 0
    while True:
        if written >= _BEGINS * events:
            for step in range(min(int(1 / _EVERY), implicated - done)):
                ransack.go(done, people.clock.now + int(step * _EVERY * SECOND))
                done += 1
        for line in people.clock.run(people.clock.now + SECOND):
            yield line
            written += 1
            if written == events:
                return


def made(events: int, implicated: int) -> Path:
    """The log, written if it is not there."""
    path = DATA / f"large-{events}-{implicated}.log"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        with part.open("w") as out:
            out.writelines(lines(events, implicated, 43))
        part.replace(path)
    return path


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.large", description="Time the building of a large chain.")
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--implicated", type=int, default=5_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--profile", action="store_true", help="show where the time goes")
    chosen = parser.parse_args(arguments)
    log = made(chosen.events, chosen.implicated)
    profile = cProfile.Profile()
    first_pass_over: list[tuple[float, float]] = []

    def progress(now: Progress) -> None:
        if now.phase == "trace" and not first_pass_over:
            first_pass_over.append((time.monotonic(), time.process_time()))
            if chosen.profile:
                profile.enable()

    begun = time.monotonic()
    document = investigate(
        [str(log)], rules=load_rules((), shipped=True), progress=progress,
        options=Options(workers=chosen.workers, now=datetime(2026, 1, 1, tzinfo=UTC)),
    )  # fmt: skip
    profile.disable()
    over, cpu = time.monotonic(), time.process_time()
    found = max(document.incidents, key=lambda one: len(one.audit_ids))
    print(
        f"{chosen.events:,} events, {len(found.audit_ids):,} implicated requests in {len(found.steps)} steps: "
        f"first pass {first_pass_over[0][0] - begun:.1f} s, chain {over - first_pass_over[0][0]:.1f} s "
        f"({cpu - first_pass_over[0][1]:.1f} s CPU)"
    )
    if chosen.profile:
        pstats.Stats(profile).sort_stats("cumulative").print_stats(60)
    return 0


if __name__ == "__main__":
    sys.exit(main())
