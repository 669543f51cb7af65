"""What is collected, as data: the commands and the files, in the order in which they would be lost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_KIB: Final = 1024
_MIB: Final = 1024 * 1024


@dataclass(frozen=True)
class Run:
    """A command.

    Attributes:
        part: Folder below live_response.
        fallback_for: Only if that command is not installed.
        runtime: It prints settings of containers: the values of their variables are overwritten.
    """

    part: str
    argv: tuple[str, ...]
    timeout: float = 20.0
    limit: int = 32 * _MIB
    fallback_for: str = ""
    runtime: bool = False


@dataclass(frozen=True)
class Pick:
    """Files of a kind.

    Attributes:
        patterns: Paths of the machine; `**` is any depth.
        each: Bytes of one file.
        total: Bytes of all of them.
        tail: Of a larger file the end is kept, not the beginning.
        newest: The latest changed first, not by name.
        configuration: Values that are secret by their name are overwritten.
        binary: Copied as it is.
        follow: Where the target of a link may lie, to be copied in its place.
    """

    patterns: tuple[str, ...]
    each: int = _MIB
    total: int = 64 * _MIB
    tail: bool = False
    newest: bool = False
    configuration: bool = True
    binary: bool = False
    follow: tuple[str, ...] = ()


def _run(
    part: str, *lines: str, timeout: float = 20.0, limit: int = 32 * _MIB, fallback_for: str = ""
) -> tuple[Run, ...]:
    return tuple(Run(part, tuple(line.split()), timeout, limit, fallback_for) for line in lines)


VOLATILE: Final = (
    *_run("network", "ss -tunap", "ss -xap"),
    *_run("network", "netstat -tunap", fallback_for="ss"),
    *_run("process", "ps auxww", "ps -eo pid,ppid,user,lstart,args ww", "ps -axo pid,user,cgroup"),
)
NETWORK: Final = (
    *_run("network", "ip -j addr", "ip -j route show table all", "ip -j -6 route", "ip -j neigh", "ip -j rule",
    "ip netns list"),
    *_run(
        "network", "iptables-save", "iptables-legacy-save", "iptables-nft-save", "ip6tables-save",
        "ip6tables-legacy-save",
        "ip6tables-nft-save", "nft -j list ruleset", "ipvsadm -Sn", timeout=40.0, limit=128 * _MIB,
    ),
    *_run("network", "conntrack -L", "ipset list", limit=32 * _MIB),
)  # fmt: skip
SYSTEM: Final = (
    *_run(
        "system", "lsmod", "mount", "df -PT", "uname -a", "date -u", "date -R", "uptime",
        "timedatectl show", "chronyc -n tracking", "w", "who -a", "last -Faiw -n 2000", "lastb -Faiw -n 2000",
        "lastlog",
        "loginctl list-sessions --no-pager", "getenforce", "aa-status", "auditctl -s", "auditctl -l", "atq",
    ),
)  # fmt: skip
_JSON: Final = ("--format", "{{json .}}")
RUNTIME: Final = (
    *(
        Run("containers", argv, 30.0, 32 * _MIB, runtime=True)
        for argv in (
            ("crictl", "ps", "-a", "-o", "json"), ("crictl", "pods", "-o", "json"), ("crictl", "images", "-o", "json"),
            ("crictl", "info"), ("docker", "version", *_JSON), ("docker", "ps", "-a", "--no-trunc", *_JSON),
            ("docker", "images", "--no-trunc", *_JSON), ("docker", "network", "ls", *_JSON),
            ("docker", "events", "--since", "720h", "--until", "0s", *_JSON),
        )
    ),
    *_run(
        "containers", "ctr -n k8s.io containers ls", "ctr -n k8s.io tasks ls", "ctr -n k8s.io images ls",
        "ctr namespaces ls",
        "ctr -n moby containers ls", "podman ps -a --format json", timeout=30.0,
    ),
)  # fmt: skip
# What runtimes keep of each container on the disk: words, mounts, capabilities, also where no command answers
CONTAINER_SETTINGS: Final = (
    "/run/containerd/io.containerd.runtime.v2.task/*/*/config.json",
    "/run/k3s/containerd/io.containerd.runtime.v2.task/*/*/config.json",
    "/var/lib/docker/containers/*/config.v2.json", "/var/lib/docker/containers/*/hostconfig.json",
    "/run/containers/storage/overlay-containers/*/userdata/config.json",
)  # fmt: skip
INSPECTED: Final = 200  # containers
_NAMED: Final = (
    "kubelet", "containerd", "docker", "crio", "cri-docker", "kube-proxy", "k3s", "k3s-agent", "rke2-server",
    "rke2-agent", "ssh",
    "sshd",
)  # fmt: skip
SERVICES: Final = (
    *_run(
        "services", "systemctl list-units --all --no-pager --full --plain",
        "systemctl list-timers --all --no-pager --full",
        "systemctl list-unit-files --no-pager --full",
    ),
    *(Run("services", ("systemctl", "cat", "--no-pager", unit)) for unit in (*_NAMED[:6], "k3s", "rke2-server")),
)  # fmt: skip


def journal(since: str) -> tuple[Run, ...]:
    """The journal of the services that matter; the latest lines if there are very many."""
    about = (
        ("-u", "kubelet", "-u", "k3s", "-u", "k3s-agent", "-u", "rke2-server", "-u", "rke2-agent", "-u", "kube-proxy"),
        ("-u", "containerd", "-u", "docker", "-u", "crio", "-u", "cri-docker"),
        ("-u", "ssh", "-u", "sshd"),
        ("_COMM=sudo", "+", "_COMM=su", "+", "_COMM=cron", "+", "_COMM=crond"),
        ("-k",),
    )
    return tuple(
        Run(
            "logs",
            ("journalctl", "--no-pager", "--utc", "-o", "json", "-n", str(lines), "--since", since, *words),
            60.0, 192 * _MIB,
        )
        for words, lines in zip(about, (120_000, 60_000, 40_000, 40_000, 40_000), strict=True)
    )  # fmt: skip


_UNITS: Final = ("service", "timer", "socket", "path", "conf", "mount")
_VENDOR: Final = (*_NAMED, "kube-*", "k8s-*")

CONFIGURATION: Final = (
    Pick(  # kubelet first: what its configuration says is what an intruder used
        (
            "/var/lib/kubelet/config.yaml", "/var/lib/kubelet/kubeadm-flags.env", "/var/lib/kubelet/*.conf",
            "/var/lib/kubelet/*.yaml",
            "/var/lib/kubelet/kubeconfig", "/var/lib/kubelet/pki/*",
            "/etc/kubernetes/**", "/etc/default/kube*", "/etc/sysconfig/kube*", "/etc/kubelet*", "/etc/default/docker",
            "/etc/default/containerd", "/etc/default/crio", "/etc/sysconfig/docker*", "/etc/sysconfig/containerd",
            "/etc/sysconfig/crio*",
            "/etc/rancher/**", "/var/lib/rancher/k3s/agent/*.kubeconfig", "/var/lib/rancher/k3s/agent/etc/**",
            "/var/lib/rancher/k3s/agent/pod-manifests/*", "/var/lib/rancher/k3s/server/manifests/**",
            "/var/lib/rancher/rke2/agent/pod-manifests/*", "/var/lib/rancher/rke2/agent/etc/**",
            "/var/lib/rancher/rke2/server/manifests/**", "/var/snap/microk8s/current/args/*", "/var/lib/k0s/kubelet*",
            "/var/lib/kube-proxy/*", "/etc/containerd/**", "/etc/crio/**", "/etc/containers/**", "/etc/docker/**",
            "/etc/crictl.yaml",
            "/etc/cni/**", "/root/.docker/config.json", "/var/lib/kubelet/config.json", "/etc/nodeadm/**",
            "/etc/eks/**",
        ),
        follow=("/etc/", "/var/lib/kubelet/", "/var/lib/rancher/", "/run/"),
    ),
    Pick(
        (
            *(f"/etc/systemd/system/**/*.{end}" for end in _UNITS),
            *(f"/run/systemd/system/**/*.{end}" for end in _UNITS),
            "/etc/systemd/user/**/*.*", "/etc/systemd/*.conf", "/run/systemd/transient/*",
            *(f"{home}/systemd/system/{unit}.{end}"
              for home in ("/usr/lib", "/lib", "/usr/local/lib") for unit in _VENDOR
              for end in ("service", "timer", "socket", "service.d/*.conf")),
            "/root/.config/systemd/user/**/*.*", "/home/*/.config/systemd/user/**/*.*",
        ),
    ),
    Pick(
        (
            "/etc/crontab", "/etc/anacrontab", "/etc/cron*/*", "/etc/cron.allow", "/etc/cron.deny",
            "/var/spool/cron/**",
            "/var/spool/at/*", "/etc/ld.so.preload", "/etc/ld.so.conf", "/etc/ld.so.conf.d/*", "/etc/profile",
            "/etc/profile.d/*",
            "/etc/bash.bashrc", "/etc/bashrc", "/etc/environment", "/etc/environment.d/*", "/etc/zsh/*",
            "/etc/rc.local",
            "/etc/rc.d/rc.local", "/etc/init.d/*", "/etc/rc*.d/*", "/etc/inittab", "/etc/update-motd.d/*",
            "/etc/xdg/autostart/*",
            "/etc/modules", "/etc/modules-load.d/*", "/etc/modprobe.d/*", "/etc/udev/rules.d/*", "/etc/sysctl.conf",
            "/etc/sysctl.d/*",
            "/etc/hosts", "/etc/resolv.conf", "/etc/hostname", "/etc/os-release", "/etc/machine-id", "/etc/timezone",
            "/etc/fstab",
            "/etc/hosts.allow", "/etc/hosts.deny", "/etc/ssh/sshd_config", "/etc/ssh/sshd_config.d/*",
            "/etc/ssh/ssh_config",
            "/etc/sudoers", "/etc/sudoers.d/*", "/etc/rsyslog.conf", "/etc/rsyslog.d/*", "/etc/logrotate.conf",
            "/etc/logrotate.d/*",
            "/etc/audit/**", "/etc/apt/sources.list", "/etc/yum.repos.d/*", "/etc/iptables/*", "/etc/nftables.conf",
            "/etc/sysconfig/iptables", "/etc/sysconfig/ip6tables", "/etc/security/*.conf",
        ),
        follow=("/etc/", "/run/systemd/resolve/", "/usr/lib/os-release", "/usr/lib/sysctl.d/"),
    ),
    Pick(
        ("/etc/passwd", "/etc/group", "/etc/subuid", "/etc/nsswitch.conf", "/etc/pam.d/*", "/etc/ssh/*.pub",
        "/etc/ssh/*_keys"),
        configuration=False,
    ),
)  # fmt: skip

# What the kernel tells of the machine as a whole
PROC: Final = (
    "modules", "mounts", "self/mountinfo", "version", "cmdline", "uptime", "stat", "swaps", "partitions", "filesystems",
    "net/dev", "net/route", "net/arp", "net/packet", "net/netlink", "sys/kernel/tainted", "sys/kernel/core_pattern",
    "sys/kernel/modprobe", "sys/kernel/random/boot_id", "sys/kernel/hostname", "sys/net/ipv4/ip_forward",
    "sys/vm/nr_hugepages",
)  # fmt: skip

# Below every home
HOME: Final = (
    Pick(
        (
            ".ssh/authorized_keys*", ".ssh/known_hosts*", ".ssh/*.pub", ".bash_history", ".zsh_history", ".sh_history",
            ".ash_history",
            ".history", ".python_history", ".mysql_history", ".psql_history", ".lesshst", ".viminfo", ".wget-hsts",
            ".local/share/fish/fish_history",
        ),
        each=4 * _MIB,
        tail=True,
        configuration=False,
    ),
    Pick(
        (
            ".ssh/config", ".ssh/rc", ".ssh/environment", ".bashrc", ".bash_profile", ".bash_login", ".bash_logout",
            ".profile",
            ".zshrc", ".zprofile", ".zshenv", ".kube/config", ".config/autostart/*",
        ),
    ),
)  # fmt: skip

LOGS: Final = (
    Pick(("/var/log/wtmp*", "/var/log/btmp*", "/var/run/utmp", "/run/utmp"), 16 * _MIB, tail=True, binary=True),
    Pick(("/var/log/lastlog",), 4 * _MIB, binary=True),
    Pick(
        ("/var/log/auth.log*", "/var/log/secure*", "/var/log/audit/audit.log*", "/var/log/cron*", "/var/log/sudo*"),
        48 * _MIB, 256 * _MIB, tail=True, newest=True, configuration=False,
    ),
    Pick(
        (
            "/var/log/syslog*", "/var/log/messages*", "/var/log/kern.log*", "/var/log/daemon.log*", "/var/log/kubelet*",
            "/var/log/kube-*.log", "/var/log/containerd*.log", "/var/log/docker*.log", "/var/log/crio*.log",
            "/var/log/falco*/*", "/var/log/falco*", "/var/log/laurel/*", "/var/log/osquery/osqueryd.results.log",
            "/var/log/tetragon/*",
            "/var/log/cloud-init*.log", "/var/log/dpkg.log*", "/var/log/apt/history.log*", "/var/log/yum.log*",
            "/var/log/dnf*.log",
            "/var/log/iptables*.log", "/var/log/ufw.log*",
        ),
        32 * _MIB, 384 * _MIB, tail=True, newest=True, configuration=False, follow=("/var/log/",),
    ),
)  # fmt: skip
AUDIT: Final = Pick(
    ("/var/log/kubernetes/**", "/var/log/kube-apiserver/**", "/var/log/kube-audit/**", "/var/log/apiserver/**",
     "/var/lib/rancher/*/server/logs/*"),
    256 * _MIB, 512 * _MIB, tail=True, newest=True, configuration=False, follow=("/var/log/",),
)  # fmt: skip
CONTAINER_LINKS: Final = Pick(("/var/log/containers/*",))  # links whose names tell pod and container
CONTAINER_LOGS: Final = Pick(
    ("/var/log/pods/*/*/*", "/var/lib/docker/containers/*/*-json.log"),
    4 * _MIB, 256 * _MIB, tail=True, newest=True, configuration=False,
    follow=("/var/log/pods/", "/var/lib/docker/containers/"),
)  # fmt: skip

# Never copied, whoever points at them: password hashes, private keys by name, tokens, and whole databases
NEVER: Final = (
    "/etc/shadow*", "/etc/gshadow*", "*/.ssh/id_*", "*/.ssh/*.pem", "/etc/ssh/ssh_host_*_key", "/var/lib/etcd/*",
    "*/server/token",
    "*/node-token", "*/agent-token", "*/server/cred/*", "*/server/db/*", "/var/lib/kubelet/pods/*", "/run/secrets/*",
    "/var/run/secrets/*", "*.p12", "*.pfx", "*.jks", "*.keystore", "*.kdbx", "*known_tokens*.csv", "*token*.csv",
    "*basic_auth*",
    "*/opasswd", "*/krb5.keytab", "*.keytab", "*/.git-credentials", "*/.netrc", "*/.aws/credentials", "/proc/*",
    "/sys/*", "/dev/*",
)  # fmt: skip
TEMPORARY: Final = ("/dev/shm", "/tmp", "/var/tmp", "/run/user", "/run/shm", "/dev/mqueue")  # noqa: S108
# Where an intruder leaves things and packages do not
LOOSE: Final = ("/root/.ssh", "/root/.config", "/root/.configure", "/opt/cni/bin", "/usr/local/bin", "/usr/local/sbin")
