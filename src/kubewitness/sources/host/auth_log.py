"""The log of a machine as syslog or `journalctl -o short` writes it: auth.log, secure, syslog, messages, cron.

`Mar 23 15:05:36 node1 sshd[812]: Accepted password for root from 203.0.113.9 port 51022 ssh2`, the time also as RFC
3339 (rsyslog's default since 2023, `journalctl -o short-iso`). What matters in it is who came in and what cron and
sudo started; lines of the kubelet and of the runtime are read like those of their own logs.

Source: RFC 3164; the programs' texts are in `logins`.
"""

from __future__ import annotations

import re
from typing import Final

from kubewitness.sources.host import klog, logins, logs
from kubewitness.sources.host.containerd import HEAD as LOGFMT
from kubewitness.sources.host.interface import Format

KIND: Final = "system log"
_NAMES = re.compile(
    r"(?:auth\.log|secure|syslog|messages|cron|cron\.log|daemon\.log|user\.log|journal(?:ctl)?(?:\.log|\.txt)?)(?:[.-]\d{1,8})?(?:\.gz|\.zst)?$"
)
_AUDIT = re.compile(r'auditID\\*"\s*:|stageTimestamp\\*"\s*:')


def looks_like(lines: list[str], name: str) -> bool:
    """Mostly lines of syslog, of a program that is read, and none of a component in it (then it is that one's log)."""
    written, known = 0, False
    for line in lines:
        prefix = logs.SYSLOG.match(line)
        if not prefix:
            continue
        if line.startswith("{", prefix.end()) and _AUDIT.search(line):
            return False
        if logs.component_of(prefix[2]) != "other":
            text = line[prefix.end() :]
            if klog.HEAD.match(text) or LOGFMT.match(text):
                return False
        written += 1
        known = known or logs.program_of(prefix[2]) in logins.PROGRAMS or prefix[2].startswith("systemd")
    return 2 * written >= len(lines) and (known or _NAMES.fullmatch(re.split("[/!]", name)[-1]) is not None)


FORMATS: tuple[Format, ...] = (Format(KIND, looks_like, logs.read, logs.wanted),)
