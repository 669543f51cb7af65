"""One line of a component's log that is one JSON object.

Three writers, told apart by keys no other pair of them shares:

    {"ts":1732006093914.655,"caller":"kubelet/kubelet.go:2465","msg":"…","v":0,"pod":{…}}    --logging-format=json;
        `ts` in milliseconds (older: seconds), `v` for information, else `err`, never `level`
    {"level":"info","msg":"…","time":"2024-11-29T18:13:10.764041708Z"}            containerd, dockerd (logrus)
    {"level":"warn","ts":"2024-11-29T18:13:10.764Z","caller":"etcdserver/util.go:123","msg":"…"}  etcd (zap)

Any program in Go may write the second and third form: they are a component's only if its name, its words or its source
files say so. Fields keep their JSON where they are no strings, so `cmd` reads the same as in a klog line.

Source: k8s.io/component-base/logs/json, containerd/log, etcd client/pkg/logutil.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

import msgspec
from msgspec import Raw, Struct

from kubewitness.model.host import Component
from kubewitness.sources.host import containerd
from kubewitness.sources.host.klog import MAX_FIELDS

_CALLER = re.compile(r"[\w.+/@-]{1,200}\.go:\d{1,6}")
_ETCD = re.compile(
    r"(?:etcdserver|etcdmain|embed|rafthttp|raft|mvcc|wal|snap|v3rpc|membership|traceutil|auth|lease|backend|fileutil|flags|etcdutl"
    r"|etcdhttp|v3compactor|osutil|netutil|transport|logutil|zapgrpc|capability|api|version|apply|txn|verify|schema)/[\w./-]{1,100}\.go:"
)
_KUBELET = re.compile(
    r"(?:^|/)(?:kubelet\w*|kuberuntime_\w+|remote_runtime|pod_workers|operation_generator|cpu_manager|eviction_manager|status_manager"
    r"|pod_container_deletor|container_manager_linux)\.go:|^kubelet/"
)


class Entry(Struct, frozen=True):
    """A line taken apart."""

    form: str  # "klog", "logrus", "zap"
    severity: str
    time: datetime | None
    message: str
    fields: dict[str, str]
    source: str = ""


def parse(text: str) -> Entry | None:
    """The entry of a line, None if it is none of the three."""
    if not text.startswith("{"):
        return None
    try:
        raw = msgspec.json.decode(text.encode("utf-8", "backslashreplace"), type=dict[str, Raw])
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
    if len(raw) > MAX_FIELDS:
        return None
    fields = {key: text_of(value) for key, value in raw.items()}
    if "msg" not in fields:
        return None
    found = _klog(raw, fields) or _logrus(fields) or _zap(fields)
    return found if found and found.time else None


def text_of(value: Raw) -> str:
    """A JSON string's inside, of any other value its JSON."""
    data = bytes(value)
    if data[:1] == b'"':
        try:
            return msgspec.json.decode(data, type=str)
        except (msgspec.MsgspecError, UnicodeError):
            pass
    return data.decode("utf-8", "backslashreplace")


def component_of(entry: Entry) -> Component:
    """Whose entry it is, by the source file it cites."""
    if entry.form == "klog" and _KUBELET.search(entry.source):
        return "kubelet"
    return "control_plane" if entry.form == "zap" and _ETCD.match(entry.source) else "other"


def _klog(raw: dict[str, Raw], fields: dict[str, str]) -> Entry | None:
    if "level" in fields or not ("v" in fields or "err" in fields) or bytes(raw["msg"])[:1] != b'"':
        return None
    caller = fields.get("caller", "")
    if not _CALLER.fullmatch(caller):
        return None
    try:
        number = float(bytes(raw.get("ts", b"")))
        moment = datetime.fromtimestamp(number / 1000 if number > 1e11 else number, UTC)
    except (ValueError, OverflowError, OSError):
        return None
    rest = {key: value for key, value in fields.items() if key not in ("ts", "caller", "msg", "v")}
    return Entry("klog", "info" if "v" in fields else "error", moment, fields["msg"], rest, caller)


def _logrus(fields: dict[str, str]) -> Entry | None:
    severity, moment = containerd.LEVELS.get(fields.get("level", "")), containerd.instant(fields.get("time", ""))
    if severity is None or moment is None or "ts" in fields or "caller" in fields:
        return None
    rest = {key: value for key, value in fields.items() if key not in ("level", "time", "msg")}
    return Entry("logrus", severity, moment, fields["msg"], rest)


def _zap(fields: dict[str, str]) -> Entry | None:
    severity, moment = containerd.LEVELS.get(fields.get("level", "")), containerd.instant(fields.get("ts", ""))
    caller = fields.get("caller", "")
    if severity is None or moment is None or not _CALLER.fullmatch(caller):
        return None
    rest = {key: value for key, value in fields.items() if key not in ("level", "ts", "caller", "msg")}
    return Entry("zap", severity, moment, fields["msg"], rest, caller)
