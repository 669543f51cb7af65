"""A miner by what it printed, and what prints things like it."""

from __future__ import annotations

import pytest

from kubewitness.model.evidence import Place
from kubewitness.model.host import Host, LogLine
from kubewitness.sources.host import container_log
from tests.detect.host.making import CONTAINER, found, rules
from tests.sources.host.reading import context, lines

POD = "nodes/n/var/log/pods/shop_web-1_0123abcd-0000-4000-8000-0123456789ab/app/0.log"
LINK = f"nodes/n/var/log/containers/web-1_shop_app-{CONTAINER}.log"
POOL = "[2021-05-04 11:12:12.000]  net      use pool pool.example.com:3333  203.0.113.9"
JOB = "[2021-05-04 11:12:13.123]  net      new job from pool.example.com:3333 diff 100001 algo rx/0 height 2352123"
SHARE = "[2021-05-04 11:12:43.123]  cpu      accepted (1/0) diff 100001 (45 ms)"
SPEED = "[2021-05-04 11:13:13.123]  miner    speed 10s/60s/15m 812.4 810.2 n/a H/s max 815.0 H/s"


def machine(*texts: str, item: str = POD) -> Host:
    written = "\n".join(f"2021-05-04T11:13:{at:02}.0Z stdout F {text}" for at, text in enumerate(texts))
    facts = container_log.read(lines(written, item), context(item))
    return Host("n", logs=[fact for fact in facts if isinstance(fact, LogLine)])


def test_a_miner_is_found_by_its_output_with_pod_pool_and_times() -> None:
    (finding,) = found(machine(POOL, JOB, SHARE, SPEED, SPEED), "miner_output")
    assert (finding.severity, finding.confidence, finding.count) == ("critical", "high", 5)
    assert finding.pod_uid == "0123abcd-0000-4000-8000-0123456789ab"
    assert finding.addresses == ("pool.example.com",)
    assert (finding.first, finding.last) == ("2021-05-04T11:13:00.000000Z", "2021-05-04T11:13:04.000000Z")
    assert [line for _, line in finding.places] == [POOL, JOB, SHARE, SPEED, SPEED]
    assert finding.subject.startswith("shop/web-1 app: ")
    assert any("rx/0" in reason.zh for reason in finding.reasons)


def test_one_form_alone_is_less_certain_and_each_container_has_its_own() -> None:
    one, other = machine(SPEED), machine(SPEED, item=LINK)
    both = Host("n", logs=[*one.logs, *other.logs])
    first, second = found(both, "miner_output")
    assert {first.confidence, second.confidence} == {"medium"}
    assert {first.containers, second.containers} == {(), (CONTAINER,)}


@pytest.mark.parametrize(
    "texts",
    [
        (SHARE,),
        (POOL, POOL),
        (
            "accepted connection from 203.0.113.9:3333",
            "pool of 10 connections, 3 used",
            "new job from queue a:1 started",
        ),
        ("use pool primary", "speed 10 MB/s", "rejected (1/0) order"),
        (f"shipped {JOB}", f'{{"log":"{SPEED}"}}'),
    ],
)
def test_other_programs_that_accept_pool_and_work_are_silent(texts: tuple[str, ...]) -> None:
    assert "miner_output" not in rules(machine(*texts))


def test_only_what_a_container_printed_counts() -> None:
    line = LogLine("kubelet", "", "info", SPEED, {"form": "hash rate"}, Place("x", 1, 0))
    assert not rules(Host("n", logs=[line]))
