"""A cluster with habits: a program, a person and others of their kind at work all day, and room for somebody else."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from kubewitness.detect.run import Scan, scan
from kubewitness.evidence.opening import walk
from tests.detect.detectors.evidence import pack
from tests.incident.logs import DAY, Log, account

WEB, API = account("shop", "web"), account("shop", "api")
DANA, LEE = "dana@example.com", "lee@example.com"
FAR = "203.0.113.77"


def cluster(days: int = 1, people: bool = True) -> Log:
    """Two programs that read configuration, two people who look at pods, a health probe; from 06:00 to 20:00."""
    log = Log()
    for day in range(days):
        for minute in range(6 * 60, 20 * 60, 10):
            at = DAY + timedelta(days=day, minutes=minute)
            for number, name in enumerate((WEB, API)):
                log.request("get", "configmaps", at=at, by=name, address=f"10.244.{number}.7",
                            agent=f"shop-{number}/1.2", namespace="shop", name="settings")  # fmt: skip
            log.request(
                "get", at=at, by="system:anonymous", address="10.0.0.30", agent="kube-probe/1.31", uri="/healthz"
            )
            for number, name in enumerate((DANA, LEE) if people else ()):
                log.request("list", "pods", at=at, by=name, address=f"192.0.2.{10 + number}", namespace="shop")
    return log


def stolen(log: Log, by: str = WEB, address: str = FAR, at: str = "15:00", **more: Any) -> Log:
    """Somebody else takes the credential: kubectl from far away, secrets, a shell."""
    for verb, resource, sub in (("list", "secrets", ""), ("get", "secrets", ""), ("create", "pods", "exec")):
        log.request(verb, resource, at=at, by=by, address=address, namespace="kube-system", name="x" if sub else "",
                    subresource=sub, **more)  # fmt: skip
    return log


def scanned(folder: Path, log: Log, baseline: Log | None = None, workers: int = 1, cut: Sequence[int] = ()) -> Scan:
    """Pass 1 over a log; `cut` into files at these lines."""
    rules, matcher = pack()
    usual = None
    if baseline is not None:
        place = Path(baseline.write(folder / "usual.log"))
        usual = scan(list(walk([str(place)])), rules, matcher, 1, lambda *_: None)
    lines = log.lines()
    paths = []
    for number, (start, end) in enumerate(zip((0, *cut), (*cut, len(lines)), strict=True)):
        paths.append(folder / f"audit-{number}.log")
        paths[-1].write_bytes(b"\n".join(lines[start:end]) + b"\n")
    sources = list(walk([str(path) for path in paths]))
    return scan(sources, rules, matcher, workers, lambda *_: None, split=1, baseline=usual)
