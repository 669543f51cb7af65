"""Credentials of administrators are told by where they lie; what kubeadm and K3s themselves put there is not."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from kubewitness.model.evidence import Place
from kubewitness.model.host import Host, KeyFile
from kubewitness.posture.check import Snapshot
from kubewitness.posture.credentials.material import materials, printed
from tests.posture.credentials.certificates import AUTHORITY, JANE, MASTERS, NODE, SERVER, encoded
from tests.posture.machine import files, process
from tests.posture.made import results, snapshot

NOW = datetime(2026, 12, 1, tzinfo=UTC)
ADMIN = "/etc/kubernetes/admin.conf"
HOME = "/root/.kube/config"


def config(user: str) -> str:
    return f"""apiVersion: v1
kind: Config
clusters:
- {{name: k, cluster: {{server: "https://10.0.0.1:6443"}}}}
contexts:
- {{name: a, context: {{cluster: k, user: admin}}}}
current-context: a
users:
- name: admin
  user:
    {user}
"""


def embedded(pem: str) -> str:
    return config(f"client-certificate-data: {encoded(pem)}")


def machine(texts: dict[str, str], name: str = "n1", command: str = "/usr/bin/kubelet", **more: object) -> Host:
    return Host(name, files=files(texts), processes=[process(command)], **more)  # type: ignore[arg-type]


def of(*hosts: Host) -> Snapshot:
    return replace(snapshot(hosts=hosts), now=NOW)


def test_the_remedy_names_the_file_and_of_one_that_a_screen_obeys_only_that_there_is_one() -> None:
    for path, words in ((HOME, f"shred -u -- {HOME}"), ("/root/my admin.conf", "shred -u -- '/root/my admin.conf'")):
        [found] = results("credentials/administrator", of(machine({path: embedded(MASTERS)})), "fail")
        assert found.remedy is not None
        assert words in found.remedy.command
        assert not found.remedy.blanks
    [found] = results("credentials/administrator", of(machine({"/root/.kube/\x1b[2J": embedded(MASTERS)})), "fail")
    assert found.remedy is None  # the check's own, which says what has to be filled in


SERVING = "kube-apiserver --etcd-servers=x"


@pytest.mark.parametrize(
    ("path", "command", "severity"),
    [
        (ADMIN, "/usr/bin/kubelet", "high"),
        (HOME, "/usr/bin/kubelet", "high"),
        (HOME, SERVING, "low"),
        (ADMIN, SERVING, None),
        ("/etc/rancher/k3s/k3s.yaml", "/usr/local/bin/k3s server", None),
        ("/etc/rancher/k3s/k3s.yaml", "/usr/local/bin/k3s agent", "high"),
    ],
)
def test_a_certificate_of_masters_is_told_by_where_it_lies(path: str, command: str, severity: str | None) -> None:
    found = results("credentials/administrator", of(machine({path: embedded(MASTERS)}, command=command)))
    assert [one.severity for one in found if one.status == "fail"] == ([severity] if severity else [])
    assert [one.where[0].path for one in found] == [path]


def test_where_the_authoritys_key_lies_an_administrators_certificate_adds_nothing() -> None:
    key = KeyFile("/etc/kubernetes/pki/ca.key", Place("manifest.jsonl", 4, 0))
    assert results("credentials/administrator", of(machine({ADMIN: embedded(MASTERS)}, keys=[key])), "fail") == []


@pytest.mark.parametrize("pem", [JANE, NODE])
def test_other_peoples_certificates_are_no_administrators(pem: str) -> None:
    assert results("credentials/administrator", of(machine({HOME: embedded(pem)})), "fail") == []


def test_an_administrators_certificate_that_has_ended_opens_nothing() -> None:
    late = replace(of(machine({HOME: embedded(MASTERS)})), now=datetime(2028, 1, 1, tzinfo=UTC))
    assert results("credentials/administrator", late, "fail") == []
    [ended] = results("credentials/lifetime", late, "fail")
    assert (ended.severity, ended.aspect) == ("informational", "expired")


def test_what_only_points_to_a_certificate_is_looked_up_and_else_not_evaluated() -> None:
    text = config("client-certificate: pki/admin.crt")
    beside = {HOME: text, "/root/.kube/pki/admin.crt": MASTERS}
    assert [one.severity for one in results("credentials/administrator", of(machine(beside)), "fail")] == ["high"]
    [alone] = results("credentials/administrator", of(machine({HOME: text})))
    assert alone.status == "not_evaluated"


def test_a_machine_of_which_nothing_tells_whether_it_serves_is_not_evaluated() -> None:
    bare = of(Host("n1", files=files({HOME: embedded(MASTERS)})))
    assert [one.status for one in results("credentials/administrator", bare)] == ["not_evaluated"]


def test_that_there_are_none_is_known_only_where_a_collector_looked_for_them() -> None:
    for name in ("administrator", "lifetime"):
        [seen] = results(f"credentials/{name}", of(machine({}, collected="2026-11-22T00:00:00Z")))
        [not_seen] = results(f"credentials/{name}", of(machine({})))
        assert (seen.status, not_seen.status) == ("pass", "not_evaluated")


@pytest.mark.parametrize(("pem", "failing"), [(JANE, 1), (MASTERS, 0), (NODE, 0)])
def test_a_persons_certificate_for_ten_years_is_told_and_one_for_a_year_is_not(pem: str, failing: int) -> None:
    assert len(results("credentials/lifetime", of(machine({HOME: embedded(pem)})), "fail")) == failing


def test_one_certificate_on_two_machines_is_told_and_two_are_not() -> None:
    one, two = machine({HOME: embedded(JANE)}), machine({HOME: embedded(JANE)}, "n2")
    [found] = results("credentials/shared", of(one, two), "fail")
    assert (found.severity, "n1, n2" in found.observed.en) == ("low", True)
    assert results("credentials/shared", of(one, machine({HOME: embedded(NODE)}, "n2")), "fail") == []
    admins = of(machine({HOME: embedded(MASTERS)}), machine({HOME: embedded(MASTERS)}, "n2"))
    assert [one.severity for one in results("credentials/shared", admins, "fail")] == ["high"]


@pytest.mark.parametrize(
    "text",
    [
        "subject=O = system:nodes, CN = system:node:n1; issuer=CN = kubernetes; notAfter=Nov 22 10:21:47 2027 GMT",
        "subject=O=system:nodes, CN=system:node:n1; issuer=CN=kubernetes; notAfter=Nov 22 10:21:47 2027 GMT",
        "subject= /O=system:nodes/CN=system:node:n1; issuer= /CN=kubernetes; notAfter=Nov 22 10:21:47 2027 GMT",
    ],
)
def test_a_subject_is_read_as_every_openssl_prints_it(text: str) -> None:
    read = printed(text + " | subject=CN = kubernetes")
    assert read is not None
    assert (read.user, read.groups, read.not_after) == ("system:node:n1", ("system:nodes",), "2027-11-22T10:21:47Z")
    assert printed("") is None


def test_authorities_and_servers_are_no_credentials_and_a_key_that_stayed_behind_is_one() -> None:
    told = "subject=O = system:nodes, CN = system:node:n1; notAfter=Nov 22 10:21:47 2027 GMT"
    key = KeyFile("/var/lib/kubelet/pki/kubelet-client-current.pem", Place("manifest.jsonl", 4, 0), "a" * 64, told)
    texts = {"/etc/kubernetes/pki/ca.crt": AUTHORITY, "/etc/kubernetes/pki/apiserver.crt": SERVER, "/a.crt": JANE}
    found = list(materials(of(machine(texts, keys=[key])).machines))
    assert [(one.path, one.user) for one in found] == [("/a.crt", "jane"), (key.path, "system:node:n1")]


@pytest.mark.parametrize(
    "text", ["[" * 5000, "users: [1, {}, {user: 3}]\n", config("client-certificate-data: '!!'"), "kind: Config\n" * 9]
)
def test_hostile_files_make_no_credential_and_no_failure(text: str) -> None:
    hostile = text + "\n# clusters contexts users current-context Config -----BEGIN CERTIFICATE-----"
    found = results("credentials/administrator", of(machine({HOME: hostile})))
    assert not [one for one in found if one.status == "fail" or "itself failed" in one.reason.en]
