"""Whether reports are still the same: `python -m bench.same save`, change something, `python -m bench.same check`.

A change for speed must not change an answer. Each log is investigated as JSON at a fixed clock, with one worker and
with several, plain and compressed; what is kept of a report is its hash (and the report itself, to see what differs).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

from bench.generate import DATA

SHIPPED = Path(__file__).parents[1] / "src" / "kubewitness" / "content" / "scenarios"


def cases(large: bool, more: list[Path]) -> dict[str, list[str]]:
    """Name of a case → arguments of `investigate`."""
    found = {f"{path.parent.name}, shipped": [str(path)] for path in sorted(SHIPPED.glob("*/audit.log.gz"))}
    found |= {f"{path.name}, given": [str(path)] for path in more}
    logs = [DATA / "audit-1000000.first-200000.log"]
    if large:
        logs += [DATA / "audit-1000000.log", DATA / "audit-1000000.log.gz"]
    for path in filter(Path.exists, logs):
        found[path.name] = [str(path)]
        if path.suffix == ".log":
            found[f"{path.name}, 2 workers"] = [str(path), "--workers", "2"]
    return found


def report(arguments: list[str]) -> bytes:
    """The JSON report."""
    workers = [] if "--workers" in arguments else ["--workers", "1"]
    command = [sys.executable, "-m", "kubewitness", "investigate", *arguments, *workers]
    clock = {**os.environ, "SOURCE_DATE_EPOCH": "0"}
    done = subprocess.run([*command, "--format", "json", "--quiet"], stdout=subprocess.PIPE, env=clock, check=False)
    return done.stdout + f"\nexit code {done.returncode}\n".encode()


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.same", description="Compare reports before and after.")
    parser.add_argument("what", choices=["save", "check"])
    parser.add_argument("logs", nargs="*", type=Path, help="more evidence")
    parser.add_argument("--large", action="store_true", help="also the logs of a million events")
    parser.add_argument("--data", type=Path, default=DATA / "same", help="where reports are kept")
    chosen = parser.parse_args()
    chosen.data.mkdir(parents=True, exist_ok=True)
    index = chosen.data / "hashes.json"
    known: dict[str, str] = json.loads(index.read_text()) if index.exists() else {}
    different = 0
    for name, arguments in cases(chosen.large, chosen.logs).items():
        made = report(arguments)
        digest = hashlib.sha256(made).hexdigest()
        before = known.get(name, "")
        place = chosen.data / f"{name}.{'before' if chosen.what == 'save' else 'now'}.json"
        if chosen.what == "save":
            known[name] = digest
        if chosen.what == "save" or digest != before:
            place.write_bytes(made)
        if chosen.what == "check":
            different += digest != before
            print(f"{'same' if digest == before else 'DIFFERENT' if before else 'not saved'}: {name}", flush=True)
    index.write_text(json.dumps(known, indent=1))
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
