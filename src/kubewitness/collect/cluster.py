"""The API side of an incident: what a cluster says of itself, read-only, into one archive.

Lists are asked page by page (`cluster_lists`), so memory holds one page of a cluster of any size; of Secrets only names
(`cluster_names`). What is not permitted, not there or does not come is left out, said so in the manifest, and the rest
goes on; when nobody answers any more, the archive ends there (`cluster_asking`).

Members: `cluster/<group>/<resource>.json`, each one List with an object a line; `cluster/version.json`,
`cluster/discovery.json`, and the manifest as in the archive of a node (`model.collection`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import msgspec

from kubewitness import __version__
from kubewitness.collect.archive import About, Archive, Written
from kubewitness.collect.cluster_asking import NOT_JSON, Asking, GoneError, Options, Progress, decoded
from kubewitness.collect.cluster_lists import Lists
from kubewitness.collect.cluster_names import configmaps, secrets
from kubewitness.collect.cluster_plan import PLAN
from kubewitness.collect.cluster_wire import Group, Groups, Resources, Version
from kubewitness.kube.interface import Api, ApiError, Call, Whereabouts
from kubewitness.model.collection import FORMAT_CLUSTER, Header, Omitted
from kubewitness.model.text import Text

__all__ = ["Collected", "Options", "Progress", "collect", "file_name"]

_NAME = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True)
class Collected:
    """What came of it."""

    written: Written
    objects: int
    redacted: int
    missing: tuple[Omitted, ...]  # what should be there and is not
    absent: tuple[Omitted, ...]  # what this cluster does not have
    advice: tuple[Text, ...]  # what to do about what is missing, each once


def file_name(where: Whereabouts, moment: datetime) -> str:
    """The archive's name without its suffix; its top folder has the same one."""
    name = _NAME.sub("-", where.cluster or "cluster").strip("-.")[:60] or "cluster"
    return f"kubewitness-cluster-{name}-{moment.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def collect(api: Api, folder: Path, options: Options, progress: Progress, target: Path | None = None) -> Collected:
    """Write the archive of a cluster.

    Args:
        api: Whom to ask.
        folder: Where the archive goes under a name of its own.
        options: See `Options`.
        progress: Told after every page.
        target: The archive's path, instead of `folder`.

    Raises:
        ApiError: not even its version could be had; nothing is written.
        CollectError: the archive cannot be written; nothing is left of it.
    """
    started = options.now()
    version = api.get("/version")  # an error here means that nothing can be had
    where = api.whereabouts()
    name = file_name(where, started)
    first, uid = _identity(api)
    header = Header(
        FORMAT_CLUSTER, f"kubewitness {__version__}", where.cluster or "cluster", _stamp(started), machine_id=uid,
        options=_told(where, version.body, options),
    )  # fmt: skip
    archive = Archive(target or folder / f"{name}.tar.zst", name, header, max_size=options.max_size)
    try:
        asking = Asking(api, archive, options, progress)
        for call in (version.call, *first):
            asking.note(call)
        complete = _everything(asking, version.body)
        written = archive.finish(_stamp(options.now()), complete=complete)
    except BaseException:
        archive.abandon()
        raise
    state = asking.state
    return Collected(
        written, state.objects, state.redacted, tuple(state.missing), tuple(state.absent), tuple(state.advice)
    )


def _everything(asking: Asking, version: bytes) -> bool:
    """Ask for all there is; whether all of it came."""
    asking.archive.add("cluster/version.json", version, About("/version"))
    try:
        lists = Lists(asking, _discovered(asking))
        for wanted in PLAN:
            lists.collect(wanted)
        secrets(asking)
        configmaps(asking)
    except GoneError:
        asking.missing("cluster", "the API server stopped answering; what comes after it was not asked for")
    except KeyboardInterrupt:
        asking.missing("cluster", "interrupted; what comes after it was not asked for")
    return not asking.state.missing


def _discovered(asking: Asking) -> dict[tuple[str, str], set[str]] | None:
    """Which resources are served in which versions; None where it cannot be told."""
    member = "cluster/discovery.json"
    served: dict[tuple[str, str], set[str]] = {}
    lists: list[bytes] = []
    try:
        groups = msgspec.json.decode(asking.get("/apis", member), type=Groups).groups
        everything = [Group("", [Version("v1", "v1")]), *groups]
        for group in everything[:500]:
            for one in group.versions[:10]:
                path = f"/apis/{quote(one.group_version)}" if group.name else "/api/v1"
                body = _resources(asking, path, member)
                lists += [body] if body else []
                for resource in msgspec.json.decode(body, type=Resources).resources if body else ():
                    served.setdefault((group.name, resource.name), set()).add(one.version)
    except ApiError as error:
        asking.failed(member, error)
        return None
    except NOT_JSON:
        asking.garbled(member)
        return None
    asking.archive.add(
        member, b'{"kind":"List","apiVersion":"v1","items":[\n' + b",\n".join(lists) + b"\n]}\n", About("/apis")
    )
    return served


def _resources(asking: Asking, path: str, member: str) -> bytes:
    """What a group has; an extension API whose server is down costs only itself."""
    try:
        body = asking.get(path, member).strip()
        msgspec.json.decode(body, type=Resources)
    except ApiError as error:
        asking.missing(member, f"{path}: {error.happened.en}")
        return b""
    except NOT_JSON:
        asking.garbled(member, path)
        return b""
    return body


def _identity(api: Api) -> tuple[list[Call], str]:
    """The uid of kube-system, which is the closest to an identity a cluster has; empty if it may not be read."""
    try:
        answer = api.get("/api/v1/namespaces/kube-system")
        found = decoded(answer.body)
    except ApiError as error:
        return [error.call] if error.call else [], ""
    except NOT_JSON:
        return [answer.call], ""
    metadata = found.get("metadata")
    return [answer.call], str(metadata.get("uid", ""))[:64] if isinstance(metadata, dict) else ""


def _told(where: Whereabouts, version: bytes, options: Options) -> dict[str, str]:
    try:
        git = str(decoded(version).get("gitVersion", ""))[:60]
    except NOT_JSON:
        git = ""
    told = {
        "server": where.server, "context": where.context, "user": where.user, "kubernetes": git,
        "namespaces": " ".join(options.namespaces)[:1000], "max_size": str(options.max_size),
    }  # fmt: skip
    return {key: value for key, value in told.items() if value}


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
