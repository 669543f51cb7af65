"""The words of the page itself, in both languages. Claims bring their own (`Text`); these are the labels round them.

`{n}` is filled in, `[record|records]` is the English singular and plural chosen by `n`.
Chinese is written, not translated word by word: names of Kubernetes objects, fields and commands stay English.
"""

from __future__ import annotations

import re

from markupsafe import Markup

from kubewitness.model.text import Text
from kubewitness.report.html.inert import both
from kubewitness.report.words import ATTRIBUTED

_PLURAL = re.compile(r"\[([^\]|]*)\|([^\]|]*)\]")

WORDS: dict[str, Text] = {
    # bar and navigation
    "report": Text("incident report", "入侵事件报告"),
    "made": Text("made", "生成于"),
    "skip": Text("Skip to the report", "跳到正文"),
    "language": Text("Language", "语言"),
    "sections": Text("Sections", "章节"),
    "nav_incidents": Text("Incidents", "入侵事件"),
    "nav_cause": Text("Way in", "入侵入口"),
    "nav_chain": Text("Chain", "攻击链"),
    "nav_steps": Text("Steps", "步骤"),
    "nav_who": Text("Intruder", "入侵者"),
    "nav_blast": Text("Blast radius", "影响范围"),
    "nav_do": Text("What to do", "处置"),
    "nav_unseen": Text("Not seen", "盲区"),
    "nav_findings": Text("Findings", "其他发现"),
    "nav_timeline": Text("Timeline", "时间线"),
    "nav_accessors": Text("Accessors", "访问者"),
    "nav_manifest": Text("Evidence", "证据"),
    # severity, confidence, acts, phases
    "severity_critical": Text("Critical", "严重"),
    "severity_high": Text("High", "高危"),
    "severity_medium": Text("Medium", "中危"),
    "severity_low": Text("Low", "低危"),
    "severity_informational": Text("Informational", "提示"),
    "confidence_high": Text("high confidence", "置信度高"),
    "confidence_medium": Text("medium confidence", "置信度中"),
    "confidence_low": Text("low confidence", "置信度低"),
    "attributed_high": ATTRIBUTED["high"],
    "attributed_medium": ATTRIBUTED["medium"],
    "attributed_low": ATTRIBUTED["low"],
    "act_read": Text("read", "读取"),
    "act_create": Text("create", "创建"),
    "act_change": Text("change", "修改"),
    "act_delete": Text("delete", "删除"),
    "act_execute": Text("execute", "执行"),
    "act_refused": Text("refused", "被拒"),
    "act_effect": Text("effect", "后果"),
    "phase_snapshot": Text("Snapshot", "取证"),
    "phase_isolate": Text("Isolate", "隔离"),
    "phase_dump": Text("Dump", "转储"),
    "phase_stop": Text("Stop", "止血"),
    "phase_revoke": Text("Revoke", "吊销"),
    "phase_fix": Text("Fix", "修复"),
    "phase_verify": Text("Verify", "验证"),
    "kind_intrusion": Text("intrusion", "入侵行为"),
    "kind_activity": Text("activity", "可疑活动"),
    "kind_exposure": Text("exposure", "暴露面"),
    "kind_context": Text("context", "背景"),
    # lead and facts
    "case": Text("case", "案件"),
    "do_first": Text("Do first", "先做这几件事"),
    "all_actions": Text("[The action in full|All {n} actions with commands]", "查看全部 {n} 步及命令"),
    "status": Text("Status", "状态"),
    "verdict": Text("Verdict", "定性"),
    "reasons": Text("reasons", "依据"),
    "campaign": Text("Runs like a known campaign", "与已知攻击活动相符"),
    "campaign_steps": Text("its steps", "各步骤"),
    "campaign_sources": Text("Sources:", "来源："),
    "indicators_known": Text("Known indicators seen in it", "其中出现的已知威胁指标"),
    "indicators_used": Text("Known indicators looked for: {n}.", "同时查找了 {n} 个已知威胁指标。"),
    "indicators_failed": Text("{n} [line|lines] of indicator lists could not be used", "指标列表中有 {n} 行无法使用"),
    "here": Text("Intruder was here (UTC)", "入侵时段（UTC）"),
    "touched": Text("Touched", "波及"),
    "touched_n": Text("{n} [object|objects]", "{n} 个对象"),
    "touched_more": Text("pods reached: {pods}, nodes: {nodes}", "触及 {pods} 个 Pod、{nodes} 个节点"),
    "requests_by": Text("Intruder requests", "入侵者请求"),
    "requests_none": Text("None in an audit log", "审计日志中没有"),
    "requests_none_why": Text("what nodes show is all there is", "仅有节点上的证据"),
    "requests_of": Text("of {n} [request|requests] in the evidence", "证据中共 {n} 次请求"),
    "requests_ok_of": Text("; {ok} carried out, {refused} not", "；成功 {ok}，未成功 {refused}"),
    "to_rotate": Text("To rotate", "须轮换的凭据"),
    "to_rotate_n": Text("[credential, or group of them|credentials, or groups of them]", "项（单个或成组）"),
    "to_rotate_none": Text("None named", "未列出"),
    "to_rotate_none_why": Text("no read of a Secret seen in this evidence", "现有证据中未见读取 Secret"),
    "incomplete": Text(
        "Some evidence could not be read: {n} [piece|pieces]. What follows rests on the rest.",
        "部分证据无法读取：{n} 处。以下结论仅依据其余证据。",
    ),
    "incomplete_link": Text("Which pieces", "查看明细"),
    # several, none
    "incidents_n": Text("{n} separate intrusions", "{n} 起相互独立的入侵"),
    "incidents_why": Text(
        "Nothing in the evidence ties one to another: no shared address, identity or credential.",
        "证据中没有任何关联：来源 IP、身份、凭据均不相同。",
    ),
    "incidents_shared": Text(
        "Judged to be separate, although they have in common: {what}.", "判定为相互独立，尽管存在共同点：{what}。"
    ),
    "step_count": Text("{n} [step|steps]", "{n} 个步骤"),
    "none_title": Text("No intrusion found in what was looked at", "在已查看的证据中未发现入侵"),
    "none_story": Text(
        "{events} [event|events] from {first} to {last} were judged by {rules} rules, and none of them adds up to an "
        "intrusion. This says something about this evidence only: what it does not hold is listed under "
        "“What could not be seen”.",
        "已用 {rules} 条规则检查 {first} 至 {last} 的 {events} 条事件，未构成入侵。此结论仅针对现有证据；"
        "证据中没有的内容见“看不到什么”。",
    ),
    "none_story_nodes": Text(
        "{items} [piece|pieces] of machines' evidence were judged, and nothing in them betrays "
        "an intruder. There was no audit "
        "event: what went through the API server was not seen.",
        "已检查 {items} 份节点证据，未见入侵迹象。证据中没有审计事件：经过 API server 的操作无法看到。",
    ),
    "none_story_empty": Text(
        "There was no readable event to judge, so nothing can be said about this cluster.",
        "没有可读取的事件，因此无法对该集群作出任何判断。",
    ),
    "none_empty_title": Text("Nothing could be judged: no readable event", "没有可读取的事件，无法作出判断"),
    "none_findings": Text("{n} [finding deserves|findings deserve] a look", "有 {n} 项发现值得查看"),
    # cause
    "cause": Text("How they got in", "他们是怎么进来的"),
    "root_cause": Text("Root cause", "根因"),
    "gives": Text("gives", "授予"),
    "to": Text("to", "给"),
    "entry": Text("Way in", "入侵入口"),
    "entry_none": Text("Not determined from this evidence", "现有证据无法确定"),
    "cause_none": Text("What made it possible could not be determined from this evidence.", "现有证据无法确定根因。"),
    "created": Text("Made", "创建"),
    "created_before": Text("Before the evidence begins", "早于证据起点"),
    "created_before_why": Text("Who made it and when is not in this evidence.", "创建人与时间：现有证据中没有。"),
    "by": Text("by", "由"),
    "used": Text("Used", "利用"),
    "used_n": Text("authorised {n} of {total} allowed intruder requests", "放行了入侵者获准请求中的 {n}/{total} 次"),
    "used_once": Text("no request names it as its authorization", "没有请求的授权理由指向它"),
    "deleted": Text("Deleted", "删除"),
    "deleted_not": Text("Not deleted in this evidence", "现有证据中未见删除"),
    "deleted_not_why": Text("It may still be there: check first.", "可能仍然存在，请先核查。"),
    "own_words": Text("The API server’s own words", "API Server 的原始记录"),
    "own_words_which": Text("authorization.k8s.io/reason", "authorization.k8s.io/reason"),
    "evidence_n": Text("Evidence, {n} [record|records]", "证据 {n} 条"),
    # chain
    "chain": Text("The attack chain", "攻击链"),
    "chain_desc": Text(
        "Time runs to the right; gaps are compressed. The same steps follow below as a list.",
        "时间自左向右，间隔已压缩。下方列表为同样的步骤。",
    ),
    "graph": Text("What came of what", "因果关系"),
    "graph_desc": Text(
        "From what let the intruder in to what came of it. Only steps that something came of are drawn.",
        "自左向右：从放行入侵者的原因到由此产生的后果。只画出产生了后果的步骤。",
    ),
    "also_steps": Text("and {n} more such [step|steps]", "另有 {n} 个同类步骤"),
    "things_n": Text("{n} things found", "发现 {n} 处"),
    "read_n": Text("To check the chain, read [this record|these {n} records]", "核对攻击链只需阅读以下 {n} 条记录"),
    "read_of": Text("(of {n} cited in all; the others repeat them)", "（共引用 {n} 条，其余为重复佐证）"),
    "key_cited": Text("cited", "有证据"),
    "key_inferred": Text("inferred, with confidence", "推断，附置信度"),
    "key_band": Text("holds the power a binding gives", "持有绑定授予的权限"),
    "key_folded": Text("several steps folded", "多个步骤合并"),
    "compressed": Text("gaps compressed, not to scale", "间隔已压缩，不按比例"),
    "lane_address": Text("intruder address", "攻击来源 IP"),
    "lane_other_addresses": Text("{n} other addresses", "其他 {n} 个地址"),
    "lane_unknown_address": Text("address not recorded", "未记录地址"),
    "lane_anonymous": Text("identity, nobody logged in", "匿名身份，未经认证"),
    "lane_service_account": Text("identity, service account", "身份：服务账号"),
    "lane_node": Text("identity, node", "身份：节点"),
    "lane_identity": Text("identity", "身份"),
    "lane_rejected": Text("no accepted credential", "凭据未被接受"),
    "lane_others": Text("{n} other identities", "其他 {n} 个身份"),
    "lane_objects": Text("Objects", "对象"),
    "lane_reached": Text("Nodes and pods reached", "触及的节点与 Pod"),
    "life_cause": Text("the way in", "入侵入口"),
    "life_backdoor": Text("back door", "后门"),
    "life_workload": Text("workload", "工作负载"),
    "life_secret": Text("secret", "机密"),
    "life_other": Text("object", "对象"),
    "life_older": Text("older than the evidence", "早于证据起点"),
    "life_secrets_n": Text("{n} Secrets", "{n} 个 Secret"),
    "life_secrets_sub": Text("read", "被读取"),
    "life_missing_n": Text("{n} [object that|objects that] did not exist", "{n} 个不存在的对象"),
    "life_missing_sub": Text("named, answered 404", "被请求，返回 404"),
    "life_rest_n": Text("{n} more [object|objects]", "另有 {n} 个对象"),
    "life_rest_sub": Text("in the list below", "见下方列表"),
    "life_all": Text("{kind}, all", "全部 {kind}"),
    "whole_cluster": Text("in the whole cluster", "整个集群"),
    "holds": Text("holds {role}", "持有 {role}"),
    "holds_rights": Text("rights by {role}", "权限来自 {role}"),
    "deleted_in": Text("deleted in step {n}", "步骤 {n} 被删除"),
    "still_there": Text("no deletion seen", "未见删除"),
    "folded_effects": Text("{n} controller [event|events], folded", "{n} 条控制器事件（已折叠）"),
    "pods_n": Text("{n} [pod|pods]", "{n} 个 Pod"),
    "node_reached": Text("reached", "已触及"),
    "evidence_ends": Text("evidence ends", "证据终点"),
    "steps_range": Text("Steps {first} to {last}", "步骤 {first}–{last}"),
    "step_n": Text("Step {n}", "步骤 {n}"),
    "more_marks": Text("{n} later steps only in the list", "其后 {n} 步仅见列表"),
    "inferred_short": Text("inferred", "推断"),
    # verdict
    "why_worm": Text("Why a worm and not a person", "为什么判定为蠕虫而非人工"),
    "why_hands_on": Text("Why a person and not a worm", "为什么判定为人工而非蠕虫"),
    "why_undetermined": Text("Worm or person", "蠕虫还是人工"),
    "against": Text("Against", "反面证据"),
    # steps
    "steps": Text("Steps and their evidence", "攻击步骤与证据"),
    "steps_intro": Text(
        "{n} [step|steps]. Times are UTC. Open a step to read the original record.",
        "共 {n} 个步骤。时间为 UTC。展开可查看原始记录。",
    ),
    "open_all": Text("Open all", "全部展开"),
    "cited": Text("cited", "有据"),
    "inferred": Text("inferred", "推断"),
    "records_n": Text("{n} [record|records]", "{n} 条证据"),
    "traces_n": Text("{n} [trace|traces]", "{n} 处痕迹"),
    "requests_n": Text("{n} [request|requests]", "{n} 次请求"),
    "requests_ok": Text("{n} [request|requests], {ok} carried out", "{n} 次请求，成功 {ok} 次"),
    "altered": Text(
        "{archive} is not as it was collected: {n} [difference|differences] from its manifest. Somebody or something "
        "changed it; do not rely on it before you know why.",
        "{archive} 与收集时不一致：与清单有 {n} 处差异。它已被更改，在查明原因之前请勿采信。",
    ),
    "proved": Text(
        "{archive}: {n} [item|items] as they were collected from {host}. Compare the sum of its manifest with what the "
        "collector printed:",
        "{archive}：{n} 项与从 {host} 收集时一致。请将清单的哈希与收集程序当时打印的值核对：",
    ),
    "items_more": Text(
        "{n} more [item|items] that nothing here cites; the JSON report lists them.",
        "另有 {n} 项证据在此未被引用，见 JSON 报告。",
    ),
    "signs": Text("Signs", "迹象"),
    "path": Text("Path", "路径"),
    "path_why": Text("why each arrow", "每一环的依据"),
    "why_here": Text("Why it is here", "入链依据"),
    "from_address": Text("from", "来自"),
    "agent": Text("agent", "客户端"),
    "rules": Text("rules", "规则"),
    "consequence": Text("Consequence", "后果"),
    "command_run": Text("Command run", "执行的命令"),
    "line": Text("line", "行"),
    "offset": Text("offset", "偏移"),
    "audit_id": Text("audit ID", "审计 ID"),
    "cited_only": Text(
        "Cited by its place; the original is not repeated in this file.", "仅引用位置，本文件不重复原文。"
    ),
    "read_originals": Text("Read the originals where they lie:", "在证据文件中查看原文："),
    "more_records": Text("{n} more [record|records] in the JSON report.", "另有 {n} 条，见 JSON 报告。"),
    "no_record": Text("No record is cited for this.", "此处没有引用证据。"),
    "lines_cut": Text("{n} more [line|lines] of this event in the evidence", "该事件另有 {n} 行，见证据原文"),
    "back": Text("Show in the picture", "在图中查看"),
    "silence": Text("{length} without a step", "{length}内没有步骤"),
    "behind": Text("Detections behind this incident, {n}", "支撑本事件的检测结果，{n} 项"),
    "audit_ids": Text("[The audit ID|All {n} audit IDs] attributed to the intruder", "归属入侵者的全部 {n} 个审计 ID"),
    "audit_ids_cut": Text(
        "The first {n} are shown; all are in the JSON report.", "仅列出前 {n} 个，完整列表见 JSON 报告。"
    ),
    # who
    "who": Text("Who it was", "入侵者"),
    "who_intro": Text(
        "Everything attributed to the same intruder, and why it belongs together.",
        "归属同一入侵者的全部线索，以及归并依据。",
    ),
    "addresses": Text("Addresses", "来源 IP"),
    "identities": Text("Identities", "身份"),
    "impersonated": Text("In the name of", "冒用的身份"),
    "credentials": Text("Credentials", "凭据"),
    "agents": Text("Agents", "客户端"),
    "claimed": Text("Claimed addresses", "自称的地址"),
    "claimed_why": Text("set by the client or a proxy, not fact", "由客户端或代理填写，并非事实"),
    "joined": Text("Why together", "归并依据"),
    "unaccustomed": Text("Unaccustomed", "异于平常"),
    "active": Text("Active", "活动时段"),
    "not_recorded": Text("not recorded", "未记录"),
    "no_identity": Text("(no accepted identity)", "（无有效身份）"),
    # blast radius
    "blast": Text("Blast radius", "影响范围"),
    "blast_secrets": Text("Credentials to rotate", "须轮换的凭据"),
    "blast_secrets_none": Text("No read of a Secret is seen in this evidence.", "现有证据中未见读取 Secret。"),
    "secret": Text("Secret", "Secret"),
    "secret_why": Text("What is known", "已知情况"),
    "records": Text("Records", "证据"),
    "all_in_namespace": Text("every Secret in it", "其中全部 Secret"),
    "all_in_cluster": Text("every Secret of the cluster", "集群全部 Secret"),
    "objects_created": Text("Created", "新建"),
    "objects_changed": Text("Changed", "修改"),
    "objects_deleted": Text("Deleted", "删除"),
    "objects_read": Text("Read", "读取"),
    "pods_reached": Text("Pods reached", "触及的 Pod"),
    "nodes_reached": Text("Nodes reached", "触及的节点"),
    "none_seen": Text("none seen", "未见"),
    "and_more": Text("and {n} more", "另有 {n} 个"),
    # actions
    "do": Text("What to do now, in this order", "现在要做什么（按顺序）"),
    "do_intro": Text(
        "Evidence first: stopping comes after the dump. Nothing here has been run.",
        "先取证：转储之后再停止。以下命令均未执行。",
    ),
    "safe": Text("Safe", "安全"),
    "unsafe": Text("Unsafe", "有风险"),
    "breaks": Text("Breaks", "影响"),
    "undo": Text("Undo", "撤销"),
    "copy": Text("Copy", "复制"),
    "copied": Text("Copied", "已复制"),
    # coverage
    "unseen": Text("What could not be seen", "看不到什么"),
    "cover_span": Text("Evidence, all items", "全部证据"),
    "cover_gap": Text("gap {length}", "缺口 {length}"),
    "cover_incident": Text("intrusion", "入侵"),
    "cover_none": Text("The evidence holds no event with a time.", "证据中没有带时间的事件。"),
    "cover_facts": Text(
        "Items: {items}. Events: {events} (requests: {requests}; duplicates counted once: {duplicates}). "
        "Rules loaded: {rules}.",
        "{items} 份证据，{events} 条事件（{requests} 次请求，重复 {duplicates} 条仅计一次）；已加载 {rules} 条规则。",
    ),
    "levels": Text("Audit level of the events", "事件的审计级别"),
    "level_None": Text("nothing", "不记录"),
    "level_Metadata": Text("who, what, when; no bodies", "仅元数据，无请求与响应体"),
    "level_Request": Text("with request bodies", "含请求体"),
    "level_RequestResponse": Text("with request and response bodies", "含请求体与响应体"),
    "level_other": Text("not recorded", "未记录"),
    "gaps": Text("Silences longer than the log’s rhythm explains", "超出日志节奏的静默"),
    "gaps_none": Text("No silence longer than the log’s rhythm explains.", "未见超出日志节奏的静默。"),
    "from": Text("From", "自"),
    "until": Text("Until", "至"),
    "length": Text("Length", "时长"),
    "limits": Text("What this evidence cannot show", "现有证据无法说明的事"),
    "limits_none": Text("No limitation was recorded beyond the gaps above.", "除上述缺口外，未记录其他局限。"),
    "rules_failed": Text(
        "{n} [rule|rules] could not be loaded and did not judge anything", "{n} 条规则未能加载，未参与判断"
    ),
    "notes": Text("{n} [record was|records were] odd and read all the same", "{n} 条记录有异常，但仍已读取"),
    # findings
    "findings": Text("Findings outside the incidents", "入侵事件之外的发现"),
    "findings_only": Text("Findings", "发现"),
    "findings_intro": Text(
        "Worth a person’s look, but not shown to be an intruder’s step.",
        "值得人工查看，但没有证据表明是入侵者所为。",
    ),
    "findings_none": Text("No other finding in what was looked at.", "在已查看的证据中没有其他发现。"),
    "findings_cut": Text("{n} more in the JSON report.", "另有 {n} 项，见 JSON 报告。"),
    "matched": Text("Matched on", "匹配内容"),
    "benign_when": Text("Benign when", "何时属于正常"),
    "runbook": Text("Look at", "如何核查"),
    "times_n": Text("{n} times", "{n} 次"),
    "first": Text("First (UTC)", "首次（UTC）"),
    "last": Text("Last (UTC)", "末次（UTC）"),
    # timeline
    "timeline": Text("Timeline of cited records", "引用记录时间线"),
    "timeline_intro": Text(
        "Every record cited above, by time. {n} [record|records].", "上文引用的全部记录，按时间排列，共 {n} 条。"
    ),
    "timeline_cut": Text(
        "The first {n} are listed; all are in the JSON report.", "仅列出前 {n} 条，完整内容见 JSON 报告。"
    ),
    "timeline_none": Text("No record is cited.", "没有引用记录。"),
    "filter": Text("Filter", "筛选"),
    "shown_of": Text("of {n} shown", "/ {n} 条"),
    "all_identities": Text("all identities", "全部身份"),
    "all_verbs": Text("all verbs", "全部动作"),
    "time": Text("Time (UTC)", "时间（UTC）"),
    "identity": Text("Identity", "身份"),
    "verb": Text("Verb", "动作"),
    "what": Text("Record", "记录"),
    "where": Text("In", "归属"),
    "address": Text("Address", "地址"),
    # accessors
    "accessors": Text("Who else used the API server", "还有谁访问过 API Server"),
    "accessors_all": Text("Who used the API server", "谁访问过 API Server"),
    "nothing_judged": Text("Not evaluated: there was no readable event.", "未评估：没有可读取的事件。"),
    "items_skipped": Text("{n} [item was|items were] not read at all; see above.", "{n} 份证据完全未读取，见上表。"),
    "accessors_intro": Text(
        "One line per identity and address in the whole evidence; ◆ marks the intruder.",
        "全部证据中每个身份与地址一行；◆ 为入侵者。",
    ),
    "accessors_none": Text("No accessor in the evidence.", "证据中没有访问者。"),
    "accessors_cut": Text("{n} more in the JSON report.", "另有 {n} 个，见 JSON 报告。"),
    "only_intruder": Text("only the intruder", "只看入侵者"),
    "verbs": Text("Verbs", "动作"),
    "resources": Text("Resources", "资源"),
    "requests": Text("Requests", "请求"),
    "refused": Text("Refused", "被拒"),
    "in_incident": Text("Incident", "事件"),
    # manifest
    "manifest": Text("Evidence manifest", "证据清单"),
    "item": Text("Item", "证据"),
    "format": Text("Format", "格式"),
    "bytes": Text("Size", "大小"),
    "events": Text("Events", "事件"),
    "duplicates": Text("Duplicates", "重复"),
    "unreadable": Text("Unreadable", "无法读取"),
    "skipped": Text("not read: {why}", "未读取：{why}"),
    "failures": Text("{n} [piece|pieces] of evidence could not be read", "{n} 处证据无法读取"),
    "failures_none": Text("Every piece of every item was read.", "所有证据均已完整读取。"),
    "failures_cut": Text("The first {n} are listed.", "仅列出前 {n} 处。"),
    "reason": Text("Reason", "原因"),
    "kept": Text("Still read", "仍读出"),
    "kept_none": Text("nothing", "无"),
    "excerpt": Text("Begins with", "开头"),
    "same_bytes": Text(
        "Same evidence, same rules, same report. This file is the evidence’s reading, not the evidence: "
        "keep the items above.",
        "证据与规则相同，报告即相同。本文件只是对证据的解读，请妥善保管上列原始证据。",
    ),
}

# Singular kind names for the plural resources an API uses; other resources keep their API name.
KINDS: dict[str, str] = {
    "clusterrolebindings": "ClusterRoleBinding",
    "clusterroles": "ClusterRole",
    "configmaps": "ConfigMap",
    "cronjobs": "CronJob",
    "daemonsets": "DaemonSet",
    "deployments": "Deployment",
    "jobs": "Job",
    "namespaces": "Namespace",
    "nodes": "Node",
    "pods": "Pod",
    "pods/exec": "Pod exec",
    "replicasets": "ReplicaSet",
    "rolebindings": "RoleBinding",
    "roles": "Role",
    "secrets": "Secret",
    "serviceaccounts": "ServiceAccount",
    "services": "Service",
    "statefulsets": "StatefulSet",
    "mutatingwebhookconfigurations": "MutatingWebhook",
    "validatingwebhookconfigurations": "ValidatingWebhook",
    "certificatesigningrequests": "CSR",
}


def kind_word(resource: str) -> str:
    """The kind of a resource, DaemonSet for daemonsets; what is not known stays as it is."""
    return KINDS.get(resource, resource)


def word(key: str, **values: object) -> Text:
    """The label `key` with its values filled in; integers get thousands separators, `Text` values their language."""
    chosen = WORDS[key]
    return Text(_filled(chosen.en, values, english=True), _filled(chosen.zh, values, english=False))


def _filled(template: str, values: dict[str, object], *, english: bool) -> str:
    if not values:
        return template
    number = values.get("n")
    template = _PLURAL.sub(lambda m: m[1] if number == 1 else m[2], template)
    filled = {}
    for name, value in values.items():
        if isinstance(value, Text):
            filled[name] = value.en if english else value.zh
        else:
            filled[name] = f"{value:,}" if isinstance(value, int) else str(value)
    return template.format(**filled)


def label(key: str, **values: object) -> Markup:
    """The label `key` for the page, both languages."""
    return both(word(key, **values))


def name_attributes(text: Text, language: str) -> Markup:
    """`aria-label` in the page's default language, with both at hand for the switch."""
    shown = text.zh if language == "zh" else text.en
    return Markup('aria-label="{}" data-en="{}" data-zh="{}"').format(shown, text.en, text.zh)


def cell_name(key: str) -> Markup:
    """What a table cell is called on a phone, where a table becomes labelled records."""
    text = WORDS[key]
    return Markup('data-l="{}" data-z="{}"').format(text.en, text.zh)
