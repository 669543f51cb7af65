"""The false-positive table: `python -m bench.benign [--corpus DIR]`. Investigates logs in which nobody broke in.

Real ones come from the corpus (`--corpus`, `KUBEWITNESS_CORPUS` or `../shared/corpus`; skipped with a reason if
absent), the others are the shipped benign day, a demo scenario's background and the benchmark's cluster without its
attacks.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from bench import hkerma, readme
from bench.population import Population

ROOT = Path(__file__).parents[1]
SEVERITIES = ("informational", "low", "medium", "high", "critical")
SCENARIOS = ROOT / "src" / "kubewitness" / "content" / "scenarios"

# Of the events recorded by the bridge's tests, those that show ordinary work; the others are staged attacks.
_ORDINARY = (
    "create_configmap", "create_deployment", "create_namespace", "create_serviceaccount", "create_vanilla_pod",
    "create_vanilla_service", "delete_configmap", "delete_deployment", "delete_namespace", "delete_service",
    "delete_service_failed_not_found", "delete_serviceaccount",
)  # fmt: skip


def logs(corpus: Path | None, scratch: Path) -> Iterator[tuple[str, list[Path]]]:
    """(name, files) of every benign log."""
    if corpus is not None:
        shift = corpus / "openshift__cluster-logging-operator" / "test" / "functional" / "filters" / "apiaudit"
        yield (
            "OpenShift audit log (real)",
            [shift / "vrl" / "testdata" / "audit_in.log", shift / "testdata" / "audit.log"],
        )
        rows = corpus / "hkerma__kubernetes-event-dataset" / "audit-logs.csv"
        if rows.exists():
            hkerma.convert(rows, scratch / "hkerma.log")
        yield "kubeadm cluster, Helm charts come and go (real, projected)", [scratch / "hkerma.log"]
        bridge = corpus / "sysdiglabs__stackdriver-webhook-bridge" / "converter" / "test_files" / "k8s_audit_events"
        yield "GKE, ordinary work (recorded)", [bridge / f"{name}.json" for name in _ORDINARY]
        yield (
            "AKS diagnostics (sample)",
            [corpus / "sysdiglabs__aks-audit-log" / "samples" / "sample_KubeAuditLog_event.json"],
        )
        yield (
            "audit2rbac demo: impersonation, 403s (recorded)",
            [corpus / "liggitt__audit2rbac" / "testdata" / "demo.log"],
        )
        yield (
            "rbac-tool, kube-audit-log-tool (samples)",
            [
                *sorted((corpus / "alcideio__rbac-tool" / "testdata" / "auditgen").glob("*.json")),
                corpus / "afcollins__kube-audit-log-tool" / "single-event.json",
            ],
        )
    yield "benign_day (shipped scenario)", [SCENARIOS / "benign_day" / "audit.log.gz"]
    yield "rbac_buster without its intruder", [_without_intruder(scratch)]
    yield "40 nodes, 100,000 events (synthetic)", [_cluster(scratch, 100_000)]


def _without_intruder(scratch: Path) -> Path:
    """The demo scenario's log minus the intruder's requests and what the controllers did about them."""
    path = scratch / "background.log"
    with gzip.open(SCENARIOS / "rbac_buster" / "audit.log.gz", "rt") as source, path.open("w") as target:
        for line in source:
            if '"203.0.113.77"' not in line and "kube-controller-" not in line.replace("kube-controller-manager", ""):
                target.write(line)
    return path


def _cluster(scratch: Path, events: int) -> Path:
    path, clock = scratch / "cluster.log", Population(7).clock
    with path.open("w") as target:
        target.writelines(islice(clock.run(clock.now + 10**12), events))
    return path


def investigate(paths: list[Path], report: Path) -> dict[str, Any]:
    """The JSON report.

    Raises:
        RuntimeError: the command failed.
    """
    command = [
        sys.executable,
        "-m",
        "kubewitness",
        "investigate",
        *map(str, paths),
        "--format",
        "json",
        "--output",
        str(report),
    ]
    done = subprocess.run([*command, "--workers", "1", "--quiet"], capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1, 3):
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()[-400:]}")
    found: dict[str, Any] = json.loads(report.read_text())
    return found


def main(arguments: list[str] | None = None) -> int:
    """The command line. Exit code 1 if anything high or critical was found."""
    parser = argparse.ArgumentParser(prog="python -m bench.benign", description="Findings on benign logs.")
    place = Path(os.environ.get("KUBEWITNESS_CORPUS") or ROOT.parent / "shared" / "corpus")
    parser.add_argument("--corpus", type=Path, default=place)
    parser.add_argument("--no-readme", action="store_true", help="print only")
    chosen = parser.parse_args(arguments)
    corpus = chosen.corpus if chosen.corpus.is_dir() else None
    rows: list[list[str]] = []
    loud: Counter[tuple[str, str, str]] = Counter()
    bad = 0
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        for name, paths in logs(corpus, scratch):
            present = [path for path in paths if path.exists()]
            if not present:
                rows.append([name, "", "", "", "", "", "", "", "not there"])
                continue
            found = investigate(present, scratch / "report.json")
            counts = Counter(finding["severity"] for finding in found["findings"])
            bad += counts["high"] + counts["critical"]
            for finding in found["findings"]:
                if finding["severity"] in SEVERITIES[2:]:
                    loud[name, finding["severity"], finding["rule"]] += 1
            events = found["coverage"]["events"]
            per = sum(counts.values()) * 1000 / max(events, 1)
            rows.append(
                [
                    name, f"{events:,}", *(str(counts[severity]) for severity in SEVERITIES), f"{per:.2f}",
                    str(len(found["incidents"])),
                ]
            )  # fmt: skip
    head = ["log", "events", *SEVERITIES, "findings per 1,000 events", "incidents"]
    text = readme.table(head, rows)
    if corpus is None:
        text += "\n\nReal logs: no corpus on this machine."
    if loud:
        text += "\n\nMedium and above:\n\n"
        text += "\n".join(
            f"- {count}x {level} `{rule}` in {name}" for (name, level, rule), count in sorted(loud.items())
        )
    print(text)
    if not chosen.no_readme:
        readme.put("benign", text)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
