"""What a file is told to be, and above all what is never claimed: audit logs."""

from __future__ import annotations

import json

import pytest

from kubewitness.evidence.opening import walk
from kubewitness.sources.host.hosts import kind_of_source
from kubewitness.sources.host.recognise import kind_of
from tests.corpus import CORPUS, needs_corpus
from tests.sources.host.reading import CID, RECORDED

EVENT = '{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"a","stage":"ResponseComplete"}'
KLOG = 'I0323 15:05:36.670951    6922 {}:734] "Starting"\n'
LOGFMT = 'time="2024-03-23T15:05:36.764041708Z" level=info msg="{}"\n'
PS = "USER PID PPID COMMAND\nroot 1 0 /sbin/init\n"


@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [
        ("a.txt", PS, "processes"),
        ("a.txt", "  PID USER       VSZ STAT COMMAND\n    1 root      1520 S    init\n", "processes"),
        ("a.txt", "LISTEN 0 4096 *:10250 *:*\n", "sockets"),
        (
            "a.txt",
            "Netid State Recv-Q Send-Q Local Address:Port Peer Address:PortProcess\nudp UNCONN 0 0 *:1 *:*\n",
            "sockets",
        ),
        ("a.txt", "*filter\n:INPUT ACCEPT [0:0]\nCOMMIT\n", "iptables"),
        ("iptables-save.txt", "", "iptables"),
        ("a.txt", '{"nftables": [{"metainfo": {}}]}', "nft"),
        ("a.txt", f"1 4:memory:/\n2 4:memory:/kubepods/{CID}\n", "cgroups"),
        ("a.txt", "PID USER CGROUP\n1 root 0::/init.scope\n2 root -\n", "cgroups"),
        ("a.txt", "1 /sbin/init\n2 \n7 /tmp/x (deleted)\n", "executables"),
        ("kubelet.log", KLOG.format("a.go"), "kubelet log"),
        ("kubelet_case/messages", KLOG.format("kuberuntime_manager.go"), "kubelet log"),
        ("kubelet_case/a/b/messages", KLOG.format("iptables.go"), "component log"),
        ("kube-scheduler/0.log", "2024-03-23T15:05:36.67Z stderr F " + KLOG.format("a.go"), "control plane log"),
        ("syslog", "Mar 23 15:05:36 n cron[1]: x\nMar 23 15:05:36 n kubelet[2]: " + KLOG.format("a.go"), "kubelet log"),
        ("a.log", LOGFMT.format('RunPodSandbox for \\"x\\"'), "containerd log"),
        ("containerd.log", LOGFMT.format("hello"), "containerd log"),
        ("promtail.log", LOGFMT.format("hello"), ""),
        ("a.log", "2024-03-23T15:05:36.67Z stdout F GET / 200\n", "container log"),
        ("nodes/n/var/log/pods/a_b_c/d/0.log", "", "container log"),
        ("10-kubeadm.conf", "# note\n[Service]\nEnvironment=A=b\n", "unit"),
        ("nodes/n/etc/default/kubelet", "", "unit"),
        (
            "config.yaml",
            "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n",
            "kubelet configuration",
        ),
        ("config", '{\n "kind": "KubeletConfiguration"\n}', "kubelet configuration"),
        ("x.json", '{"kubeletconfig":{"port":10250}}', "kubelet configuration"),
        ("nodes/n/etc/cron.d/x", "* * * * * root id\n", "crontab"),
        ("copy/etc/ld.so.preload", "/lib/x.so\n", "other file"),
        ("uac-n-linux-20240323150000.tar.gz![root]/opt/x.sh", "id\n", "other file"),
        ("/root/case/notes.txt", "id\n", ""),
        ("/home/me/.cache/notes.txt", "id\n", ""),
        ("notes.txt", "We saw this:\nLISTEN 0 4096 *:10250 *:*\nand then\nthat.\nOdd.\n", ""),
        (
            "top.txt",
            "PID USER PR NI VIRT RES SHR S %CPU %MEM TIME+ COMMAND\n1 root 20 0 1 1 1 S 0 0 0:01.1 init\n",
            "processes",
        ),
        ("pods.json", '{"kind":"PodList","items":[]}', ""),
        ("x", "", ""),
    ],
)
def test_content_tells_the_kind(name: str, text: str, kind: str) -> None:
    assert kind_of(name, text.encode()) == kind


@pytest.mark.parametrize(
    "name",
    ["audit.log", "nodes/cp1/var/log/kubernetes/audit.log", "nodes/n/etc/x", "kube-apiserver.log", "a!kubelet.log"],
)
@pytest.mark.parametrize(
    "text",
    [
        EVENT + "\n",
        '{"kind":"EventList","apiVersion":"audit.k8s.io/v1","items":[' + EVENT + "]}",
        json.dumps([json.loads(EVENT)], indent=1),
        '{"records":[{"properties":{"log":' + json.dumps(EVENT) + "}}]}",
        '{"protoPayload":{"methodName":"io.k8s.core.v1.pods.create"}}\n',
        "2024-03-23T15:05:36.67Z stdout F " + EVENT + "\n",
        KLOG.format("a.go") * 20 + EVENT + "\n",
    ],
)
def test_an_audit_log_is_never_host_evidence(name: str, text: str) -> None:
    assert kind_of(name, text.encode()) == ""


def test_the_words_of_an_audit_event_do_not_hide_a_listing() -> None:
    hidden = PS + 'root 66 1 ./.system {"auditID":"x"}\n{"auditID": "y"}\n'
    assert kind_of("ps.txt", hidden.encode()) == "processes"
    assert kind_of("nodes/n/etc/cron.d/x", b'# {"auditID":"x"}\n* * * * * root id\n\0\n') == "crontab"


def test_a_stored_rule_file_is_no_live_firewall() -> None:
    text = b"*filter\n:INPUT ACCEPT [0:0]\nCOMMIT\n"
    assert kind_of("nodes/n/etc/iptables/rules.v4", text) == "other file"
    assert kind_of("nodes/n/iptables-save.txt", text) == "iptables"


def test_binary_content_is_known_by_its_path_only() -> None:
    assert kind_of("nodes/n/var/lib/kubelet/device-plugins/x", bytes(range(256)) * 4) == "other file"
    assert kind_of("nodes/n/x", bytes(range(256)) * 4) == ""


def test_no_recorded_file_of_the_control_plane_is_claimed() -> None:
    claimed = [
        source.name
        for source in walk(
            [str(RECORDED / name / "evidence") for name in ("benign_day_ugly", "anonymous_cluster_admin")]
        )
        if "/control-plane/" in source.name and kind_of_source(source)
    ]
    assert claimed == []


@needs_corpus
def test_no_audit_log_of_the_corpus_is_claimed() -> None:
    assert CORPUS
    folders = (
        "falcosecurity__falco", "hkerma__kubernetes-event-dataset", "openshift__cluster-logging-operator",
        "sysdiglabs__stackdriver-webhook-bridge", "sysdiglabs__aks-audit-log", "GoogleCloudPlatform__khi",
        "ConfigButler__gitops-reverser", "liggitt__audit2rbac", "alcideio__rbac-tool", "afcollins__kube-audit-log-tool",
    )  # fmt: skip
    claimed = {
        source.name: kind for source in walk([str(CORPUS / one) for one in folders]) if (kind := kind_of_source(source))
    }
    assert {(name.rpartition("/")[2], kind) for name, kind in claimed.items()} == {
        ("raw_container.log", "container log"),
        ("raw_auditd.log", "linux_audit log"),
    }


QUOTED = r"logger: {\"kind\":\"Event\",\"auditID\": \"x\"} \"auditID\":\"1\""
EVENT = r"{\"kind\":\"Event\",\"apiVersion\":\"audit.k8s.io/v1\",\"auditID\":\"1\"}"
ENTRY = '{{"__REALTIME_TIMESTAMP":"1616461801000000","_BOOT_ID":"b","SYSLOG_IDENTIFIER":"x","MESSAGE":"{}"}}'


def test_an_audit_event_that_is_quoted_hides_no_journal() -> None:
    assert kind_of("journal.json", ENTRY.format(QUOTED).encode()) == "journal"
    assert kind_of("journal.json", ENTRY.format(EVENT).encode()) == ""


def test_an_audit_event_that_is_quoted_hides_no_sensor() -> None:
    alert = {
        "output": "16:31:56.746: Error x",
        "priority": "Error",
        "rule": "r",
        "time": "2019-05-17T15:31:56.746609046Z",
        "output_fields": {"proc.cmdline": 'echo {"auditID": "x", "stageTimestamp": "y"}'},
    }
    assert kind_of("falco.json", json.dumps(alert).encode()).lower().startswith("falco")


LISTS = "UID PID PPID C STIME TTY TIME CMD\nroot 4411 1 0 03:12 ? 00:00:00 ./.system -o pool.supportxmr.com:3333\n" * 3
RAW = '{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":"1","stage":"ResponseComplete"}\n'


@pytest.mark.parametrize(
    "where", ["tmp/ps.txt", "home/eve/ps.txt", "root/x/ps.log", "dev/shm/y", "usr/share/doc/z.txt"]
)
def test_what_an_intruder_lays_down_on_the_machine_is_no_state_of_it(where: str) -> None:
    for top in ("kubewitness-n1-20260302T120000Z/[root]/", "uac-n1-linux-20260302120000/[root]/"):
        assert kind_of(top + where, LISTS.encode()) == "other file"
        assert kind_of(top + where, RAW.encode()) == "other file"
    assert kind_of("live_response/process/ps_-ef.txt", LISTS.encode()) == "processes"
    assert kind_of("nodes/n1/ps.txt", LISTS.encode()) == "processes"


def test_the_api_servers_log_may_lie_anywhere_else() -> None:
    for where in ("var/log/kubernetes/audit.log", "etc/kubernetes/audit/audit.log", "opt/audit.log"):
        assert kind_of("uac-n1-linux-20260302120000/[root]/" + where, RAW.encode()) == ""
