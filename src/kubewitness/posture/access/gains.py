"""Who becomes whom: the edges from everybody whom bindings name, by each right or several rights together.

Places that are no identity stand between: all accounts of a namespace (whoever makes a pod or a token there is any of
them), the pods that run there, its Secrets. Two places are the end: cluster-admin, and a node. A node is no way further
here; whoever has one has what runs on it.

An edge knows the bindings that make it. Rights that somebody has only by being in a group are the group's own edges;
they count for the member where one of his own is needed with them.

What is left out because it cannot be told from such evidence: reading Secrets that hold no token, changing objects that
a controller believes, webhooks that only validate, signing without the authority's key.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from functools import cached_property
from typing import Final, Literal, NamedTuple

from kubewitness.model.cluster import KubeObject
from kubewitness.posture.access.rights import Names, Rights
from kubewitness.posture.access.running import Running
from kubewitness.posture.access.state import Grant, State, Who
from kubewitness.posture.rbac.nouns import Key

Kind = Literal["who", "accounts", "pods", "secrets", "admin", "node"]
_EVERYWHERE: Final = ""
_SHARED: Final = 20  # grants of groups that are looked at together with each member's own
_CLIENT: Final = frozenset({"kubernetes.io/kube-apiserver-client", "kubernetes.io/*"})
_KUBELET: Final = frozenset({"kubernetes.io/kube-apiserver-client-kubelet", "kubernetes.io/*"})
_MASTERS: Final = "system:masters"
_GET_IS_NOT_EXEC: Final = 35  # from then on a websocket asks for create, too


class Place(NamedTuple):
    """A place in the graph: somebody, or what stands for many."""

    kind: Kind
    who: Who | None = None
    namespace: str = _EVERYWHERE

    def __str__(self) -> str:
        match self.kind:
            case "who":
                return str(self.who)
            case "admin":
                return "ClusterRole cluster-admin"
            case "node":
                return "Node *"
        noun = {"accounts": "ServiceAccount", "pods": "Pod", "secrets": "Secret"}[self.kind]
        return f"{noun} {self.namespace or '*'}/*"


ADMIN: Final = Place("admin")
NODE: Final = Place("node")


class Edge(NamedTuple):
    """One step. `grants` are those that make it together; `seen` is an object that it leads over."""

    target: Place
    means: str
    grants: tuple[Grant, ...] = ()
    seen: KubeObject | None = None
    scope: str = _EVERYWHERE


class _Held(NamedTuple):
    names: Names
    grant: Grant


_Rights = dict[str, _Held]


def place_of(who: Who) -> Place:
    """Where somebody stands."""
    return Place("who", who)


class Gains:
    """The graph of a state."""

    def __init__(self, state: State, running: Running) -> None:
        self._state = state
        self._running = running
        self._own = defaultdict[Who, list[tuple[Grant, Rights]]](list)
        for grant in state.grants:
            if grant.role is not None and (rights := state.rights(grant.role)):
                self._own[grant.who].append((grant, rights))

    @property
    def holders(self) -> Collection[Who]:
        """Everybody who has such a right by a binding of his own."""
        return self._own.keys()

    @cached_property
    def namespaces(self) -> list[str]:
        """Of accounts."""
        return sorted(self._running.accounts)

    def from_(self, place: Place, removed: Collection[Grant] = ()) -> Iterator[Edge]:
        """Where a place leads, without these grants."""
        match place.kind:
            case "who" if place.who is not None:
                yield from self._from_who(place.who, removed)
            case "accounts":
                yield from self._from_accounts(place.namespace)
            case "pods":
                yield from self._from_pods(place.namespace)
            case "secrets":
                yield from self._from_secrets(place.namespace)

    def _from_who(self, who: Who, removed: Collection[Grant]) -> Iterator[Edge]:
        yield from self._gained(who, removed)
        for group in who.groups:
            yield Edge(place_of(group), "member")

    def _from_accounts(self, namespace: str) -> Iterator[Edge]:
        if not namespace:
            yield from (Edge(Place("accounts", None, one), "of") for one in self.namespaces)
            return
        for name in sorted(self._running.accounts.get(namespace, ())):
            account = Who("ServiceAccount", f"{namespace}/{name}")
            if account in self._own:
                yield Edge(place_of(account), "of")
        yield Edge(place_of(Who("Group", f"system:serviceaccounts:{namespace}")), "of")

    def _from_pods(self, namespace: str) -> Iterator[Edge]:
        if not namespace:
            every = sorted({*self._running.mounted, *self._running.holding})
            yield from (Edge(Place("pods", None, one), "of") for one in every)
            return
        if (pod := self._running.holding.get(namespace)) is not None:
            yield Edge(NODE, "of", seen=pod)
        for account, pod in sorted(self._running.mounted.get(namespace, {}).items()):
            yield Edge(place_of(account), "of", seen=pod)

    def _from_secrets(self, namespace: str) -> Iterator[Edge]:
        if self._running.every_account_has_a_secret:
            yield Edge(Place("accounts", None, namespace), "of")
        elif not namespace:
            yield from (Edge(Place("secrets", None, one), "of") for one in sorted(self._running.secrets))
        for _, account, secret in self._running.secrets.get(namespace, ()):
            yield Edge(place_of(account), "of", seen=secret)

    # -- what rights lead to -----------------------------------------------------------------------------------------

    def _gained(self, who: Who, removed: Collection[Grant]) -> Iterator[Edge]:
        own = [pair for pair in self._own.get(who, ()) if pair[0] not in removed]
        if not own:
            return
        shared = [pair for group in who.groups for pair in self._own.get(group, ()) if pair[0] not in removed]
        cluster, spaces = _Rights(), defaultdict[str, _Rights](_Rights)
        for grant, rights in (*own, *(shared if len(shared) <= _SHARED else ())):
            _merge(spaces[grant.scope] if grant.scope else cluster, grant, rights)
        mine = {grant.binding.key for grant, _ in own}
        for edge in self._edges(cluster, spaces):
            if any(grant.binding.key in mine and grant.who == who for grant in edge.grants):
                yield edge

    def _edges(self, cluster: _Rights, spaces: Mapping[str, _Rights]) -> Iterator[Edge]:
        yield from self._over_the_cluster(cluster, spaces)
        if "everything" in cluster:
            return
        yield from self._within(cluster, _EVERYWHERE)
        for namespace in sorted(spaces):
            for edge in self._within({**cluster, **_united(cluster, spaces[namespace])}, namespace):
                if any(grant.scope for grant in edge.grants):  # else it is told of the whole cluster
                    yield edge

    def _over_the_cluster(self, rights: _Rights, spaces: Mapping[str, _Rights]) -> Iterator[Edge]:
        def edge(target: Place, means: str, *names: str) -> Edge:
            return Edge(target, means, tuple(dict.fromkeys(rights[name].grant for name in names)))

        if "everything" in rights:
            yield edge(ADMIN, "everything", "everything")
            return
        if _all(rights, "escalate_clusterroles", "change_clusterroles"):
            yield edge(ADMIN, "escalate", "escalate_clusterroles", "change_clusterroles")
        if self._can_bind(rights) and _all(rights, "write_clusterrolebindings"):
            yield edge(ADMIN, "bind", "bind_clusterroles", "write_clusterrolebindings")
        yield from self._impersonated(rights)
        if {"create_requests", "approve_requests", "approve_for_signers"} <= rights.keys():
            signers = rights["approve_for_signers"].names
            names = ("create_requests", "approve_requests", "approve_for_signers")
            if signers is None or signers & _CLIENT:
                yield edge(ADMIN, "csr", *names)
            elif signers & _KUBELET:
                yield edge(NODE, "csr_kubelet", *names)
        if _all(rights, "write_mutating"):
            yield edge(ADMIN, "webhook", "write_mutating")
        if "nodes_proxy" in rights:
            yield edge(NODE, "nodes_proxy", "nodes_proxy")
            if _all(rights, "nodes_proxy"):
                yield edge(Place("pods"), "nodes_proxy", "nodes_proxy")
        if _all(rights, "create_volumes"):
            for there in (rights, *(spaces[name] for name in sorted(spaces))):
                united = {**rights, **there}
                if _all(united, "create_pods", "create_claims"):
                    made = (rights["create_volumes"].grant, united["create_pods"].grant)
                    yield Edge(NODE, "volume", tuple(dict.fromkeys(made)))
                    break

    def _can_bind(self, rights: _Rights) -> bool:
        held = rights.get("bind_clusterroles")
        if held is None:
            return False
        return held.names is None or any(
            "everything" in self._state.rights(Key("clusterroles", "", name)) for name in sorted(held.names)
        )

    def _impersonated(self, rights: _Rights) -> Iterator[Edge]:
        """Whom one can act as. A group goes only together with a user or an account."""
        users, groups = rights.get("impersonate_users"), rights.get("impersonate_groups")
        if users is not None:
            if users.names is None:
                yield Edge(ADMIN, "impersonate", (users.grant,))
            for name in sorted(users.names or ()):
                yield Edge(place_of(Who("User", name)), "impersonate", (users.grant,))
        companion = users or rights.get("impersonate_accounts")
        if groups is not None and companion is not None:
            both = tuple(dict.fromkeys((groups.grant, companion.grant)))
            if groups.names is None or _MASTERS in groups.names:
                yield Edge(ADMIN, "impersonate", both)
            for name in sorted(groups.names or ()):
                yield Edge(place_of(Who("Group", name)), "impersonate", both)

    def _within(self, rights: _Rights, scope: str) -> Iterator[Edge]:
        """What counts in a namespace, or in all of them."""

        def edge(target: Place, means: str, *names: str) -> Edge:
            return Edge(target, means, tuple(dict.fromkeys(rights[name].grant for name in names)), scope=scope)

        accounts = Place("accounts", None, scope)
        if "everything" in rights:
            yield edge(accounts, "everything_within", "everything")
            if self._running.admits(scope):
                yield edge(NODE, "create_pods", "everything")
            return
        for right, means in (("create_tokens", "token"), ("impersonate_accounts", "impersonate")):
            if (held := rights.get(right)) is not None:
                yield from self._accounts(held, means, scope)
        if (held := rights.get("read_secrets")) is not None:
            if held.names is None:
                yield edge(Place("secrets", None, scope), "secrets", "read_secrets")
                if _all(rights, "create_secrets"):
                    yield edge(accounts, "token_secret", "read_secrets", "create_secrets")
            else:
                yield from self._named_secrets(held, scope)
        if _all(rights, "create_pods"):
            yield edge(accounts, "create_pods", "create_pods")
            if self._running.admits(scope):
                yield edge(NODE, "create_pods", "create_pods")
            elif not self._state.is_openshift and _reaches(rights.get("change_namespaces"), scope):
                yield edge(NODE, "relabel", "create_pods", "change_namespaces")
        if _all(rights, "change_pods"):
            yield edge(Place("pods", None, scope), "change_pods", "change_pods")
        if _all(rights, "exec"):
            yield edge(Place("pods", None, scope), "exec", "exec")
        elif _all(rights, "exec_by_get") and self._get_is_exec:
            yield edge(Place("pods", None, scope), "exec", "exec_by_get")
        owning = [accounts, *([NODE] if self._running.admits(scope) else [])]  # everything in a namespace
        if _all(rights, "escalate_roles", "change_roles"):
            yield from (edge(one, "escalate", "escalate_roles", "change_roles") for one in owning)
        if self._can_bind(rights) and _all(rights, "write_rolebindings"):
            yield from (edge(one, "bind", "bind_clusterroles", "write_rolebindings") for one in owning)
        if (held := rights.get("change_configmaps")) is not None and scope in {_EVERYWHERE, "kube-system"}:
            map_ = self._aws
            if map_ is not None and (held.names is None or map_.name in held.names):
                yield Edge(ADMIN, "aws_auth", (held.grant,), map_, scope)

    @property
    def _get_is_exec(self) -> bool:
        return self._state.version is None or self._state.version.minor < _GET_IS_NOT_EXEC

    @cached_property
    def _aws(self) -> KubeObject | None:
        """The ConfigMap in which EKS keeps who is whom."""
        return self._state.cluster.get("ConfigMap", "kube-system", "aws-auth")

    def _accounts(self, held: _Held, means: str, scope: str) -> Iterator[Edge]:
        if held.names is None:
            yield Edge(Place("accounts", None, scope), means, (held.grant,), scope=scope)
            return
        for namespace in [scope] if scope else self.namespaces:
            for name in sorted(held.names & self._running.accounts.get(namespace, set())):
                account = Who("ServiceAccount", f"{namespace}/{name}")
                yield Edge(place_of(account), means, (held.grant,), scope=scope)

    def _named_secrets(self, held: _Held, scope: str) -> Iterator[Edge]:
        for namespace in [scope] if scope else sorted(self._running.secrets):
            for name, account, secret in self._running.secrets.get(namespace, ()):
                if name in (held.names or ()):
                    yield Edge(place_of(account), "secrets", (held.grant,), secret, scope)


def _merge(into: _Rights, grant: Grant, rights: Rights) -> None:
    for right, names in rights.items():
        held = into.get(right)
        if held is None or (held.names is not None and (names is None or held.grant is grant)):
            into[right] = _Held(names, grant)
        elif held.names is not None and names is not None and held.names is not names:
            into[right] = _Held(held.names | names, held.grant)


def _united(cluster: _Rights, within: _Rights) -> _Rights:
    """Of two that give a right, the one that gives more of it; the narrower place first."""
    return {
        right: held
        for right, held in within.items()
        if held.names is None or right not in cluster or cluster[right].names is not None
    }


def _all(rights: _Rights, *names: str) -> bool:
    """Whether all of these are there, for every name."""
    return all(name in rights and rights[name].names is None for name in names)


def _reaches(held: _Held | None, namespace: str) -> bool:
    return held is not None and (held.names is None or namespace in held.names)
