"""All formats of host evidence that have a file of their own, in the order in which they are asked."""

from __future__ import annotations

from typing import Final

from kubewitness.sources.host import (
    addresses,
    auth_log,
    collection_time,
    container_log,
    crontab,
    falco,
    iptables_list,
    journald,
    json_logs,
    laurel,
    linux_audit,
    listings,
    lsof,
    manifest,
    modules,
    nft_text,
    osquery,
    proc_files,
    proc_records,
    shell_history,
    systemctl,
    tetragon,
    tracee,
    unread,
)
from kubewitness.sources.host.interface import Format

FORMATS: Final[tuple[Format, ...]] = (
    # one JSON object a line: each asks for keys that no other has
    *manifest.FORMATS,
    *proc_records.FORMATS,
    *laurel.FORMATS,
    *falco.FORMATS,
    *tetragon.FORMATS,
    *tracee.FORMATS,
    *osquery.FORMATS,
    *journald.FORMATS,
    *json_logs.FORMATS,
    # text
    *linux_audit.FORMATS,
    *auth_log.FORMATS,
    *container_log.FORMATS,
    *collection_time.FORMATS,
    *systemctl.FORMATS,
    *proc_files.FORMATS,
    *lsof.FORMATS,
    *modules.FORMATS,
    *addresses.FORMATS,
    *iptables_list.FORMATS,
    *nft_text.FORMATS,
    *listings.FORMATS,
    *crontab.FORMATS,
    *shell_history.FORMATS,
    *unread.FORMATS,
)
BY_KIND: Final = {one.kind: one for one in FORMATS}
