"""The words of attack paths and grants, in both languages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from kubewitness.model.text import Text

# {there}: the namespace or the whole cluster.
MEANS: Final[Mapping[str, Text]] = {
    "everything": Text("may do everything", "拥有全部权限"),
    "everything_within": Text(
        "may do everything {there}, so also take any service account's token",
        "在{there}拥有全部权限，因此也能取得任意服务账号的令牌",
    ),
    "escalate": Text(
        "may give a role more rights than it has (verb escalate)", "可向角色写入自己没有的权限（动词 escalate）"
    ),
    "bind": Text("may bind roles it does not have (verb bind)", "可绑定自己没有的角色（动词 bind）"),
    "impersonate": Text("may act as it (verb impersonate)", "可冒充其身份（动词 impersonate）"),
    "token": Text(
        "may create its token (serviceaccounts/token) {there}", "可在{there}为其签发令牌（serviceaccounts/token）"
    ),
    "token_secret": Text(
        "may create a Secret with its token and read it {there}", "可在{there}创建并读取含其令牌的 Secret"
    ),
    "secrets": Text("may read the Secret with its token {there}", "可在{there}读取含其令牌的 Secret"),
    "create_pods": Text("may create pods {there}, directly or by a workload", "可在{there}直接或通过工作负载创建 Pod"),
    "change_pods": Text("may change what runs in pods {there}", "可更改{there}的 Pod 所运行的内容"),
    "exec": Text(
        "may run commands in pods {there} (pods/exec, pods/attach)",
        "可在{there}的 Pod 中执行命令（pods/exec、pods/attach）",
    ),
    "nodes_proxy": Text(
        "may run commands in every pod of a node through its kubelet, unseen by admission and audit (nodes/proxy)",
        "可经 kubelet 在节点的任意 Pod 中执行命令，绕过准入与审计（nodes/proxy）",
    ),
    "csr": Text(
        "may have a client certificate of any name signed: request it and approve it",
        "可为任意名称申请并批准客户端证书",
    ),
    "csr_kubelet": Text(
        "may have the certificate of any kubelet signed: request it and approve it", "可为任意 kubelet 申请并批准证书"
    ),
    "webhook": Text(
        "may put a webhook in the way that changes whatever others write",
        "可插入变更型 webhook，改写他人写入的任何内容",
    ),
    "volume": Text(
        "may create a volume of a host's folder and a pod that mounts it, which Pod Security does not see",
        "可创建指向主机目录的卷并由 Pod 挂载，Pod Security 看不到",
    ),
    "relabel": Text(
        "may lift the namespace's Pod Security by its labels and create pods {there}",
        "可修改命名空间标签解除 Pod Security，再在{there}创建 Pod",
    ),
    "aws_auth": Text("may change who is whom (ConfigMap aws-auth)", "可更改身份映射（ConfigMap aws-auth）"),
    "member": Text("is in this group", "属于该组"),
    "of": Text("leads on", "可继续利用"),
}
OVER_NODE: Final = Text(", one that takes over its node", "，且可接管其所在节点")

RIGHTS: Final[Mapping[str, Text]] = {
    "everything": Text("everything", "全部权限"),
    "escalate_clusterroles": Text("escalate of ClusterRoles", "对 ClusterRole 的 escalate"),
    "escalate_roles": Text("escalate of Roles", "对 Role 的 escalate"),
    "bind_clusterroles": Text("bind of ClusterRoles", "对 ClusterRole 的 bind"),
    "impersonate_users": Text("impersonation of users", "冒充用户"),
    "impersonate_groups": Text("impersonation of groups", "冒充组"),
    "impersonate_accounts": Text("impersonation of service accounts", "冒充服务账号"),
    "create_tokens": Text("creation of tokens (serviceaccounts/token)", "签发令牌（serviceaccounts/token）"),
    "read_secrets": Text("reading Secrets", "读取 Secret"),
    "create_pods": Text("creation of pods or workloads", "创建 Pod 或工作负载"),
    "change_pods": Text("changing pods", "更改 Pod"),
    "exec": Text("commands in pods (pods/exec, pods/attach)", "在 Pod 中执行命令（pods/exec、pods/attach）"),
    "exec_by_get": Text(
        "commands in pods by get (pods/exec, pods/attach)", "以 get 在 Pod 中执行命令（pods/exec、pods/attach）"
    ),
    "nodes_proxy": Text("nodes/proxy", "nodes/proxy"),
    "approve_requests": Text("approval of certificate requests", "批准证书签名请求"),
    "approve_for_signers": Text("approval for signers", "以 signer 名义批准"),
    "sign_for_signers": Text("signing of certificates", "签发证书"),
    "write_mutating": Text("writing mutating webhooks", "写入变更型 webhook"),
    "write_validating": Text("writing validating webhooks", "写入校验型 webhook"),
    "create_volumes": Text("creation of PersistentVolumes", "创建 PersistentVolume"),
    "change_namespaces": Text(
        "changing namespaces (their Pod Security labels)", "更改命名空间（含 Pod Security 标签）"
    ),
    "change_clusterroles": Text("changing ClusterRoles", "更改 ClusterRole"),
    "change_roles": Text("changing Roles", "更改 Role"),
    "write_clusterrolebindings": Text("writing ClusterRoleBindings", "写入 ClusterRoleBinding"),
    "write_rolebindings": Text("writing RoleBindings", "写入 RoleBinding"),
    "change_configmaps": Text("changing ConfigMaps", "更改 ConfigMap"),
    "create_secrets": Text("creation of Secrets", "创建 Secret"),
}


def there(scope: str) -> Text:
    """Where a right holds."""
    return Text(f"in namespace {scope}", f"命名空间 {scope} ") if scope else Text("in every namespace", "所有命名空间")


def filled(said: Text, **values: Text) -> Text:
    """The sentence with values of both languages put in."""
    en = {name: value.en for name, value in values.items()}
    return Text(said.en.format(**en), said.zh.format(**{name: value.zh for name, value in values.items()}))


def steps(count: int) -> Text:
    """How long a way is."""
    return Text("one step" if count == 1 else f"{count} steps", f"{count} 步")


def listed(texts: list[Text], most: int = 8, *, clauses: bool = False) -> Text:
    """Several things, the first few of them."""
    more = len(texts) - most
    en, zh = [one.en for one in texts[:most]], [one.zh for one in texts[:most]]
    tail = Text(f" and {more} more", f"等另外 {more} 项") if more > 0 else Text("", "")
    commas = Text("; ", "；") if clauses else Text(", ", "、")
    return Text(commas.en.join(en) + tail.en, commas.zh.join(zh) + tail.zh)
