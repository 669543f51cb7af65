"""A real node: containerd, runc, a CNI bridge and a kubelet, in namespaces of their own with paths as on a real
machine.

A node has its own PID, mount, UTS, IPC and cgroup namespaces and the network namespace of its host. Its root is a
folder: /usr and the programs come read-only from this machine, everything that Kubernetes writes (/etc, /var, /run,
/tmp) is the node's own. Its first process is the inert program as /sbin/init, which reaps; ending it ends the node.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from range.control_plane import SERVER, ControlPlane
from range.network import node_address, on_host, pod_network
from range.sandbox import CGROUPS, CONTROLLERS, RangeError, cgroup
from range.script import Generation, NodeKind
from range.units import command_line, write_units

OWN = ("etc", "var", "root", "tmp", "run", "proc", "sys", "dev", "opt", "home")  # folders a node does not share
FOLDERS = (
    "usr", "old", "etc/kubernetes/pki", "etc/kubernetes/manifests", "etc/cni/net.d", "etc/containerd",
    "etc/default", "var/lib/kubelet/pki", "var/lib/containerd", "var/log/pods", "var/tmp", "opt/cni/bin",
    "opt/range", "root/.ssh", "etc/cron.d", "var/spool/cron/crontabs",
)  # fmt: skip
CONTAINERD = """\
version = 2
oom_score = 0
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "registry.k8s.io/pause:3.10"
  restrict_oom_score_adj = true
  disable_apparmor = true
  max_container_log_line_size = 16384
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      SystemdCgroup = false
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/opt/cni/bin"
    conf_dir = "/etc/cni/net.d"
"""
KUBELET = {
    "apiVersion": "kubelet.config.k8s.io/v1beta1",
    "kind": "KubeletConfiguration",
    "authentication": {
        "anonymous": {"enabled": False},
        "webhook": {"enabled": True, "cacheTTL": "0s"},
        "x509": {"clientCAFile": "/etc/kubernetes/pki/ca.crt"},
    },
    "authorization": {"mode": "Webhook"},
    "cgroupDriver": "cgroupfs",
    "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
    "clusterDomain": "cluster.local",
    "enforceNodeAllocatable": [],
    "evictionHard": {"memory.available": "50Mi"},
    "imageMinimumGCAge": "0s",
    "rotateCertificates": False,
    "staticPodPath": "/etc/kubernetes/manifests",
    "tlsCertFile": "/var/lib/kubelet/pki/kubelet.crt",
    "tlsPrivateKeyFile": "/var/lib/kubelet/pki/kubelet.key",
}
# Kubernetes 1.20 knows the runtime from flags only, which kubeadm writes into its environment file.
KUBELET_1_20 = {name: value for name, value in KUBELET.items() if name != "containerRuntimeEndpoint"}
RUNTIME_1_20 = "--container-runtime=remote --container-runtime-endpoint=/run/containerd/containerd.sock"


class Node:
    """Node `name`, the `number`th from 1; its root is `folder`, programs come from `cache`."""

    def __init__(
        self, name: str, number: int, kind: NodeKind, folder: Path, cache: Path, *, generation: Generation = "1.34"
    ) -> None:
        self.name, self.number, self.kind, self.generation = name, number, kind, generation
        self.address = node_address(number)
        self.root = folder
        self._cache = cache
        self._init: subprocess.Popen[bytes] | None = None

    def start(self, plane: ControlPlane) -> None:
        """Make the node's files, boot it, start containerd with its images and the kubelet.

        Raises:
            RangeError: a part did not start; the end of its log is in the message.
        """
        self._write_files(plane)
        self._boot()
        self.start_service("containerd")
        load = (
            "until ctr version >/dev/null 2>&1; do sleep 0.1; done; ctr -n k8s.io images import /opt/range/images.tar"
        )
        images = self.run(["sh", "-c", load], seconds=60)
        if images.returncode:
            raise RangeError(f"{self.name}: images: {images.stderr.strip()}\n{self.log('containerd')[-1500:]}")
        self.start_service("kubelet")

    def wait_until_ready(self, plane: ControlPlane, seconds: float = 90) -> None:
        """Wait for the node's Ready condition.

        Raises:
            RangeError: not in time.
        """
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            node = plane.get(f"/api/v1/nodes/{self.name}")
            conditions = node["status"].get("conditions", []) if node else []
            if any(one["type"] == "Ready" and one["status"] == "True" for one in conditions):
                return
            time.sleep(0.5)
        raise RangeError(f"{self.name} was not ready in {seconds:.0f} s:\n{self.log('kubelet')[-3000:]}")

    def start_service(self, name: str) -> None:
        """Start what unit file `name`.service says, in the background; its output goes to /var/log/`name`.log."""
        words = command_line(self.root, f"{name}.service")
        line = " ".join(f"'{word}'" for word in words)
        self.run(["sh", "-c", f"exec >>/var/log/{name}.log 2>&1 </dev/null; setsid {line} &"])

    def stop_service(self, name: str) -> None:
        """End a service and wait for it."""
        self.run(["sh", "-c", f"pkill -x {name}; while pgrep -x {name} >/dev/null; do sleep 0.1; done"], seconds=30)

    def run(
        self, words: Sequence[str], text: str | None = None, seconds: float = 30
    ) -> subprocess.CompletedProcess[str]:
        """Run a command on the node as root and give back what it printed; exit status 124 if it took too long."""
        command = [*self.enter(), *words]
        try:
            return subprocess.run(
                command, input=text, capture_output=True, text=True, errors="replace", check=False, timeout=seconds
            )
        except subprocess.TimeoutExpired as error:
            out = error.stdout.decode(errors="replace") if isinstance(error.stdout, bytes) else error.stdout or ""
            return subprocess.CompletedProcess(command, 124, out, f"no end after {seconds:.0f} s")

    def enter(self) -> list[str]:
        """The words before a command that make it run on the node."""
        if not self._init:
            raise RangeError(f"{self.name} is not up")
        inside = ["-m", "-u", "-i", "-n", "-p", "-C", "-r", "-w"]
        join = f'{self._join_cgroups()}; exec "$@"'
        return ["sh", "-c", join, "sh", "nsenter", "-t", str(self._init_pid), *inside, "--", "env", "-i", *_ENVIRONMENT]

    def log(self, service: str) -> str:
        """What a service has printed so far."""
        path = self.root / "var/log" / f"{service}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def tasks(self) -> dict[str, int]:
        """The running containers, sandboxes too: id → first process as the node numbers it."""
        lines = self.run(["ctr", "-n", "k8s.io", "tasks", "ls"]).stdout.splitlines()[1:]
        return {line.split()[0]: int(line.split()[1]) for line in lines if "RUNNING" in line}

    def stop(self) -> None:
        """End the node with everything on it."""
        if self._init:
            self._init.kill()
            self._init.wait()
            self._init = None

    def _boot(self) -> None:
        for name in CONTROLLERS:
            folder = CGROUPS / name / cgroup() / self.name
            folder.mkdir()
            if name == "cpuset":
                for setting in ("cpuset.cpus", "cpuset.mems"):
                    (folder / setting).write_text((folder.parent / setting).read_text())
        script = self.root.parent / f"{self.name}.sh"
        script.write_text(
            _BOOT.format(root=self.root, cache=self._cache, name=self.name, controllers=" ".join(CONTROLLERS))
        )
        enter = f"{self._join_cgroups()}; exec unshare -p -f -m -u -i -C --kill-child sh {script}"
        log = self.root.parent / f"{self.name}.boot.log"
        with log.open("wb") as output:
            self._init = subprocess.Popen(
                [*on_host(self.name), "sh", "-c", enter], stdout=output, stderr=output, stdin=subprocess.DEVNULL
            )
        until = time.monotonic() + 10
        while time.monotonic() < until and self._init.poll() is None:
            children = Path(f"/proc/{self._init.pid}/task/{self._init.pid}/children").read_text().split()
            if children and Path(f"/proc/{children[0]}/comm").read_text().strip() == "init":
                self._init_pid = int(children[0])
                return
            time.sleep(0.02)
        raise RangeError(f"{self.name} did not boot: {log.read_text(errors='replace')}")

    def _join_cgroups(self) -> str:
        folders = " ".join(f"{CGROUPS}/{name}/{cgroup()}/{self.name}" for name in CONTROLLERS)
        return f"for folder in {folders}; do echo $$ >$folder/cgroup.procs; done"

    def _write_files(self, plane: ControlPlane) -> None:
        for folder in (*OWN, *FOLDERS):
            (self.root / folder).mkdir(parents=True, exist_ok=True)
        for folder in ("tmp", "var/tmp"):
            (self.root / folder).chmod(0o1777)
        for link in ("bin", "sbin", "lib", "lib64"):
            (self.root / link).symlink_to(f"usr/{link}")
        awk = Path("/etc/alternatives/awk")  # /usr/bin/awk of Debian leads there, and /etc is the node's own
        if awk.is_symlink():
            (self.root / "etc/alternatives").mkdir()
            (self.root / "etc/alternatives/awk").symlink_to(awk.readlink())
        certificate, key = plane.authority.sign(
            self.name, f"system:node:{self.name}", ("system:nodes",), (self.address, self.name)
        )
        identity = {
            "client-certificate": "/var/lib/kubelet/pki/kubelet.crt",
            "client-key": "/var/lib/kubelet/pki/kubelet.key",
        }
        cluster = {"server": SERVER, "certificate-authority": "/etc/kubernetes/pki/ca.crt"}
        kubeconfig = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "kubernetes", "cluster": cluster}],
            "users": [{"name": "default-auth", "user": identity}],
            "contexts": [{"name": "default", "context": {"cluster": "kubernetes", "user": "default-auth"}}],
            "current-context": "default",
        }  # fmt: skip
        network = {
            "cniVersion": "0.4.0",
            "name": "pods",
            "plugins": [
                {
                    "type": "bridge",
                    "bridge": "cni0",
                    "isGateway": True,
                    "ipMasq": False,
                    "ipam": {
                        "type": "host-local",
                        "ranges": [[{"subnet": pod_network(self.number)}]],
                        "routes": [{"dst": "0.0.0.0/0"}],
                    },
                }
            ],
        }
        commented_out = self.kind == "config_line_commented_out"
        # A kubelet without its configuration file has no client CA and no certificate of its own: flags are all it has.
        flags = f"--node-ip={self.address} --hostname-override={self.name}"
        old = self.generation == "1.20"
        if old:
            flags = f"{RUNTIME_1_20} {flags}"
        files = {
            "etc/hostname": self.name + "\n",
            "etc/passwd": "root:x:0:0:root:/root:/bin/bash\n",
            "etc/group": "root:x:0:\n",
            "etc/hosts": f"127.0.0.1 localhost\n{self.address} {self.name}\n",
            "etc/resolv.conf": "nameserver 127.0.0.1\n",
            "etc/os-release": 'NAME="Range"\nID=range\nPRETTY_NAME="Test range node"\n',
            "etc/containerd/config.toml": CONTAINERD,
            "etc/cni/net.d/10-bridge.conflist": json.dumps(network, indent=1),
            "etc/kubernetes/kubelet.conf": json.dumps(kubeconfig),
            "etc/kubernetes/pki/ca.crt": plane.authority.certificate.read_text(),
            "var/lib/kubelet/pki/kubelet.crt": certificate.read_text(),
            "var/lib/kubelet/pki/kubelet.key": key.read_text(),
            "var/lib/kubelet/config.yaml": json.dumps(KUBELET_1_20 if old else KUBELET, indent=1),
            "var/lib/kubelet/kubeadm-flags.env": f'KUBELET_KUBEADM_ARGS="{flags}"\n',
            "etc/default/kubelet": "",
        }
        for path, content in files.items():
            (self.root / path).write_text(content)
        write_units(self.root, commented_out)


_ENVIRONMENT = ("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LANG=C.UTF-8")

# Builds the node's root from the folder and turns into its init. /usr is this machine's, read-only, with the range's
# programs laid over it; the cgroup mounts are made inside the new cgroup namespace, so that paths begin at the node.
_BOOT = """\
set -e
hostname {name}
mount --make-rprivate /
mount --bind {root} {root}
cd {root}
mount -t overlay overlay -o lowerdir={cache}/usr:/usr usr
mount -t proc proc proc
mount -t sysfs sysfs sys
mount --rbind /dev dev
mount -t tmpfs tmpfs sys/fs/cgroup
for name in {controllers}; do
  mkdir sys/fs/cgroup/$name
  mount -t cgroup -o $name cgroup sys/fs/cgroup/$name
done
mount -t tmpfs tmpfs run
mount --bind {cache}/cni opt/cni/bin
mount --bind {cache}/images opt/range
echo 1 >/proc/sys/net/ipv4/ip_forward
pivot_root . old
cd /
umount -l /old
exec /usr/sbin/init
"""
