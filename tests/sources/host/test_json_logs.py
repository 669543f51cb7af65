"""Logs of components in JSON: told from anybody's JSON, and read like klog and logfmt."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubewitness.model.host import LogLine
from kubewitness.sources.host import json_entry, klog, logs
from kubewitness.sources.host.recognise import kind_of
from tests.sources.host.reading import CID, context, folder, lines, only

INFO = '{"ts":1711206336670.951,"caller":"kubelet/kubelet.go:2465","msg":"SyncLoop (PLEG): event","v":2,"pod":"a/b"}'
EXEC = (
    '{"ts":1711206336670.951,"caller":"remote/remote_runtime.go:734","msg":"ExecSync cmd from runtime service failed",'
    f'"containerID":"{CID}","cmd":["apt","update"],"err":"not found"}}'
)
RUNTIME = '{"level":"error","msg":"ExecSync for \\"abc\\" failed","error":"x","time":"2024-03-23T15:05:36.764041708Z"}'
ETCD = '{"level":"warn","ts":"2024-03-23T15:05:36.764Z","caller":"etcdserver/util.go:123","msg":"slow","took":"1s"}'
CONTROLLER = '{"ts":1711206336670.951,"caller":"app/main.go:1","msg":"started","v":0}'
ANY_LOGRUS = '{"level":"info","msg":"listening","time":"2024-03-23T15:05:36Z"}'
ANY_ZAP = '{"level":"info","ts":"2024-03-23T15:05:36.764Z","caller":"server/main.go:12","msg":"hello"}'


@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [
        ("a.log", f"{INFO}\n{EXEC}\n", "kubelet log"),
        ("kube-scheduler.log", CONTROLLER, "control plane log"),
        ("a.log", CONTROLLER, "component log"),
        ("a.log", f"2024-03-23T15:05:36.67Z stderr F {ETCD}\n", "control plane log"),
        ("a.log", ETCD, "control plane log"),
        ("containerd.log", ANY_LOGRUS, "containerd log"),
        ("a.log", ANY_LOGRUS.replace("listening", 'RunPodSandbox for \\"x\\"'), "containerd log"),
        ("a.log", ANY_LOGRUS, ""),
        ("promtail/containerd-shipper.log", ANY_ZAP, ""),
        ("a.log", ANY_ZAP, ""),
        ("a.log", CONTROLLER.replace('"v":0', '"level":"info"'), ""),
        ("a.log", CONTROLLER.replace("main.go:1", "Main.java:1"), ""),
        ("a.log", CONTROLLER.replace("1711206336670.951", '"now"'), ""),
        ("kubelet.log", '{"msg":"hello"}\n', ""),
        ("kubelet.log", f'{INFO}\n{{"kind":"Event","auditID":"a"}}\n', ""),
    ],
)
def test_only_a_components_json_is_claimed(name: str, text: str, kind: str) -> None:
    assert kind_of(name, text.encode()) == kind


def test_a_failed_exec_in_json_has_the_fields_of_klog(tmp_path: Path) -> None:
    evidence = folder(tmp_path, {"nodes/n/kubelet.log": f"{INFO}\n{EXEC}\n"})
    pleg, line = only(evidence).logs
    assert (line.component, line.severity, line.time) == ("kubelet", "error", "2024-03-23T15:05:36.670951Z")
    assert (line.fields["containerID"], klog.argv(line.fields["cmd"])) == (CID, ("apt", "update"))
    assert (pleg.severity, pleg.fields) == ("info", {"pod": "a/b"})


def test_the_older_seconds_are_the_same_moment() -> None:
    [new], [old] = (logs.read(lines(text), context()) for text in (EXEC, EXEC.replace("6670.951", "6.670951")))
    assert isinstance(new, LogLine)
    assert isinstance(old, LogLine)
    assert new.time == old.time


def test_json_behind_a_prefix_is_the_programs() -> None:
    [line] = logs.read(lines(f"Mar 23 15:05:36 n containerd[4]: {RUNTIME}"), context())
    assert isinstance(line, LogLine)
    assert (line.component, line.severity, line.fields) == ("containerd", "error", {"error": "x"})
    assert not list(logs.read(lines(f"Mar 23 15:05:36 n myapp[4]: {RUNTIME}"), context()))


def test_information_in_json_is_passed_over_on_its_bytes() -> None:
    assert not logs.wanted(CONTROLLER.encode())
    assert not logs.wanted(ANY_LOGRUS.encode())
    for line in (EXEC, INFO, RUNTIME, ETCD):
        assert logs.wanted(line.encode())


@given(st.text(max_size=200))
def test_no_object_breaks_it(text: str) -> None:
    for line in (text, "{" + text, EXEC[:-1] + "," + text + "}", EXEC.replace("1711206336670.951", text)):
        json_entry.parse(line)


@pytest.mark.parametrize(
    "bomb", ['{"a":' * 20_000, '{"msg":' + "[" * 60_000, '{"ts":1e999,"caller":"a.go:1","msg":"x","v":0}']
)
def test_a_bomb_is_no_entry(bomb: str) -> None:
    assert json_entry.parse(bomb) is None
