"""What shell text gives away: fetched and run, decoded and run, run from where no script belongs, secrets sent out.

Used for process lists, crontabs, units and commands that were run in containers: all are shell text in the end.
People install software by `curl https://… | sh`, so that alone is little; from a bare address, or into a hidden file,
it is much.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from msgspec import Struct

from kubewitness.detect.host.addresses import nature_of
from kubewitness.detect.host.commands import FETCHERS, SHELLS, Fetch, Segment, fetch_of, host_of
from kubewitness.detect.host.paths import hiding_of
from kubewitness.model.judgement import Severity
from kubewitness.model.text import Text

_INTERPRETERS = SHELLS | frozenset({"python", "python2", "python3", "perl", "ruby", "php", "node"})
_EVALUATES = SHELLS | {"eval", "source", "."}
_SUBSTITUTED = tuple(start + fetcher for start in ("$(", "<(", "`") for fetcher in FETCHERS)
_ENVIRONMENT = ("$(env", "$(printenv", "`env", "`printenv", "<(env")

Act = Literal[
    "fetch and run", "hidden download", "decode and run", "hidden script", "hidden program", "send environment"
]


class ShellSign(Struct, frozen=True):
    """One thing that shell text does."""

    act: Act
    severity: Severity
    reason: Text
    hosts: tuple[str, ...] = ()


def shell_signs(segments: Sequence[Segment]) -> Iterator[ShellSign]:
    """All signs in the simple commands, in order."""
    pipe: Fetch | None = None
    decoded = False
    for segment in segments:
        if not segment.words:
            continue
        if not segment.piped:
            pipe, decoded = None, False
        fetch = fetch_of(segment)
        if fetch is not None and fetch.urls:
            pipe = fetch
            yield from _fetched(segment, fetch)
        if segment.program == "base64" and any(word in ("-d", "-D", "--decode", "-di") for word in segment.words):
            decoded = True
        if segment.piped and segment.program in _INTERPRETERS:
            if pipe is not None:
                yield _fetch_and_run(pipe)
            if decoded:
                yield ShellSign("decode and run", "medium", Text("what was decoded is run", "解码后的内容被执行"))
        if segment.program in _EVALUATES and any(word.startswith(_SUBSTITUTED) for word in segment.words):
            urls = tuple(word for word in segment.words if "://" in word)
            yield _fetch_and_run(Fetch(urls, "-"))
        yield from _run_from(segment)


def _fetch_and_run(fetch: Fetch) -> ShellSign:
    hosts = tuple(host_of(url.rstrip(")`\"'")) for url in fetch.urls)
    kinds = {nature_of(host) for host in hosts}
    if "public address" in kinds:
        return ShellSign(
            "fetch and run",
            "high",
            Text("a script is fetched from a bare address and run unread", "从裸 IP 地址下载脚本并直接执行"),
            hosts,
        )
    encrypted = all(url.startswith("https://") for url in fetch.urls) and bool(fetch.urls)
    severity: Severity = "low" if encrypted or kinds <= {"loopback", "cluster", "private"} else "medium"
    return ShellSign("fetch and run", severity, Text("a script is fetched and run unread", "下载脚本并直接执行"), hosts)


def _fetched(segment: Segment, fetch: Fetch) -> Iterator[ShellSign]:
    hosts = tuple(map(host_of, fetch.urls))
    if hiding_of(fetch.output) in ("hidden_name", "dots_folder"):
        said = Text(
            f"a download goes to the hidden file {fetch.output[:200]}", f"下载内容写入隐藏文件 {fetch.output[:200]}"
        )
        yield ShellSign("hidden download", "high", said, hosts)
    if any(start in word for word in segment.words for start in _ENVIRONMENT):
        said = Text("the environment of the process goes out with the request", "请求中带出了进程的环境变量")
        yield ShellSign("send environment", "high", said, hosts)


def _run_from(segment: Segment) -> Iterator[ShellSign]:
    program, words = segment.program, segment.words
    if program in _INTERPRETERS or program in ("source", "."):
        script = next((word for word in words[1:8] if not word.startswith("-")), "")
        if hiding := hiding_of(script):
            severity: Severity = "low" if hiding == "temporary" else "high"
            said = Text(f"a script is run from {script[:200]}", f"执行了脚本 {script[:200]}")
            yield ShellSign("hidden script", severity, said)
    elif hiding := hiding_of(words[0]):
        severity = "medium" if hiding == "temporary" else "high"
        said = Text(f"a program is run from {words[0][:200]}", f"执行了程序 {words[0][:200]}")
        yield ShellSign("hidden program", severity, said)
