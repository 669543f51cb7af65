"""Claims about descent on a machine: uids join, names do not; a way leads back to the request."""

from __future__ import annotations

from kubewitness.correlate.lineage import Lineage
from kubewitness.correlate.links import edge
from kubewitness.correlate.paths import path_to
from kubewitness.model.evidence import Place
from kubewitness.model.host import Host, LogLine, Process, Socket
from kubewitness.model.incident import Edge, Entity

UID, OTHER = "11111111-2222-4333-8444-555555555555", "99999999-2222-4333-8444-555555555555"
SANDBOX, CONTAINER = "5a" * 32, "c0" * 32
PLACE = Place("ps.txt", 1, 0)
MADE = (
    f'CreateContainer within sandbox "{SANDBOX}" for &ContainerMetadata{{Name:web,Attempt:0,}} '
    f'returns container id "{CONTAINER}"'
)


def line(message: str) -> LogLine:
    return LogLine("containerd", "2026-03-02T12:00:00.000000Z", "info", message, {}, Place("containerd.log", 7, 0))


def sandbox(uid: str, name: str = "web-0", sid: str = SANDBOX) -> LogLine:
    meta = f"RunPodSandbox for &PodSandboxMetadata{{Name:{name},Uid:{uid},Namespace:shop,Attempt:0,}}"
    return line(f'{meta} returns sandbox id "{sid}"')


def process(pid: int, ppid: int = 1, command: str = "./x", container: str = "", uid: str = "") -> Process:
    return Process(pid, command, PLACE, ppid=ppid, container=container, pod_uid=uid, cgroup="/kubepods/x")


def ties(edges: list[Edge]) -> list[tuple[str, str, str]]:
    return [(one.link.removeprefix("links/"), one.source.name, one.target.name) for one in edges]


def test_pod_container_process_and_socket_hang_together() -> None:
    miner = process(4411, 4400, "./.system", CONTAINER)
    far = Socket("tcp", "ESTAB", "10.0.0.5", 45112, "203.0.113.33", 3333, PLACE, owners=((".system", 4411),))
    host = Host("n1", [process(4400, 900, "sh", CONTAINER), miner], [far], logs=[sandbox(UID), line(MADE)])
    edges = list(Lineage(host).edges_of_process(miner, {}))
    assert ties(edges) == [
        ("runtime_sandbox", "shop/web-0", "n1"),
        ("runtime_container", "shop/web-0", f"n1/{CONTAINER}"),
        ("cgroup_process", f"n1/{CONTAINER}", "n1/4400"),
        ("parent_process", "n1/4400", "n1/4411"),
        ("socket_owner", "n1/4411", "n1/tcp 10.0.0.5:45112 → 203.0.113.33:3333"),
    ]
    assert all(one.evidence for one in edges)
    request = edge("request_enters_pod", Entity("request", "a1"), Entity("pod", "shop/web-0"), {})
    way = path_to(Entity("process", "n1/4411"), [request, *edges])
    assert [one.kind for one in way] == ["request", "pod", "node", "container", "process", "process", "socket"]


def test_a_pod_that_bears_the_name_of_another_is_another() -> None:
    miner = process(4411, container=CONTAINER, uid=OTHER)
    lineage = Lineage(Host("n1", [miner], logs=[sandbox(UID)]))
    assert lineage.names.get(lineage.uid_of(miner)) is None
    assert ties(list(lineage.edges_of_process(miner, {}))) == [("cgroup_process", f"n1/{CONTAINER}", "n1/4411")]


def test_a_container_of_another_sandbox_is_not_taken() -> None:
    other = MADE.replace(SANDBOX, "ee" * 32)
    assert not Lineage(Host("n1", logs=[sandbox(UID), line(other)])).containers


def test_the_uid_in_a_control_group_is_enough() -> None:
    miner = process(4411, container=CONTAINER, uid=UID)
    host = Host("n1", [miner], sources={f"nodes/n1/var/log/pods/shop_web-0_{UID}/web/0.log": "container log"})
    links = [link for link, _, _ in ties(list(Lineage(host).edges_of_process(miner, {})))]
    assert links == ["pod_log_path", "cgroup_pod", "cgroup_process"]


def test_a_process_of_the_machine_hangs_on_the_machine_and_stops_below_init() -> None:
    shell = process(500, 1, "sshd: root")
    miner = process(501, 500)
    host = Host("n1", [process(1, 0, "/sbin/init"), shell, miner])
    assert ties(list(Lineage(host).edges_of_process(miner, {}))) == [
        ("node_process", "n1", "n1/500"),
        ("parent_process", "n1/500", "n1/501"),
    ]


def test_the_shim_outside_is_no_parent_inside() -> None:
    inside = process(600, 599, container=CONTAINER)
    host = Host("n1", [process(599, 1, "containerd-shim"), inside])
    assert ties(list(Lineage(host).edges_of_process(inside, {}))) == [("cgroup_process", f"n1/{CONTAINER}", "n1/600")]


def test_parents_in_a_circle_end() -> None:
    one, two = process(10, 11), process(11, 10)
    assert len(list(Lineage(Host("n1", [one, two])).edges_of_process(one, {}))) == 2


def test_sockets_of_the_machine_itself_are_not_told() -> None:
    web = process(700)
    ends = [("ESTAB", "127.0.0.1", "127.0.0.1", 9), ("LISTEN", "127.0.0.1", "*", 0), ("LISTEN", "0.0.0.0", "*", 0)]
    sockets = [
        Socket("tcp", state, local, 80, peer, port, PLACE, owners=(("web", 700),)) for state, local, peer, port in ends
    ]
    edges = list(Lineage(Host("n1", [web], sockets)).edges_of_process(web, {}))
    assert [one.target.name for one in edges if one.target.kind == "socket"] == ["n1/tcp 0.0.0.0:80 LISTEN"]


def test_the_surest_way_is_taken() -> None:
    pod, target = Entity("pod", "a/b"), Entity("process", "n/1")
    sure = [
        edge("request_names_object", Entity("request", "r"), Entity("object", "daemonsets/a"), {}),
        edge("owner_reference", Entity("object", "daemonsets/a"), pod, {}),
        edge("cgroup_process", pod, target, {}),
    ]
    short = edge("run_of_the_node", Entity("request", "q"), target, {})
    assert path_to(target, [*sure, short])[0] == Entity("request", "r")
    assert path_to(target, [short])[0] == Entity("request", "q")
    assert path_to(target, []) == ()


def test_edges_in_a_circle_end() -> None:
    one, two = Entity("pod", "a/b"), Entity("object", "c")
    circle = [edge("owner_reference", one, two, {}), edge("owner_reference", two, one, {})]
    assert path_to(one, circle) == (two, one)
