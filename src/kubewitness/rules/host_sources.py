"""The log sources of Linux that rules may name, and the fields that each has.

A rule about a machine says where it looks: `category` process_creation, file_event or network_connection (fields as
Sigma's taxonomy and Sysmon for Linux name them), `service` auditd (fields as the kernel's audit writes them), a
`service` that writes lines of text, or `product: linux` alone, which is everything. A field that is none of its log
source is a mistake in the rule; one that our evidence happens not to tell (a hash, a logon id) is absent.

Sources: Sigma's taxonomy appendix; the event schema of Sysmon for Linux; the audit project's field dictionary.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from kubewitness.model.errors import ContentError


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


EVERYTHING: Final = "linux"  # a rule that names the product alone
AUDIT: Final = "auditd"

# What any event of a machine may have. The last line is our own: where it happened.
_COMMON: Final = _words(
    "Image CommandLine CurrentDirectory User ProcessId ProcessGuid ParentImage ParentCommandLine ParentProcessId"
    " ParentProcessGuid ParentUser LogonId LogonGuid UtcTime RuleName Computer EventID Provider_Name Channel"
    " ContainerId PodName PodUid"
)
_CATEGORIES: Final[dict[str, frozenset[str]]] = {
    "process_creation": _COMMON
    | _words(
        "OriginalFileName FileVersion Description Product Company TerminalSessionId IntegrityLevel Hashes md5 sha1"
        " sha256 Imphash"
    ),
    "file_event": _COMMON | _words("TargetFilename CreationUtcTime PreviousCreationUtcTime"),
    "network_connection": _COMMON
    | _words(
        "Protocol Initiated SourceIsIpv6 SourceIp SourceHostname SourcePort SourcePortName DestinationIsIpv6"
        " DestinationIp DestinationHostname DestinationPort DestinationPortName"
    ),
}

# Services that write text, with the names their lines bear in a system log. None: lines of any name.
SERVICES: Final[dict[str, frozenset[str] | None]] = {
    "auth": _words(
        "sshd sshd-session sudo su login systemd-logind polkitd pkexec passwd chpasswd chage useradd usermod userdel"
        " groupadd groupmod groupdel gpasswd newgrp chsh chfn dropbear cron crond doas vsftpd"
    ),
    "clamav": _words("clamd clamav clamscan clamdscan freshclam clamonacc clamav-milter"),
    "cron": _words("cron crond crontab anacron atd fcron"),
    "guacamole": _words("guacd guacamole"),
    "sshd": _words("sshd sshd-session sshd-auth"),
    "sudo": _words("sudo"),
    "syslog": None,
    "vsftpd": _words("vsftpd"),
}
_MESSAGE: Final = _words("program message User SourceIp ContainerId PodName PodUid")

_ARGUMENT: Final = re.compile(r"a\d{1,4}")
_AUDIT: Final = _words(
    "type node msg acct acl action added addr apparmor arch argc audit_backlog_limit audit_backlog_wait_time"
    " audit_enabled audit_failure auid banners bool bus cap_fe cap_fi cap_fp cap_frootid cap_fver cap_pa cap_pe"
    " cap_pi cap_pp capability category cgroup changed cipher class cmd code comm compat cwd daddr data default-context"
    " dev device dir direction dmac dport egid enforcing entries errno euid exe exe_hash exit fam family fd fe feature"
    " fi file flags format fp frootid fsgid fsuid fver gid grantors grp hook hostname icmp_type id igid img-ctx inif"
    " inode inode_gid inode_uid invalid_context ioctlcmd ip ipid ipx-net item items iuid kernel key kind ksize laddr"
    " len list lport mac macproto maj major min minor mode model name nametype nargs net network new new-chardev"
    " new-disk new-enabled new-fs new-level new-log_passwd new-mem new-net new-range new-rng new-role new-seuser"
    " new-vcpu new_gid new_lock new_pe new_pi new_pp nlnk-fam nlnk-grp nlnk-pid oauid obj obj_gid obj_lev_high"
    " obj_lev_low obj_role obj_type obj_uid obj_user objtype ocomm oflag ogid old old-auid old-chardev old-disk"
    " old-enabled old-fs old-level old-log_passwd old-mem old-net old-range old-rng old-role old-ses old-seuser"
    " old-vcpu old_enforcing old_lock old_pa old_pe old_pi old_pp old_prom old_val op opid oses ouid outif pa parent"
    " path pe per perm perm_mask permissive pfs pi pid pp ppid printer proctitle prom proto qbytes range rdev reason"
    " removed res resrc result role rport saddr sauid scontext selected-context seperm seperms seqno seresult ses"
    " seuser sgid sig sigev_signo smac spid sport state subj success suid syscall table tclass tcontext terminal tty"
    " uid unit uri user uuid val ver virt vm vm-ctx vm-pid watch"
    # The enriched part writes names instead of numbers, in capitals.
    " ARCH SYSCALL SADDR AUID UID GID EUID SUID FSUID EGID SGID FSGID OUID OGID OAUID ID IUID IGID"
)

_FIELDS: Final[dict[str, frozenset[str]]] = {
    **_CATEGORIES,
    AUDIT: _AUDIT,
    **dict.fromkeys(SERVICES, _MESSAGE),
    EVERYTHING: frozenset().union(*_CATEGORIES.values(), _MESSAGE),
}


def log_source_of(given: Mapping[str, object]) -> str:
    """The log source of Linux that a rule's `logsource` means; empty if it is none that we know."""
    category, service = given.get("category"), given.get("service")
    if given.get("product") != "linux":
        return ""
    if category and service:
        return ""  # narrower than any of ours
    if not category and not service:
        return EVERYTHING
    name = str(category or service)
    return name if name in (_CATEGORIES if category else (AUDIT, *SERVICES)) else ""


def field_of(source: str, name: str) -> str:
    """The proper name of a field of a log source.

    Raises:
        ContentError: it has none of that name.
    """
    if name in _FIELDS[source] or (source == AUDIT and _ARGUMENT.fullmatch(name)):
        return name
    near = next((known for known in sorted(_FIELDS[source]) if known.lower() == name.lower()), "")
    hint = f"; did you mean {near!r}?" if near else ""
    what = "an event of the machine" if source == EVERYTHING else source
    raise ContentError(f"{what} has no field {name!r}{hint}")


def covers(wide: str, narrow: str) -> bool:
    """Whether a filter for the log source `wide` is meant for rules of `narrow`."""
    return wide == narrow or (wide == EVERYTHING and narrow != "")
