"""Why a piece of evidence could not be read, in both languages.

Whoever reads evidence gives its reason as one English sentence, which is also what the JSON report holds. Here is the
Chinese of those that readers of audit logs, files and archives give. What stands in them (names, numbers, the words of
the operating system) is carried over. A reason that is not known here is shown as it is.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from kubewitness.model.text import Text

_LONGEST: Final = 400  # of a reason that is looked at; the rest of a longer one would not be shown either

# English as a pattern, {} for what is carried over → Chinese.
_WORDS: Final = {
    # pieces of JSON and YAML
    "truncated JSON": "JSON 不完整",
    "truncated by CloudWatch ([Truncated...])": "被 CloudWatch 截断（[Truncated...]）",
    "malformed JSON at byte {}": "JSON 在第 {} 字节处有误",
    "malformed JSON object": "JSON 对象有误",
    "malformed characters in JSON, replaced": "JSON 中有无效字符，已替换",
    "malformed YAML": "YAML 有误",
    "unreadable (nested too deeply or malformed): {}": "无法解析（嵌套过深或有误）：{}",
    "invalid UTF-8": "不是有效的 UTF-8",
    "NUL bytes": "含有 NUL 字节",
    "no JSON": "不是 JSON",
    "text with JSON that is no audit event": "文本中的 JSON 不是审计事件",
    "JSON object that is no audit event (members: {})": "不是审计事件的 JSON 对象（成员：{}）",
    "JSON object with more than {} members": "成员超过 {} 个的 JSON 对象",
    "{} elements of an array are no objects": "数组中有 {} 个元素不是对象",
    "longer than 64 MiB": "超过 64 MiB",
    "one value longer than 64 MiB": "单个值超过 64 MiB",
    "YAML document longer than 8 MiB": "YAML 文档超过 8 MiB",
    "wrappers nested more than six deep": "封装嵌套超过六层",
    "{} with nothing in it": "{}：其中没有内容",
    "{} without an audit event": "{}：其中没有审计事件",
    # what was still read
    "{} bytes before it": "此前的 {} 字节",
    "{} elements before it": "此前的 {} 个元素",
    "everything but the undecodable bytes": "除无法解码的字节以外的全部内容",
    "the record without them": "去掉这些字节后的记录",
    "the rest of the event": "事件的其余部分",
    # fields of an event
    "{} is unreadable and was left out": "{} 无法解析，已略去",
    "{} is no text and was left out": "{} 不是文本，已略去",
    "{} is no object and was left out": "{} 不是对象，已略去",
    "{} is no number and was left out": "{} 不是数字，已略去",
    "{} has the wrong type and was left out": "{} 类型不对，已略去",
    "sourceIPs holds something that is no text, which was left out": "sourceIPs 中有不是文本的内容，已略去",
    "{} cannot be read as a time": "{} 无法解析为时间",
    "{} is a number, read as text": "{} 是数字，按文本读取",
    "{} had invalid characters, which were replaced": "{} 含无效字符，已替换",
    "{} is a text instead of an object, read as the user name": "{} 是文本而不是对象，按用户名读取",
    "sourceIPs is one text instead of a list": "sourceIPs 是一段文本而不是列表",
    "responseStatus.code is a text, read as a number": "responseStatus.code 是文本，按数字读取",
    "annotations: {} is no text": "annotations：{} 不是文本",
    "level is none of the four audit levels and was left out": "level 不是四个审计级别之一，已略去",
    "the event has no time; the time of its wrapper was taken": "事件没有时间，采用其封装的时间",
    "duplicate key {}: the last one was taken": "键 {} 重复，以最后一个为准",
    "header line of a CSV export": "CSV 导出的表头行",
    # other files and records
    "no audit log: {} line of text": "不是审计日志：{} 行文本",
    "no audit log: {} lines of text": "不是审计日志：{} 行文本",
    "no audit log: {} lines of text ({})": "不是审计日志：{} 行文本（{}）",
    "no audit log: {} line of text ({})": "不是审计日志：{} 行文本（{}）",
    "no log: binary data": "不是日志：二进制数据",
    "no log: {} data, unpack it first ({})": "不是日志：{} 数据，请先解压（{}）",
    "no log: a 7z archive, unpack it first ({})": "不是日志：7z 归档，请先解压（{}）",
    "no log: Parquet, export it as JSON lines first": "不是日志：Parquet，请先导出为 JSON 行",
    "no log: UTF-16 text without a byte order mark, convert it first ({})": (
        "不是日志：没有字节序标记的 UTF-16 文本，请先转换（{}）"
    ),
    "no log: a tar archive inside another file": "不是日志：另一文件中的 tar 归档",
    "no log: {} inside another file": "不是日志：另一文件中的 {}",
    "Linux auditd record, no Kubernetes audit event": "linux_audit 记录，不是 Kubernetes 审计事件",
    "OVN network policy log, no Kubernetes audit event": "OVN 网络策略日志，不是 Kubernetes 审计事件",
    "log of a Kubernetes component (klog), no audit event": "Kubernetes 组件日志（klog），不是审计事件",
    "log of a container runtime, no audit event": "容器运行时日志，不是审计事件",
    "container log, no audit event": "容器日志，不是审计事件",
    "syslog line, no audit event": "syslog 日志行，不是审计事件",
    "web server access log, no audit event": "Web 服务器访问日志，不是审计事件",
    "systemd journal entry, no audit event": "systemd journal 条目，不是审计事件",
    "AWS CloudTrail record, no Kubernetes audit event": "AWS CloudTrail 记录，不是 Kubernetes 审计事件",
    "Falco alert, no audit event": "Falco 告警，不是审计事件",
    "audit event without ID, user or request": "没有 ID、用户和请求的审计事件",
    "Kubernetes Event object (kubectl get events), no audit event": (
        "Kube Event 对象（kubectl get events），不是审计事件"
    ),
    "audit policy, no audit event": "审计策略，不是审计事件",
    "Kubernetes object of kind {}, no audit event": "类型为 {} 的 Kubernetes 对象，不是审计事件",
    "Kubernetes list of kind {}, no audit events": "类型为 {} 的 Kubernetes 列表，不是审计事件",
    "AKS diagnostic record of category {}, not kube-audit": "AKS 诊断记录，类别为 {}，不是 kube-audit",
    "AKS kube-audit record without a log": "没有日志内容的 AKS kube-audit 记录",
    "Google Cloud audit entry of {}, not of the Kubernetes API": "Google Cloud 审计条目（{}），与 Kubernetes API 无关",
    "Google Cloud log entry of {} without a protoPayload, no audit event": (
        "没有 protoPayload 的 Google Cloud 日志条目（{}），不是审计事件"
    ),
    "OTLP log record without a text or structured body": "既无文本也无结构化内容的 OTLP 日志记录",
    # files, compression, archives
    "no such file or directory": "文件或目录不存在",
    "empty directory": "空目录",
    "cannot be opened: {}": "无法打开：{}",
    "cannot be read behind {} bytes: {}": "读到第 {} 字节后无法继续：{}",
    "cannot be unpacked: {}": "无法解包：{}",
    "cannot be kept for reading: {}": "无法暂存以供读取：{}",
    "directory cannot be read: {}": "目录无法读取：{}",
    "symbolic link that leads out of the directory, not followed": "指向目录之外的符号链接，未跟随",
    "directory already read (symbolic link or named twice)": "目录已读取过（符号链接或重复指定）",
    "special file (device, socket or pipe), not read": "特殊文件（设备、套接字或管道），未读取",
    "gzip ends too early, after {} decompressed bytes": "gzip 提前结束，此前解压出 {} 字节",
    "Zstandard ends too early, after {} decompressed bytes": "Zstandard 提前结束，此前解压出 {} 字节",
    "damaged {} after {} decompressed bytes": "{} 损坏，此前解压出 {} 字节",
    "damaged {}: its checksum is wrong, any of {} decompressed bytes may be wrong too": (
        "{} 损坏：校验和不符，解压出的 {} 字节中任何一处都可能有误"
    ),
    "bytes behind the end of gzip member {} are no gzip, not read": "第 {} 个 gzip 成员之后的字节不是 gzip，未读取",
    "decompression bomb: {} bytes made more than {}, the rest was not read": (
        "解压炸弹：{} 字节展开后超过 {} 字节，其余未读取"
    ),
    "archives nested more than {} deep, not opened": "归档嵌套超过 {} 层，未打开",
    "archive has more than {} members, the rest was not read": "归档成员超过 {} 个，其余未读取",
    "archive ends inside this member: {} of {} bytes": "归档在此成员中结束：{} / {} 字节",
    "tar archive damaged behind member {}, the rest was not read": "tar 归档在第 {} 个成员之后损坏，其余未读取",
    "tar archive damaged behind member {}: {}": "tar 归档在第 {} 个成员之后损坏：{}",
    "zip archive damaged: {}": "zip 归档损坏：{}",
    "link inside an archive (to {}), not followed": "归档中的链接（指向 {}），未跟随",
    "special file inside an archive, not read": "归档中的特殊文件，未读取",
    "encrypted zip member, not read": "加密的 zip 成员，未读取",
    "zip member inflates more than a thousandfold, not read": "zip 成员膨胀超过一千倍，未读取",
    "zip member cannot be read: {}": "zip 成员无法读取：{}",
}


def why(reason: str) -> Text:
    """A reason that a reader of evidence gave."""
    return Text(reason, _chinese(reason))


@lru_cache(maxsize=4096)
def _chinese(reason: str) -> str:
    if len(reason) > _LONGEST or reason in _WORDS:
        return _WORDS.get(reason, reason)
    # Several fields of one event, or what else is wrong with a piece.
    return "；".join(_known(part) or part for part in reason.split("; "))


def _known(reason: str) -> str | None:
    if reason in _WORDS:
        return _WORDS[reason]
    for pattern, chinese in _PATTERNS:
        if found := pattern.fullmatch(reason):
            carried = (_known(part) or part for part in found.groups())
            return "".join(piece + next(carried, "") for piece in chinese)
    return None


def _pattern(english: str) -> re.Pattern[str]:
    # Two of them at most stand in a reason, so that matching takes no more than the square of its length.
    return re.compile("(.{1,300}?)".join(map(re.escape, english.split("{}"))), re.DOTALL)


_PATTERNS: Final = tuple((_pattern(en), tuple(zh.split("{}"))) for en, zh in _WORDS.items() if "{}" in en)
