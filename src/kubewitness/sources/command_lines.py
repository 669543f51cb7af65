"""The command lines of a control plane, put beside an audit log: known and hashed, of no machine, and not judged.

One process a line, the name or path of the program and its options, as `ps -o args=` prints them:

    kube-apiserver --etcd-servers http://127.0.0.1:2379 --authorization-mode Node,RBAC …

Every line has to be of this form, so that nothing else (least of all an audit event) can lie behind one.
"""

from __future__ import annotations

import re
from typing import Final

KIND: Final = "command lines of the control plane"
_LINE = re.compile(
    rb"(?:/[\w./-]{0,200}/)?(?:etcd|kube-(?:apiserver|controller-manager|scheduler|proxy)|cloud-controller-manager|kubelet)"
    rb"(?: --[a-z][^\x00-\x1f\x7f]{0,60000})?"
)


def is_command_lines(data: bytes) -> bool:
    """Told from the whole item."""
    lines = [line.strip() for line in data.split(b"\n") if line.strip()]
    return any(b" --" in line for line in lines) and all(map(_LINE.fullmatch, lines))
