"""What to do on a node, in the order that keeps evidence: dump the processes before anything is stopped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from shlex import quote

from kubewitness.detect.host.finding import HostFinding
from kubewitness.incident.command_names import file_name, fit, target
from kubewitness.incident.node.story import shown
from kubewitness.incident.node.view import NodeView
from kubewitness.incident.when import moment
from kubewitness.model.collection import MANIFEST
from kubewitness.model.host import Host
from kubewitness.model.incident import Action, ObjectName
from kubewitness.model.text import Text
from kubewitness.posture.exposure import Exposure
from kubewitness.sources.host.collected import KIND
from kubewitness.sources.host.folders import machine_path

_EACH = 12
_NAME = 300  # characters of an archive's name
_STARTS = frozenset(("host/cron_persistence", "host/unit_persistence", "host/ld_preload", "host/planted_key"))
_AFTER = ("stop", "revoke", "fix", "verify")
_MACHINES = 8  # that an incident of the audit log says it of
_NOTHING = Text("Nothing", "无")


def advice(
    host: Host, told: Sequence[HostFinding], exposures: Sequence[Exposure], pods: Sequence[ObjectName]
) -> tuple[Action, ...]:
    """The actions of an incident on one node. Nothing is run; pids are numbers, paths are quoted."""
    pids = sorted({finding.process.pid for finding in told if finding.process})[:_EACH]
    actions = [_snapshot(host), _isolate()]
    if pids:
        actions.append(_dump(pids))
    actions += disarm(host, told)
    if pids:
        actions.append(_stop(pids))
    actions.append(_revoke(host, pods))
    actions += [_fix(exposure) for exposure in exposures if exposure.severity in ("critical", "high", "medium")]
    actions.append(_verify())
    return tuple(actions)


def _snapshot(host: Host) -> Action:
    title, why, first = _archived(host)
    return Action(
        "snapshot",
        title,
        Text(
            f"{why.en}Do not stop Docker or containerd yet: its list of containers and their processes go with it.",
            f"{why.zh}先不要停止 Docker 或 containerd：容器列表和其中的进程会随之消失。",
        ),
        "\n".join(
            (
                *first,
                "mkdir -p /root/evidence && cd /root/evidence",
                "# everything below and more in one file; without Python on the node: kubewitness collect --script",
                "kubewitness collect --output .",
                "# or by hand:",
                "ps auxwwf > ps.txt; ss -tanp > ss.txt; iptables-save > iptables.txt; nft -j list ruleset > nft.json",
                "journalctl -u kubelet -u containerd -u docker --no-pager > journal.txt",
                "cp -a --parents /etc/systemd/system/kubelet.service.d /var/lib/kubelet/config.yaml "
                "/var/lib/kubelet/kubeadm-flags.env .",
                "crictl ps -a -o json > containers.json; crictl pods -o json > pods.json",
            )
        ),
        safe=True,
        breaks=_NOTHING,
        undo=Text("Delete the copies", "删除副本"),
    )


def _archived(host: Host) -> tuple[Text, Text, tuple[str, ...]]:
    """Headline, reason and first lines of the snapshot: another one where this evidence is an archive of ours."""
    item = next((name for name, kind in host.sources.items() if kind == KIND), "")
    if not item or not host.collected:
        title = Text(f"Keep what {host.name} still knows", f"先保存 {host.name} 上尚存的证据")
        return title, Text("", ""), ()
    whole, inside, _ = item.partition("!")
    name = shown(whole if inside else item.removesuffix("/" + MANIFEST), _NAME)
    time = moment(host.collected)
    hashed = whole if inside else item  # of an unpacked archive the manifest, which holds all other hashes
    lines = (
        f"# on the machine where it lies: keep this line elsewhere, it proves the {'archive' if inside else 'files'}",
        f"sha256sum {quote(hashed)}",
        "# on the node, what it knows by now:",
    )
    return (
        Text(
            f"Keep the snapshot of {host.name} that there is, and take another before you change anything",
            f"妥善保存 {host.name} 已有的快照，并在做任何改动之前再采集一次",
        ),
        Text(
            f"A snapshot of {time} exists: {name}. Keep it and its SHA-256 apart from this cluster: without the hash "
            "nobody can prove later that it is unchanged. ",
            f"已有 {time} 的快照：{name}。请将它及其 SHA-256 保存在该集群之外：没有哈希，日后无法证明它未被改动。",
        ),
        lines if hashed.isprintable() and hashed != "-" else lines[2:],
    )


def _isolate() -> Action:
    return Action(
        "isolate",
        Text("Let nobody but the control plane reach the kubelet", "只允许控制面访问 kubelet"),
        Text(
            "Replace CONTROL_PLANE by the API server's address; with several, let each further one in afterwards: "
            "iptables -I INPUT -p tcp --dport 10250 -s ADDRESS -j ACCEPT. Outgoing traffic of the intruder's programs "
            "goes on until they are stopped.",
            "将 CONTROL_PLANE 替换为 API server 的地址；若有多个，随后逐一放行其余地址："
            "iptables -I INPUT -p tcp --dport 10250 -s ADDRESS -j ACCEPT。"
            "入侵者程序的外发流量在其被停止之前仍会继续。",
        ),
        "iptables -I INPUT -p tcp --dport 10250 ! -s CONTROL_PLANE -j DROP\niptables -I INPUT "
        "-p tcp --dport 10255 -j DROP",
        safe=False,
        breaks=Text(
            "Whatever else reads this kubelet (metrics-server, monitoring) until it is allowed",
            "其他访问该 kubelet 的组件（metrics-server、监控），放行之前会中断",
        ),
        undo=Text("Delete the two rules with -D", "用 -D 删除这两条规则"),
    )


def _dump(pids: Sequence[int]) -> Action:
    lines = ["mkdir -p /root/evidence && cd /root/evidence"]
    lines += [
        f"cp /proc/{pid}/exe exe.{pid}; tr '\\0' ' ' < /proc/{pid}/cmdline > cmdline.{pid}; ls "
        f"-l /proc/{pid}/fd > fd.{pid}"
        for pid in pids
    ]
    return Action(
        "dump",
        Text("Copy the programs out of /proc before they stop", "在停止之前从 /proc 复制程序"),
        Text("A deleted executable can still be copied while it runs.", "已被删除的可执行文件在运行期间仍可复制。"),
        "\n".join(lines),
        safe=True,
        breaks=_NOTHING,
        undo=Text("Delete the copies", "删除副本"),
    )


def _starting(host: Host, told: Sequence[HostFinding]) -> dict[str, list[int]]:
    """The files that bring the intruder or its programs back, with the numbers of the lines concerned."""
    paths = {file.place.item: file.path for file in host.files}
    lines = dict[str, list[int]]()
    for finding in told:
        for place, _ in finding.places if finding.rule in _STARTS else ():
            path = paths.get(place.item) or machine_path(place.item)
            if path.isprintable() and (path in lines or (path and len(lines) < _EACH)):
                lines.setdefault(path, []).append(place.line)
    return lines


def disarm(host: Host, told: Sequence[HostFinding]) -> tuple[Action, ...]:
    """What brings the intruder back goes before its processes are stopped: cron starts them within a minute."""
    lines = _starting(host, told)
    return (_disarm(host, lines),) if lines else ()


def with_disarming(
    actions: tuple[Action, ...], views: Sequence[NodeView], told: Sequence[HostFinding]
) -> tuple[Action, ...]:
    """The actions of an incident of the audit log with the same for each machine where it left something."""
    sure = [finding for finding in told if finding.kind == "intrusion"]
    more = [
        action for view in views for action in disarm(view.host, [one for one in sure if one.host == view.host.name])
    ]
    place = next((n for n, action in enumerate(actions) if action.phase in _AFTER), len(actions))
    return (*actions[:place], *more[:_MACHINES], *actions[place:])


def _disarm(host: Host, lines: Mapping[str, Sequence[int]]) -> Action:
    copies = [f"cp -a --parents {quote(path)} ." for path in lines]
    edits = [
        f"# then take out of {quote(path)}: line{'s' if len(set(numbers)) > 1 else ''} "
        + ", ".join(map(str, sorted(set(numbers))[:_EACH]))
        for path, numbers in lines.items()
    ]
    return Action(
        "stop",
        Text(f"Take away what brings the intruder back on {host.name}", f"清除 {host.name} 上的持久化手段"),
        Text(
            "Cron, units and preloaded libraries bring stopped programs back, keys let their owner log in again. Keep "
            "copies, then edit by hand.",
            "cron、unit 和预加载库会让已停止的程序重新运行，密钥可让其持有者再次登录。先保留副本，再手动编辑这些文件。",
        ),
        "\n".join(("mkdir -p /root/evidence && cd /root/evidence", *copies, *edits)),
        safe=False,
        breaks=Text(
            "Nothing that belongs to you, if the lines are the intruder's: read them first",
            "若这些行确属入侵者则不影响业务：请先核对",
        ),
        undo=Text("Put the copies back", "恢复副本"),
    )


def _stop(pids: Sequence[int]) -> Action:
    return Action(
        "stop",
        Text("Stop the intruder's processes", "停止入侵者的进程"),
        Text(
            "Only after the copies were made. Numbers of processes are given out again: go on only with those that ps "
            "still shows as the intruder's.",
            "务必在复制完成之后。进程号会被重新分配：仅对 ps 显示仍属入侵者的进程执行。",
        ),
        "\n".join(
            (
                f"ps -o pid,lstart,args -p {','.join(map(str, pids))}",
                f"kill -STOP {' '.join(map(str, pids))}",
                f"kill -KILL {' '.join(map(str, pids))}",
            )
        ),
        safe=False,
        breaks=Text(
            "Nothing that belongs to you, if the list is right: read it first", "若清单无误则不影响业务：请先核对"
        ),
        undo=Text("None", "无"),
    )


def _node(host: Host) -> str:
    """The name of the node: a machine told apart by where its evidence lies has that behind it."""
    return host.name.partition(" (")[0]


def _revoke(host: Host, pods: Sequence[ObjectName]) -> Action:
    lines = list[str]()
    for pod in fit(pods)[:_EACH]:
        lines.append(f"kubectl get {target(pod)} -o yaml > {file_name(pod.kind, pod.namespace, pod.name)}")
        lines.append(f"kubectl delete {target(pod)}")
    return Action(
        "revoke",
        Text(f"Renew the credentials that pods of {host.name} held", f"轮换 {host.name} 上各 Pod 持有的凭据"),
        Text(
            "Whoever runs commands in a container reads its token and mounted Secrets. Deleting "
            "a pod voids its token; Secrets are changed "
            "where they come from.",
            "能在容器中执行命令的人就能读取其令牌与挂载的 Secret。删除 Pod 会使其令牌失效；Secret 需在来源处更换。",
        ),
        "\n".join(lines) or f"kubectl get pods -A --field-selector spec.nodeName={quote(_node(host))}",
        safe=False,
        breaks=Text(
            "The pods restart; one that no controller made does not come back by itself",
            "Pod 会重启；不属于任何控制器的 Pod 不会自动恢复",
        ),
        undo=Text("For a pod without a controller: apply its copy again", "没有控制器的 Pod：重新 apply 其副本"),
    )


def _fix(exposure: Exposure) -> Action:
    return Action(
        "fix",
        Text(f"Close the way in: {exposure.setting}", f"关闭入口：{exposure.setting}"),
        exposure.remediation,
        "systemctl daemon-reload && systemctl restart kubelet",
        safe=False,
        breaks=Text("Containers keep running while the kubelet restarts", "kubelet 重启期间容器继续运行"),
        undo=Text("Put the old line back and restart", "恢复原来的行并重启"),
    )


def _verify() -> Action:
    return Action(
        "verify",
        Text("Prove that it is closed, on every node", "在每个节点上验证已关闭"),
        Text(
            "401 is right; 200 means open, 403 that anonymous requests are still let in and only then refused.",
            "401 为正确；200 表示敞开，403 表示匿名请求仍被接受、只是随后被拒绝。",
        ),
        "nodes=$(kubectl get nodes -o jsonpath='{.items[*].status.addresses[?(@.type==\"InternalIP\")].address}')\n"
        "for node in $nodes; do\n"
        '  curl -sk -o /dev/null -w "$node %{http_code}\\n" https://$node:10250/pods\n'
        "done",
        safe=True,
        breaks=_NOTHING,
        undo=_NOTHING,
    )
