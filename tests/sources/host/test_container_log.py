"""What containers print: only a miner's lines are kept, whole, with the pod they are of."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubewitness.model.host import LogLine
from kubewitness.sources.host import container_log, miner_output
from kubewitness.sources.host.recognise import kind_of
from tests.corpus import CORPUS, needs_corpus
from tests.sources.host.reading import CID, context, folder, lines, only

SPEED = "[2021-05-04 11:13:13.123]  miner    speed 10s/60s/15m 812.4 810.2 n/a H/s max 815.0 H/s"
JOB = "[2021-05-04 11:12:13.123]  net      new job from pool.example.com:3333 diff 100001 algo rx/0 height 2352123"
POD = "var/log/pods/shop_web-1_0123abcd-0000-4000-8000-0123456789ab/app/0.log"
KLOG = 'E0323 15:05:36.670951    6922 a.go:734] "Failed"'


def cri(text: str, flag: str = "F", stream: str = "stdout") -> str:
    return f"2021-05-04T11:13:13.123456789Z {stream} {flag} {text}\n"


def docker(text: str) -> str:
    written = {"log": text, "stream": "stdout", "time": "2021-05-04T11:13:13.123456789Z"}
    return json.dumps(written, separators=(",", ":")) + "\n"


@pytest.mark.parametrize(
    ("text", "form"),
    [
        (SPEED, "hash rate"),
        ("speed 10s/60s/15m n/a n/a n/a H/s max n/a H/s", "hash rate"),
        ("\x1b[1;30m[2021-05-04 11:13:13] miner \x1b[0m \x1b[1mspeed\x1b[0m 10s/60s/15m 1 2 n/a H/s", "hash rate"),
        (JOB, "job"),
        ("[2021-05-04 11:12:12.000]  net      use pool pool.example.com:3333  203.0.113.9", "pool"),
        ("[2021-05-04 11:12:43.123]  cpu      accepted (1/0) diff 100001 (45 ms)", "share"),
        (" * ABOUT        XMRig/6.8.1 gcc/9.3.0", "banner"),
        (" * POOL #1      203.0.113.9:3333 algo auto", "banner"),
        (" * DONATE       1%", "banner"),
        ("[2021-05-04 11:12:13.123]  randomx  init dataset algo rx/0 (4 threads) seed c8e9", "dataset"),
        ("[2021-05-04 11:12:13] accepted: 1/1 (diff 0.012), 24.51 kH/s yes!", "share"),
        ("[2021-05-04 11:12:13] thread 0: 65536 hashes, 12.34 khash/s", "hash rate"),
        ("[2021-05-04 11:12:13] Starting Stratum on stratum+tcp://203.0.113.9:3333", "stratum"),
        ("20210504 11:12:13 [ OK ] 1/1 - 29.51 MH/s, 23ms", "share"),
        ("Average speed (15s): 23.41 Mh/s", "hash rate"),
        ("Eth speed: 30.1 MH/s, shares: 1/0/0", "hash rate"),
        ('{"id":1,"method":"mining.subscribe","params":["x"]}', "wire"),
    ],
)  # fmt: skip
def test_forms_of_miners(text: str, form: str) -> None:
    found = miner_output.parse(text)
    assert (found or {}).get("form", "") == form
    assert not form or miner_output.may_be(cri(text).encode())
    assert not form or miner_output.may_be(docker(text).encode())


@pytest.mark.parametrize(
    "text",
    [
        "2021-05-04 11:12:13 accepted connection from 203.0.113.9:3333",
        "accepted (1/0)",
        "new job from queue billing:5432",
        "job 17 rejected",
        "use pool db-pool of 10 connections",
        "pool: 3/10 connections, 3333 waiting",
        "download speed 10s/60s/15m average 5.0 MB/s",
        "throughput 812.4 MB/s",
        f'{{"output":"Miner: {JOB}","rule":"Detect crypto miners"}}',
        f"ts=2021-05-04 caller=tail.go line={SPEED}",
        f"2021-05-04 INFO shipped: {JOB}",
        "ABOUT us",
        "* DONATE blood",
        '{"method":"tools.call","text":"mining.subscribe"}',
        "stratum of geological data loaded",
    ],
)
def test_lines_near_those_of_a_miner_are_nothing(text: str) -> None:
    assert miner_output.parse(text) is None


@pytest.mark.parametrize("write", [cri, lambda text: docker(text + "\n")])
def test_only_a_miners_lines_are_kept_and_the_rest_is_counted(tmp_path: Path, write: object) -> None:
    assert callable(write)
    text = "".join(write(line) for line in ("GET / 200", JOB, "GET / 200", SPEED))
    evidence = folder(tmp_path, {f"nodes/n/{POD}": text})
    host = only(evidence)
    assert [line.message for line in host.logs] == [JOB, SPEED]
    job = host.logs[0]
    assert job.fields["pod"] == "shop/web-1"
    assert job.fields["podUID"] == "0123abcd-0000-4000-8000-0123456789ab"
    assert (job.fields["pool"], job.fields["algorithm"]) == ("pool.example.com:3333", "rx/0")
    assert (job.component, job.time, job.place.line) == ("container", "2021-05-04T11:13:13.123456Z", 2)
    assert any(note.reason.startswith("2 lines") for note in evidence.notes)
    assert not evidence.failures


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        (f"nodes/n/var/log/containers/web-1_shop_app-{CID}.log", {"pod": "shop/web-1", "containerID": CID}),
        (f"nodes/n/var/lib/docker/containers/{CID}/{CID}-json.log", {"containerID": CID}),
        ("nodes/n/some.log", {}),
    ],
)
def test_the_path_tells_pod_and_container(tmp_path: Path, name: str, fields: dict[str, str]) -> None:
    [line] = only(folder(tmp_path, {name: cri(SPEED)})).logs
    assert fields.items() <= line.fields.items()
    assert ("containerID" in line.fields) == ("containerID" in fields)


def test_pieces_of_a_line_are_put_together(tmp_path: Path) -> None:
    text = cri(JOB[:50], "P") + cri("other", stream="stderr") + cri(JOB[50:]) + cri("x")
    assert [line.message for line in only(folder(tmp_path, {f"nodes/n/{POD}": text})).logs] == []
    whole = cri(JOB[:50], "P") + cri(JOB[50:80], "P") + cri(JOB[80:])
    [line] = only(folder(tmp_path / "b", {f"nodes/n/{POD}": whole})).logs
    assert line.message == JOB
    [line] = only(folder(tmp_path / "c", {f"nodes/n/{POD}": docker(JOB[:50]) + docker(JOB[50:] + "\n")})).logs
    assert line.message == JOB


def test_a_miner_that_printed_for_days_is_bounded_and_its_last_line_is_kept(tmp_path: Path) -> None:
    text = "".join(cri(f"{SPEED} {number}") for number in range(5000))
    evidence = folder(tmp_path, {f"nodes/n/{POD}": text})
    kept = only(evidence).logs
    assert len(kept) == container_log.MAX_KEPT + 1
    assert kept[-1].message.endswith(" 4999")
    assert any("4949 more lines of a miner" in note.reason for note in evidence.notes)


@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [
        ("a.log", docker("hello\n"), "container log"),
        ("a.log", cri("hello"), "container log"),
        ("a.log", '{"log":"hello","level":"info","time":"2021-05-04T11:13:13Z"}\n', ""),
        ("a.log", '{"log":"hello","stream":"kafka","time":"2021-05-04T11:13:13Z"}\n', ""),
        ("kube-apiserver/0.log", cri(KLOG, stream="stderr"), "control plane log"),
        ("a.log", cri('{"kind":"Event","auditID":"a","stageTimestamp":"b"}') + cri("x") * 9, ""),
        ("a.log", docker('{"kind":"Event","auditID":"a","stageTimestamp":"b"}\n'), ""),
    ],
)
def test_a_containers_log_is_told_by_its_form(name: str, text: str, kind: str) -> None:
    assert kind_of(name, text.encode()) == kind


@given(st.lists(st.text(max_size=80), max_size=6))
def test_no_output_breaks_it(texts: list[str]) -> None:
    for write in (str, cri, docker):
        for fact in container_log.read(lines("\n".join(write(text) for text in texts)), context()):
            assert isinstance(fact, LogLine)


@pytest.mark.parametrize("bomb", ["[2021-05-04 " * 9000, "\x1b]0;" * 9000, "net " * 9000, "* POOL #1  " + "a:1" * 9000])
def test_a_bomb_is_cut(bomb: str) -> None:
    assert miner_output.parse(bomb) is None


@needs_corpus
def test_real_logs_of_containers_have_no_miner(tmp_path: Path) -> None:
    assert CORPUS
    data = CORPUS / "log2timeline__plaso/test_data"
    [json_file] = data.glob("docker/containers/*/container-json.log")
    evidence = folder(
        tmp_path, {"nodes/n/a.log": (data / "cri.log").read_bytes(), "nodes/n/b.log": json_file.read_bytes()}
    )
    host = only(evidence)
    assert set(host.sources.values()) == {"container log"}
    assert not host.logs
    assert not evidence.failures
