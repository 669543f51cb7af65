"""Miners are known by what they must be told, not by their name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubewitness.model.evidence import Place
from kubewitness.model.host import Host, Socket
from tests.detect.host.making import file, found, host, process

WALLET = "46RangeWaLLetThatNobodyHasABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789ABCDEFGHJKLM"
MINERS = [
    f"./.system -o pool.supportxmr.com:3333 --donate-level=1 --coin=monero -u {WALLET} -p x -B",
    "/kube-controller -o 203.0.113.80:3333 --donate-level 1 --coin=monero -k",
    f"/usr/sbin/sshd --url=203.0.113.80:443 --user={WALLET}.worker1 --tls -k",
    f"nginx -o xmrig-proxy:3333 -u {WALLET[:40]} -p x",
    f"/usr/bin/python3 -a rx/0 -o 203.0.113.9:14444 -u {WALLET}",
    "java -o stratum+tcp://gulf.example.com:10128 -u x",
    f"minerd -a cryptonight -o stratum+tcp://pool.example.com:5555 -O {WALLET}:x",
    "lolMiner --algo ETCHASH --pool etc.2miners.com:1010 --user 0x1234567890abcdef1234567890abcdef12345678",
    f"sh -c cd /opt && nohup ./app -o 203.0.113.80:3333 -u {WALLET} &",
    f"nohup timeout 3600 ./app -o 203.0.113.80:3333 -u {WALLET}",
    "xmrig",
    "/opt/xmrig/xmrig -c /opt/xmrig/config.json",
    "/etc/kinsing",
    "/root/moneroocean_x",
    "./a -a RX/0 --Coin=monero",
    f"grep -o 203.0.113.80:3333 -u {WALLET} --donate-level 1",  # a miner that calls itself grep
]
OTHERS = [
    "curl -o file -u user:password https://files.example.com/a",
    "curl --url files.example.com:3333 -u admin:secret -k",
    "curl -sk -o /dev/null https://api.nanopool.org/v1/xmr/user/" + WALLET,
    "ssh -o StrictHostKeyChecking=no -p 3333 admin@203.0.113.9",
    "ssh -o ProxyCommand=nc 203.0.113.9:3333 -p x host",
    "mysql -u root -p -h db.example.com",
    "tar -xzO -f archive.tar.gz",
    "docker run -u 1000 -p 3333:3333 web",
    "mount -o addr=203.0.113.9:2049 nfs /mnt",
    "ps -o pid:10 -u root",
    "grep -r stratum+tcp:// /var/log",
    "grep -rE xmrig|kinsing|kdevtmpfsi /",
    "pkill -f xmrig",
    "tail -f /var/log/xmrig.log",
    "vi /root/xmrig/config.json",
    "grep -- --donate-level /etc/app.conf --coin=monero",
    "app --tls --nicehash",
    "python train.py --coin=monero",
    "worker --pool threads:1000 -p x -k",
    "redis-server *:6379",
    "agent --url collector.example.com:4444 --user 48aabbccddeeff00112233445566778899 -k",
    "/usr/bin/kubelet --config=/var/lib/kubelet/config.yaml --node-ip=10.0.0.5",
    "prometheus --web.listen-address=0.0.0.0:9999",
    "",
]


@pytest.mark.parametrize("command", MINERS)
def test_the_grammar_of_a_miner_is_found_whatever_its_name(command: str) -> None:
    (finding,) = found(host(command), "miner_process")
    assert finding.severity == "critical"
    assert finding.kind == "intrusion"
    assert finding.reasons


@pytest.mark.parametrize("command", OTHERS)
def test_what_only_shares_a_sign_with_miners_is_none(command: str) -> None:
    assert not found(host(command), "miner_process")


@pytest.mark.parametrize("length", [20, 40, 88])
def test_a_wallet_cut_at_the_terminal_width_is_still_one(length: int) -> None:
    assert found(host(f"./app -o 203.0.113.80:3333 -u {WALLET[:length]}"), "miner_process")


def test_less_than_twenty_characters_are_no_wallet() -> None:
    assert not found(host(f"./app -o 203.0.113.80:8080 -u {WALLET[:19]}"), "miner_process")


def test_the_pool_is_told_as_address() -> None:
    (finding,) = found(host(MINERS[0]), "miner_process")
    assert finding.addresses == ("pool.supportxmr.com",)


def test_a_renamed_miner_is_known_by_its_configuration_file() -> None:
    config = '{"autosave": true, "donate-level": 1, "pools": [{"url": "203.0.113.80:3333", "user": "48x"}]}'
    files = [file("/opt/app/config.json", config)]
    beside = process("./web", executable="/opt/app/web")
    named = process("/usr/bin/web -c /opt/app/config.json")
    reader = process("cat /opt/app/config.json", executable="/usr/bin/cat")
    machine = Host("node1", processes=[beside, named, reader], files=files)
    assert {f.subject for f in found(machine, "miner_process")} == {"./web", "/usr/bin/web -c /opt/app/config.json"}
    (finding,) = found(machine, "miner_configuration")
    assert finding.addresses == ("203.0.113.80",)


def test_a_configuration_is_found_from_the_folder_the_process_was_started_in() -> None:
    config = '{"donate-level": 1, "pools": [{"url": "203.0.113.80:3333"}]}'
    files = [file("/var/tmp/.c/x.json", config), file("/config.json", config)]
    renamed = process("./web --config=x.json", executable="/usr/bin/web", cwd="/var/tmp/.c")
    others = [process("./web", executable="/opt/web", cwd="/"), process("cp x.json /root", cwd="/var/tmp/.c")]
    machine = Host("node1", processes=[renamed, *others], files=files)
    assert [finding.process for finding in found(machine, "miner_process")] == [renamed]


@pytest.mark.parametrize(
    ("command", "severity", "kind"),
    [
        ("./app -o 10.0.0.5:3333 -u x -p x -k --tls", "critical", "intrusion"),
        ("./app -o 127.0.0.1:3333 -u x -p x", "critical", "intrusion"),  # a tunnel on the machine itself
        ("./app -o proxy.example.com:443 -u x -p x -k --tls", "medium", "activity"),
    ],
)
def test_a_miner_behind_a_proxy_of_its_own_is_known_by_its_login(command: str, severity: str, kind: str) -> None:
    (finding,) = found(host(command), "miner_process")
    assert (finding.severity, finding.kind) == (severity, kind)


@pytest.mark.parametrize(
    "command",
    [
        "mysql -u root -p x -h 10.0.0.5:3333",
        "psql -U x -p 3333 -h 10.0.0.5 -o 10.0.0.5:3333",
        "ssh -o 10.0.0.5:3333 -u x -p x -k",
        "./app -o 10.0.0.5:8443 -u x -p x",
        "./app -o 10.0.0.5:443 -u x --tls -k",
        "./app -o /var/log/x:3333 -u x -p x",
    ],
)
def test_a_login_elsewhere_is_no_miners(command: str) -> None:
    assert not found(host(command), "miner_process")


def test_a_configuration_without_pools_is_no_miners() -> None:
    files = [file("/opt/app/config.json", '{"pools": [{"name": "db", "size": 3}]}')]
    assert not found(
        Host("node1", processes=[process("./web", executable="/opt/app/web")], files=files), "miner_process"
    )


def test_a_connection_to_a_pools_port_adds_to_a_weak_sign_and_is_nothing_alone() -> None:
    peer = Socket("tcp", "ESTAB", "10.0.0.5", 45112, "203.0.113.33", 3333, Place("ss.txt", 1, 0), (("app", 7),))
    weak = process("./app --coin=xyz", pid=7)
    plain = process("./app", pid=7)
    assert found(Host("node1", processes=[weak], sockets=[peer]), "miner_process")
    assert not found(Host("node1", processes=[plain], sockets=[peer]), "miner_process")


def test_the_same_miner_is_one_finding_a_container_and_counted() -> None:
    one, two = "aa" * 32, "bb" * 32
    machine = Host("node1", processes=[process(MINERS[0], container=c, pod_uid=f"uid-{c[0]}") for c in (one, one, two)])
    findings = found(machine, "miner_process")
    assert [(f.container, f.pod_uid, f.count) for f in findings] == [(one, "uid-a", 2), (two, "uid-b", 1)]


@given(st.text(max_size=300))
def test_no_command_line_makes_it_fail(command: str) -> None:
    found(host(command, f"sh -c {command}", f"./a -o {command} -u {command}"), "miner_process")
