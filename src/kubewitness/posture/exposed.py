"""What a kubelet's configuration opens to others, and why.

A kubelet that answers anonymous requests and asks no authorizer hands every container of its node to whoever reaches
its port; nothing of it passes the API server, so no audit log shows it. Each exposure says the chain of reasons with
the line of each: the setting, the default or line that decided it, the line that should have, the file that was never
read, the socket that is open.

Source: kubelet-authn-authz.md of the Kubernetes documentation; pkg/kubelet/server/server.go (paths) of Kubernetes
1.28.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address
from typing import Final, Literal

from kubewitness.model.evidence import Place
from kubewitness.model.host import Host, Socket
from kubewitness.model.judgement import Confidence, Severity
from kubewitness.model.text import Text
from kubewitness.posture.exposure import Exposure, clauses, sentences
from kubewitness.posture.kubelet import KubeletConfiguration
from kubewitness.posture.kubelet_view import Setting, View
from kubewitness.posture.reasons import place_text
from kubewitness.rules.attack import technique

ANONYMOUS: Final = "authentication.anonymous.enabled"
MODE: Final = "authorization.mode"
READ_ONLY: Final = "readOnlyPort"
_OLD_DEFAULT: Final = "default without --config"
_EMPTY: Final = '""'  # as a setting without a value is written
_READ_ONLY_PORT: Final = 10255
_RESTART: Final = "systemctl daemon-reload && systemctl restart kubelet"

State = Literal["running", "files", "restart"]  # seen running; told by unit files alone; only after the next restart


def judge(host: Host, configuration: KubeletConfiguration | None) -> Iterator[Exposure]:
    """The exposures of the kubelet of `host`."""
    if configuration is not None:
        running, after = configuration.running, configuration.after_restart
        if running is not None and running.get(ANONYMOUS) and running.get(MODE):
            yield from _access(host, configuration, running, "running")
            if after is not None and not _is_open(running) and _is_open(after):
                yield from _access(host, configuration, after, "restart")
        elif after is not None:
            stopped = bool(host.processes) and running is None  # a process list without a kubelet
            yield from _access(host, configuration, after, "restart" if stopped else "files")
    yield from _read_only(host, configuration)


def _is_open(view: View) -> bool:
    return view.value(ANONYMOUS) == "true" and view.value(MODE) == "AlwaysAllow"


def _access(host: Host, configuration: KubeletConfiguration, view: View, state: State) -> Iterator[Exposure]:
    anonymous, mode = view.get(ANONYMOUS), view.get(MODE)
    if anonymous is None or mode is None:
        return
    name, port = host.name[:200], view.value("port") or "10250"
    sockets = _listening(host, int(port))
    loopback = (
        all(_is_loopback(socket.local_address) for socket in sockets)
        if sockets
        else _is_loopback(view.value("address"))
    )
    severity: Severity
    decisive: tuple[Setting, ...]
    techniques: tuple[str, ...]
    if anonymous.value == "true" and mode.value == "AlwaysAllow":
        identifier, severity = "kubelet_anonymous_always_allow", "critical"
        title = Text(
            f"The kubelet of {name} obeys anybody: anonymous access with AlwaysAllow",
            f"{name} 的 kubelet 听命于任何人：允许匿名访问，且授权模式为 AlwaysAllow",
        )
        effect = Text(
            f"Whoever reaches port {port} can list all pods, read their logs and run commands in every container of "
            "the node without any credential: anonymous requests are answered as system:anonymous with every right.",
            f"任何能访问 {port} 端口的人，无需任何凭据即可列出所有 Pod、读取日志，并在该节点的每个容器中执行命令："
            "匿名请求以 system:anonymous 的身份得到全部权限。",
        )
        decisive, techniques = (anonymous, mode), ("T1133", "T1609")
    elif anonymous.value == "true":
        identifier, severity = "kubelet_anonymous_access", "low"
        title = Text(
            f"The kubelet of {name} accepts anonymous requests and leaves them to the authorizer",
            f"{name} 的 kubelet 接受匿名请求，由授权器决定是否放行",
        )
        effect = Text(
            f"Requests without a credential to port {port} are treated as system:anonymous; what they may do depends "
            "on RBAC alone. One careless binding for system:anonymous or system:unauthenticated opens all containers.",
            f"发往 {port} 端口的无凭据请求被视为 system:anonymous，其权限完全取决于 RBAC。"
            "只要有一个给 system:anonymous 或 system:unauthenticated 的绑定不慎，该节点的每个容器就会暴露。",
        )
        decisive, techniques = (anonymous,), ("T1133",)
    elif mode.value == "AlwaysAllow":
        identifier, severity = "kubelet_always_allow", "high"
        title = Text(
            f"The kubelet of {name} lets every authenticated caller do everything (AlwaysAllow)",
            f"{name} 的 kubelet 允许任何通过认证的调用者做任何事（AlwaysAllow）",
        )
        effect = Text(
            f"Any identity that port {port} accepts, a node's or user's client certificate and, with webhook "
            "authentication, every service account token, may run commands in every container of the node.",
            f"{port} 端口接受的任何身份（节点或用户的客户端证书；若启用 webhook 认证，还包括任何 ServiceAccount 令牌）"
            "都可以在该节点的每个容器中执行命令。",
        )
        decisive, techniques = (mode,), ("T1609",)
    else:
        return
    if state == "restart":
        if severity != "critical":
            return
        severity, identifier = "high", identifier + "_after_restart"
        title = Text(
            f"The kubelet of {name} will obey anybody after its next restart: anonymous access with AlwaysAllow",
            f"{name} 的 kubelet 下次重启后将听命于任何人：匿名访问加 AlwaysAllow",
        )
    elif loopback and severity != "low":
        severity = "medium"
    yield Exposure(
        identifier,
        title,
        sentences([effect, *why(configuration, decisive, state), *_heard(sockets, loopback)]),
        severity,
        _confidence(host, sockets, state),
        host.name,
        " + ".join(setting.name for setting in decisive),
        " + ".join(setting.value for setting in decisive),
        " + ".join("false" if setting.name == ANONYMOUS else "Webhook" for setting in decisive),
        _places(configuration, view, decisive, sockets),
        _remedy(configuration, decisive, state, port),
        tuple(map(technique, techniques)),
        latent=state == "restart",
    )


def _confidence(host: Host, sockets: list[Socket], state: State) -> Confidence:
    if state != "running":
        return "medium"
    return "high" if sockets or not host.sockets else "medium"  # sockets listed, but not this one


def why(configuration: KubeletConfiguration, decisive: tuple[Setting, ...], state: State) -> Iterator[Text]:
    """Sentences: what decided these settings, and what should have."""
    by_default = [setting for setting in decisive if setting.origin == _OLD_DEFAULT]
    started = {
        "running": Text("was started", "启动时没有指定"),
        "files": Text("is started", "启动时没有指定"),
        "restart": Text("will be started", "重启时将不会指定"),
    }[state]
    if by_default:
        values = ", ".join(f"{setting.name}={setting.value or _EMPTY}" for setting in by_default)
        cause = clauses(reason.text for reason in configuration.because)
        yield Text(
            f"The kubelet {started.en} without --config{', because ' if cause.en else ''}{cause.en}. "
            f"Therefore its old defaults apply: {values}.",
            f"kubelet {started.zh} --config{'，因为 ' if cause.zh else ''}{cause.zh}。"
            f"于是沿用旧的默认值：{values.replace(', ', '，')}。",
        )
    for setting in decisive:
        if setting.origin != _OLD_DEFAULT:
            yield _decided(setting)
    yield from _never_read(by_default)
    if state == "files":
        yield Text(
            "This is read from the unit files; the evidence does not show how the running kubelet was started.",
            "以上依据 unit 文件得出；证据没有显示运行中的 kubelet 是如何启动的。",
        )
    elif state == "restart":
        yield Text("No kubelet that is open in this way is running now.", "目前没有以这种方式开放的 kubelet 在运行。")
    elif configuration.after_restart and any(
        configuration.after_restart.value(setting.name) not in ("", setting.value) for setting in decisive
    ):
        yield Text(
            "The files on disk say otherwise by now, but only a restart of the kubelet makes them count.",
            "磁盘上的文件现在已不同，但要重启 kubelet 才会生效。",
        )


def _decided(setting: Setting) -> Text:
    said = f"{setting.name}={setting.value[:80] or _EMPTY}"
    if setting.line is None:
        return Text(f"{said} is the default.", f"{said} 是默认值。")
    if setting.origin == "configz":
        return Text(
            f"The running kubelet itself reports {said} (configz).", f"运行中的 kubelet 自己报告 {said}（configz）。"
        )
    if not setting.line.path:
        return Text(f"{said} comes from a flag of the running kubelet.", f"{said} 来自运行中 kubelet 的命令行参数。")
    en, zh = place_text(setting.line)
    return Text(f"{said} comes from {en}.", f"{said} 来自 {zh}。")


def _never_read(by_default: list[Setting]) -> Iterator[Text]:
    """The file that says better and was never read."""
    lost = [(setting, entry) for setting in by_default for entry in setting.lost if entry.value != setting.value]
    for path in dict.fromkeys(entry.line.path for _, entry in lost):
        said = ", ".join(f"{setting.name}={entry.value[:80]}" for setting, entry in lost if entry.line.path == path)
        yield Text(
            f"{path[:200]} would set {said} but is never read.",
            f"{path[:200]} 中写有 {said.replace(', ', '，')}，但从未被读取。",
        )


def _heard(sockets: list[Socket], loopback: bool) -> Iterator[Text]:
    if sockets:
        where = ", ".join(dict.fromkeys(f"{socket.local_address}:{socket.local_port}" for socket in sockets))
        yield Text(f"It listens on {where}.", f"它正在监听 {where}。")
    if loopback:
        yield Text("Only the node itself can reach that address.", "只有节点自身能访问该地址。")


def _places(
    configuration: KubeletConfiguration, view: View, decisive: tuple[Setting, ...], sockets: list[Socket]
) -> tuple[tuple[Place, str], ...]:
    found = [(reason.line.place, reason.line.text) for reason in configuration.because]
    if all(setting.origin != _OLD_DEFAULT for setting in decisive):
        found.clear()
    found += ((setting.line.place, setting.line.text) for setting in decisive if setting.line)
    if view.line:
        found.append((view.line.place, view.line.text))
    found += ((entry.line.place, entry.line.text) for setting in decisive for entry in setting.lost)
    found += ((socket.place, _shown(socket)) for socket in sockets)
    return tuple(dict.fromkeys((place, text[:1000]) for place, text in found))


def _remedy(configuration: KubeletConfiguration, decisive: tuple[Setting, ...], state: State, port: str) -> Text:
    steps: list[Text] = []
    probe = f"curl -sk -o /dev/null -w '%{{http_code}}' https://NODE:{port}/pods"
    after = configuration.after_restart
    if state == "running" and after and after.complete and not _wrong(after):
        steps.append(
            Text(
                "The files on disk are right already: restart the kubelet.", "磁盘上的文件已经正确：重启 kubelet 即可。"
            )
        )
    elif any(setting.origin == _OLD_DEFAULT for setting in decisive):
        if configuration.because:
            en, zh = place_text(configuration.because[0].line)
            steps.append(
                Text(f"Put {en} back into effect, so that --config is given.", f"恢复 {zh}，使 --config 重新生效。")
            )
        else:
            steps.append(
                Text(
                    "Start the kubelet with --config=/var/lib/kubelet/config.yaml.",
                    "启动 kubelet 时加上 --config=/var/lib/kubelet/config.yaml。",
                )
            )
        steps.append(_wanted("That file must set", "该文件必须设置"))
    else:
        for setting in decisive:
            if setting.line and setting.line.path:
                en, zh = place_text(setting.line)
                steps.append(Text(f"Correct {en} ({setting.name}).", f"修正 {zh}（{setting.name}）。"))
        steps.append(_wanted("The configuration must set", "配置必须设置"))
    steps.append(
        Text(
            f"Then run: {_RESTART}. Afterwards `{probe}` must print 401.",
            f"然后执行：{_RESTART}。之后 `{probe}` 必须输出 401。",
        )
    )
    return sentences(steps)


def _wrong(view: View) -> bool:
    return view.value(ANONYMOUS) != "false" or view.value(MODE) == "AlwaysAllow"


def _wanted(en: str, zh: str) -> Text:
    values = f"{ANONYMOUS}: false, {MODE}: Webhook"
    return Text(f"{en} {values}.", f"{zh} {values}。")


def _read_only(host: Host, configuration: KubeletConfiguration | None) -> Iterator[Exposure]:
    """The port that tells pods, their environment and the node's state to whoever asks."""
    view = configuration.running if configuration else None
    setting = view.get(READ_ONLY) if view else None
    port = int(setting.value) if setting and setting.value.isdigit() else 0
    sockets = _listening(host, port or _READ_ONLY_PORT)
    if not port:  # the settings say no or say nothing: only a socket that is the kubelet's own tells otherwise
        sockets = [socket for socket in sockets if any(owner == "kubelet" for owner, _ in socket.owners)]
        if not sockets:
            return
    loopback = bool(sockets) and all(_is_loopback(socket.local_address) for socket in sockets)
    name, shown = host.name[:200], port or _READ_ONLY_PORT
    causes = list(why(configuration, (setting,), "running")) if configuration and view and setting and port else []
    places = (
        _places(configuration, view, (setting,), sockets)
        if configuration and view and setting and port
        else tuple((socket.place, _shown(socket)) for socket in sockets)
    )
    yield Exposure(
        "kubelet_read_only_port",
        Text(
            f"The kubelet of {name} tells everything on its read-only port {shown}",
            f"{name} 的 kubelet 通过只读端口 {shown} 公开信息",
        ),
        sentences(
            [
                Text(
                    f"Port {shown} answers without encryption and without any credential: all pods of the node with "
                    "their specification, and its metrics.",
                    f"{shown} 端口不加密、不要求任何凭据，即可查询该节点上的所有 Pod 及其规格，以及各项指标。",
                ),
                *causes,
                *_heard(sockets, loopback),
            ]
        ),
        "low" if loopback else "medium",
        "high" if sockets else "low" if host.sockets else "medium",
        host.name,
        READ_ONLY,
        str(shown),
        "0",
        places,
        sentences(
            [
                Text(
                    "Set readOnlyPort: 0 in the file that --config names.",
                    "在 --config 指定的文件中设置 readOnlyPort: 0。",
                ),
                Text(f"Then run: {_RESTART}.", f"然后执行：{_RESTART}。"),
            ]
        ),
        (technique("T1133"), technique("T1613")),
    )


def _listening(host: Host, port: int) -> list[Socket]:
    return [socket for socket in host.sockets if socket.state == "LISTEN" and socket.local_port == port]


def _is_loopback(address: str) -> bool:
    try:
        return ip_address(address.strip("[]").partition("%")[0]).is_loopback
    except ValueError:
        return False


def _shown(socket: Socket) -> str:
    owners = ", ".join(f"{name} {pid}" for name, pid in socket.owners)
    return f"{socket.state} {socket.local_address}:{socket.local_port}" + (f" ({owners})" if owners else "")
