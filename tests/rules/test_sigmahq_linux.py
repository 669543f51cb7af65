"""All of SigmaHQ's public rules for Linux load unmodified, each into its log source."""

from __future__ import annotations

from collections import Counter

from kubewitness.rules.loader import load_rules
from tests.corpus import CORPUS, needs_corpus


@needs_corpus
def test_all_of_them_load_and_none_is_refused() -> None:
    assert CORPUS is not None
    folder = CORPUS / "SigmaHQ__sigma/rules/linux"
    loaded = load_rules([folder])
    assert [str(error) for error in loaded.errors] == []
    assert (loaded.rules, loaded.skipped) == ((), ())
    assert len(loaded.host_rules) == len(list(folder.rglob("*.yml"))) == 210
    assert Counter(rule.log_source for rule in loaded.host_rules) == {
        "process_creation": 122, "auditd": 53, "linux": 15, "file_event": 8, "network_connection": 5, "syslog": 2,
        "clamav": 1, "cron": 1, "guacamole": 1, "sshd": 1, "vsftpd": 1,
    }  # fmt: skip
