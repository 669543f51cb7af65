"""Documents for the exports: a chain that reaches a node, with indicators, beside the small ones of `tests.report`."""

from __future__ import annotations

import msgspec

from kubewitness.model.document import Document
from kubewitness.model.incident import CampaignMatch, Edge, Entity, Evidence, Finding, ObjectName, Step, Technique
from kubewitness.model.text import Text
from tests.report import sample
from tests.report.small import DAY, HOSTILE, INCIDENT, INTRUSION, LONG, QUIET, SEVERAL

REQUEST = Entity("request", INCIDENT.steps[2].evidence[0].audit_id)
POD = Entity("pod", "kube-system/kube-controller-x2x9z")
NODE = Entity("node", "node-2")
PROCESS = Entity("process", "node-2/4411")
SOCKET = Entity("socket", "node-2/tcp 10.244.2.7:40122 → 198.51.100.9:3333")
FILE = Entity("file", "node-2:/tmp/.x/miner")
_TEXT = Text("A miner runs", "挖矿程序正在运行")
_SEEN = Evidence("", "node-2.tar.gz!ps.txt", 88, 0, "", summary="4411 ./miner -o pool:3333", sha256="ab" * 32)

# Step 5 on the node came of step 3's request; step 6 comes after it in time only.
ON_NODE = Step(
    number=5, time=DAY + "17:39:20Z", last=DAY + "17:40:00Z", act="effect", identity="root@node-2", address="",
    agent="", description=_TEXT, why=Text("Started by the pod.", "由该 Pod 启动。"),
    techniques=(
        Technique("T1496.001", "Compute Hijacking", ("impact",)), Technique("T9", "none"),
        Technique("T1014", "Rootkit"),
    ),
    severity="critical", confidence=0.9, inferred=True, rules=("host/miner_process",), command="./miner -o pool:3333",
    evidence=(_SEEN,), entities=(PROCESS, FILE), path=(REQUEST, POD, NODE, PROCESS, SOCKET),
)  # fmt: skip
LATER = msgspec.structs.replace(INCIDENT.steps[3], number=6, time=DAY + "17:41:00Z", last=DAY + "17:40:30Z")
LIKE = CampaignMatch(
    "campaigns/rbac_buster", Text("RBAC Buster", "RBAC Buster"), 3, 4, 6, (), "medium",
    sources=("https://example.com/report", "a report of 2023"),
)  # fmt: skip
_EDGE = Edge("links/parent_process", PROCESS, SOCKET, {"pid": "4411"}, 1.0, _TEXT, evidence=(_SEEN,))


def indicator(number: int, kind: str, value: str) -> Finding:
    """A finding that an indicator of a list was seen."""
    return msgspec.structs.replace(
        INTRUSION.findings[0], id=f"F-9{number:03d}", rule="indicators/worm", techniques=(),
        matched={"indicator": value, "type": kind, "campaign": "worm", "seen": value},
    )  # fmt: skip


INDICATORS = tuple(
    indicator(number, kind, value)
    for number, (kind, value) in enumerate(
        (
            ("address", "198.51.100.9"),
            ("address", "2001:DB8::1"),
            ("domain", "pool.example.net"),
            ("file_path", "/tmp/.x/miner"),
            ("file_name", "it's\\here"),
            ("sha256", "ab" * 32),
            ("sha1", "cd" * 20),
            ("md5", "ef" * 16),
            ("image", "evil/image:1"),  # no STIX pattern says these
            ("address", "not an address"),
        )
    )
)
JOINED = msgspec.structs.replace(
    INTRUSION,
    incidents=(
        msgspec.structs.replace(
            INCIDENT, steps=(*INCIDENT.steps, ON_NODE, LATER), edges=(_EDGE,), nodes=("node-2",), campaigns=(LIKE,),
            pods=(ObjectName("pods", "kube-system", "kube-controller-x2x9z"),),
        ),
    ),
    findings=(*INTRUSION.findings, *INDICATORS),
)  # fmt: skip
# A report whose every value that may be empty is.
BARE = msgspec.structs.replace(
    sample.empty(), generated="", case="", tool="",
    incidents=(
        msgspec.structs.replace(
            INCIDENT, id="", title=Text("", ""), story=(), first="", last="", actors=(), entry_point=None,
            root_causes=(), steps=(), secrets=(), pods=(), nodes=(), status=(), audit_ids=(),
        ),
    ),
    findings=(
        msgspec.structs.replace(
            INTRUSION.findings[0], id="", title=Text("", ""), first="", last="", identity="", address="", techniques=(),
            objects=(ObjectName("", "", ""),), evidence=(Evidence("", "", 0, 0, ""),), count=0,
        ),
    ),
)  # fmt: skip

DOCUMENTS: dict[str, Document] = {
    "intrusion": INTRUSION,
    "quiet": QUIET,
    "several": SEVERAL,
    "long": LONG,
    "hostile": HOSTILE,
    "joined": JOINED,
    "bare": BARE,
    "sample": sample.rbac_buster(),
    "two incidents": sample.two_incidents(),
    "nothing read": sample.empty(),
    "all hostile": sample.hostile(),
}
