"""Processes that fetch a program and run it, or run one that lies hidden, through a shell."""

from __future__ import annotations

from collections.abc import Iterator

from kubewitness.detect.host.addresses import nature_of
from kubewitness.detect.host.commands import FETCHERS, segments_of
from kubewitness.detect.host.finding import HostFinding
from kubewitness.detect.host.scripts import Act, ShellSign, shell_signs
from kubewitness.detect.host.stating import Suspicion, about_processes
from kubewitness.model.host import Host, Process
from kubewitness.model.judgement import SEVERITIES

# A program that lies hidden is `hidden_program_running`s affair; only behind `sh -c` it counts here.
_RUN: frozenset[Act] = frozenset(
    {"fetch and run", "hidden download", "decode and run", "hidden script", "hidden program"}
)
# What no line that is meant lacks; most processes need not be taken apart.
_MARKS = (*FETCHERS, "base64", "/.", "/tmp/", "/dev/shm/", "/run/shm/", "/dev/mqueue/", "memfd", " .")  # noqa: S108


def download_and_run(host: Host) -> Iterator[HostFinding]:
    """Shells that fetch and run, and scripts that run from hidden places."""
    yield from about_processes("download_and_run", host, _suspicions(host, _RUN))


def environment_sent(host: Host) -> Iterator[HostFinding]:
    """Processes that send their environment, tokens and passwords in it, to somebody."""
    yield from about_processes("environment_sent", host, _suspicions(host, frozenset({"send environment"})))


def _suspicions(host: Host, acts: frozenset[Act]) -> Iterator[Suspicion]:
    for process in host.processes:
        if not any(mark in process.command for mark in _MARKS):
            continue
        segments = segments_of(process.command)
        signs = [sign for sign in shell_signs(segments) if sign.act in acts]
        if len(segments) == 1:
            signs = [sign for sign in signs if sign.act != "hidden program"]
        if signs:
            yield _suspicion(process, signs)


def _suspicion(process: Process, signs: list[ShellSign]) -> Suspicion:
    severity = max((sign.severity for sign in signs), key=SEVERITIES.index)
    outside = (host for sign in signs for host in sign.hosts if nature_of(host) not in ("loopback", "cluster"))
    return Suspicion(
        process,
        tuple(sign.reason for sign in signs),
        severity=severity,
        confidence=None if severity == "high" else "medium" if severity == "medium" else "low",
        kind=None if severity == "high" else "activity",
        addresses=tuple(dict.fromkeys(outside)),
    )
