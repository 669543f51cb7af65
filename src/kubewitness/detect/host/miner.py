"""Miners, by the grammar of their command line.

A miner must be told three things: the pool, the wallet that is paid, and how to work. Each of these is a sign with a
weight; no sign alone is enough, except a stratum URL or a program that calls itself a miner. So a renamed miner is
found, a truncated wallet (process lists are cut at the terminal's width) still counts as one, and `curl -o file -u
user:password` is nothing. Programs that read text (`grep stratum`) or talk to servers (`curl`, `mysql`) need more:
the signs may be what they look for or where they connect.

Sources: the option lists of xmrig, cpuminer and xmr-stak; Monero addresses are base58, 95 characters, beginning with
4 or 8.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from kubewitness.detect.host.commands import FETCHERS, MAX_COMMAND, READERS, Segment, segments_of
from kubewitness.detect.host.descriptions import mining_pools
from kubewitness.detect.host.finding import HostFinding
from kubewitness.detect.host.paths import hiding_of
from kubewitness.detect.host.stating import Suspicion, about_processes, state
from kubewitness.model.host import Host, HostFile, Process, Socket
from kubewitness.model.text import Text

_ENOUGH = 4
_SURE = 6
_POOL_OPTIONS = frozenset(("-o", "--url", "--pool", "-pool"))
_WALLET_OPTIONS = frozenset(
    ("-u", "--user", "-O", "--userpass", "-w", "--wallet", "-wal", "-wallet", "--wallet-address")
)
_LOGIN_USER = frozenset(("-u", "--user"))
_LOGIN_PASSWORD = frozenset(("-p", "--pass"))
_POOL = re.compile(
    r"(?:([a-z0-9+]{3,20})://)?(?:[^@/\s]{1,300}@)?([A-Za-z0-9_.-]{1,253}|\[[0-9a-fA-F:.]{2,45}\]):(\d{2,5})/?"
)
_B58 = "1-9A-HJ-NP-Za-km-z"
_MONERO = re.compile(rf"[48][{_B58}]{{19,}}(?=$|[.+/:@])")
_OTHER_COIN = re.compile(
    rf"(?:bc1[02-9ac-hj-np-z]{{20,}}|0x[0-9a-fA-F]{{40}}|[13][{_B58}]{{25,34}}|R[{_B58}]{{33}}|dero1[a-z0-9]{{30,}}"
    rf"|ZEPH[{_B58}]{{30,}}|kaspa:q[a-z0-9]{{40,}}|[LMDtA][{_B58}]{{32,33}})(?=$|[.+/:@])"
)
_STRATUM = re.compile(
    r"(?:stratum[12]?|ethproxy|daemon)\+(?:tcp|ssl|tls|udp|https?)|stratum[12]?|ethstratum(?:\+\w{2,4})?"
)
_ALGORITHM = re.compile(
    r"(?:rx|cn|cn-lite|cn-heavy|cn-pico|argon2)/[\w/-]{1,20}|randomx|cryptonight\S{0,20}|kawpow|etc?hash|ghostrider|astrobwt\S{0,8}"
    r"|autolykos2?|progpow\S{0,10}|yespower\S{0,10}|equihash\S{0,10}|verushash|octopus|firopow|beamhash\S{0,4}",
    re.IGNORECASE,
)
PORTS = frozenset({3333, 4444, 5555, 7777, 8333, 9999, 10128, 10300, 13333, 14433, 14444, 45560, 45700})
_NAMES = re.compile(
    r"(?:xmrig|xmr-stak|xmrigdaemon|xmrigminer|kinsing\S{0,4}|kdevtmpfsi\S{0,4}|cpuminer|minerd|ccminer|t-rex|lolminer|nbminer"
    r"|phoenixminer|teamredminer|srbminer\S{0,6}|ethminer|nanominer|bfgminer|cgminer|nheqminer|xmrig-\w{1,12}|moneroocean\S{0,12})"
    r"(?:\.\w{1,6})?",
    re.IGNORECASE,
)
# What no command line with enough signs lacks; an audit tells of a hundred thousand others.
_MARKS = re.compile(
    rf":\d\d|stratum|coin|monero|xmr|kinsing|kdevtmpfsi|miner|t-rex|nheq|-a[\s=]|-alg|--(?:donate|randomx|cpu-|max-cpu|rig-id|nicehash|huge-)"
    rf"|[48][{_B58}]{{19}}",
    re.IGNORECASE,
)
_CLIENTS = FETCHERS | {
    *("ssh", "scp", "sftp", "rsync", "git", "http", "nc", "ncat", "openssl", "tar", "ps", "mount"),
    *("mysql", "mysqldump", "psql", "redis-cli", "mongo", "mongosh"),
    *("docker", "podman", "nerdctl", "crictl", "kubectl", "helm"),
}
_FILES = {
    *("cp", "mv", "rm", "ln", "ls", "chmod", "chown", "chattr", "stat", "file", "touch"),
    *("md5sum", "sha1sum", "sha256sum", "base64", "zip", "gzip"),
}
_WORK = (
    *("--randomx-" + end for end in ("mode", "1gb-pages", "wrmsr", "no-rdmsr", "init", "cache-qos")),
    "--cpu-max-threads-hint",
)
_WORK = (
    *_WORK,
    "--cpu-priority",
    "--max-cpu-usage",
    "--rig-id",
    "--nicehash",
    "--donate-over-proxy",
    "--huge-pages-jit",
)


class Sign(Struct, frozen=True):
    """Something that miners have in their command line."""

    weight: int
    reason: Text
    own: bool = False  # nothing but a miner has it


class Grammar(Struct):
    """What a command line shows."""

    signs: list[Sign]
    pools: list[str]
    pool: bool = False
    wallet: bool = False
    port: bool = False  # one that pools use

    @property
    def score(self) -> int:
        """Sum of the weights."""
        return sum(sign.weight for sign in self.signs)


def miner_process(host: Host) -> Iterator[HostFinding]:
    """Processes with a miner's command line."""
    configurations = {file.path for file in host.files if is_configuration(file)}
    peers = dict[int, list[Socket]]()
    for socket in host.sockets:
        if socket.state == "ESTAB":
            for _, pid in socket.owners:
                peers.setdefault(pid, []).append(socket)
    yield from about_processes("miner_process", host, _suspicions(host.processes, configurations, peers))


def miner_configuration(host: Host) -> Iterator[HostFinding]:
    """Configuration files of a miner."""
    for file in host.files:
        if is_configuration(file):
            pools = [
                found[2]
                for word in re.findall(r'"url"\s*:\s*"([^"\s]{1,300})"', file.text)
                if (found := _POOL.fullmatch(word))
            ]
            yield state("miner_configuration", host, file.path, [(file.place, file.path)], addresses=pools)


def is_configuration(file: HostFile) -> bool:
    """A file that tells a miner pool and wallet in the form of xmrig's config.json."""
    text = file.text
    return '"pools"' in text and ('"donate-level"' in text or ('"rig-id"' in text and '"algo"' in text))


def grammar_of(segment: Segment) -> Grammar:
    """The signs in a simple command."""
    found = Grammar([], [])
    words = segment.words
    if _NAMES.fullmatch(segment.program):
        found.signs.append(
            Sign(4, Text(f"the program is called {segment.program}", f"程序名为 {segment.program}"), True)
        )
    for number, word in enumerate(words):
        option, equals, value = word.partition("=")
        if not equals:
            value = words[number + 1] if number + 1 < len(words) else ""
        found.signs.extend(_signs(option.lower() if option.startswith("--") else option, value, found))
    if found.pool and (found.wallet or any(sign.own for sign in found.signs)):  # else they are anybody's options
        rest = [word for word in words if word in ("-k", "--keepalive", "-B", "--background", "--tls", "-p", "--pass")]
        if rest:
            names = " ".join(dict.fromkeys(rest))
            found.signs.append(
                Sign(1, Text(f"a miner's options beside the pool: {names}", f"矿池地址旁带有挖矿程序的选项：{names}"))
            )
    elif found.pool and _LOGIN_USER.intersection(words) and _LOGIN_PASSWORD.intersection(words):
        # Behind a proxy of the intruder's nothing else is left: address, a user and a password that mean nothing
        found.signs.append(
            Sign(1, Text("a login beside the address, as to a pool", "地址旁带有登录信息，如同登录矿池"))
        )
        if rest := [word for word in words if word in ("-k", "--keepalive", "--tls", "--nicehash")]:
            names = " ".join(dict.fromkeys(rest))
            found.signs.append(Sign(1, Text(f"options that miners have: {names}", f"挖矿程序所用的选项：{names}")))
    return found


def is_miner(found: Grammar, program: str) -> bool:
    """The signs are enough, for a program of that name."""
    if program in READERS:
        return found.pool and found.wallet and found.score >= _SURE
    if program in _CLIENTS:
        return found.score >= _SURE and any(sign.own for sign in found.signs)
    return found.score >= _ENOUGH


def _signs(option: str, value: str, found: Grammar) -> Iterator[Sign]:
    value = value[:600]
    if option in _POOL_OPTIONS and (pool := _POOL.fullmatch(value)):
        yield from _pool_signs(pool, found)
    elif (stratum := _POOL.fullmatch(option[:600])) and _STRATUM.fullmatch(stratum[1] or ""):
        yield from _pool_signs(stratum, found)
    elif option in _WALLET_OPTIONS:
        yield from _wallet_signs(value, found)
    elif option == "--donate-level":
        yield Sign(3, Text("option --donate-level, which only xmrig has", "选项 --donate-level，仅 xmrig 才有"), True)
    elif option in ("--coin", "-coin") and value:
        weight = 3 if value.lower() in ("monero", "xmr") else 2
        yield Sign(weight, Text(f"a coin is named: {value[:40]}", f"指定了币种：{value[:40]}"), True)
    elif option in ("-a", "--algo", "--algorithm") and _ALGORITHM.fullmatch(value[:60]):
        yield Sign(2, Text(f"a mining algorithm is named: {value[:40]}", f"指定了挖矿算法：{value[:40]}"), True)
    elif option in _WORK:
        yield Sign(2, Text(f"option {option}, as miners have it", f"选项 {option}，为挖矿程序所用"))
    elif not found.wallet and len(option) >= 90 and _MONERO.match(option) and _mixed(option):
        yield Sign(2, Text("a Monero address", "一个 Monero 地址"), True)


def _pool_signs(pool: re.Match[str], found: Grammar) -> Iterator[Sign]:
    scheme, host, port = (pool[1] or "").lower(), pool[2].lower(), int(pool[3])
    if scheme and not _STRATUM.fullmatch(scheme):
        return
    found.pool = True
    found.pools.append(host.strip("[]"))
    address = f"{host}:{port}"
    if scheme:
        yield Sign(4, Text(f"a pool's address in stratum form: {address}", f"stratum 形式的矿池地址：{address}"), True)
    else:
        weight = 2 if "." in host or ":" in host else 1
        yield Sign(weight, Text(f"an address where a pool would stand: {address}", f"矿池位置上的地址：{address}"))
    if ".".join(host.split(".")[-2:]) in mining_pools():
        yield Sign(3, Text(f"{host} is a known mining pool", f"{host} 是已知的矿池"), True)
    if port in PORTS:
        found.port = True
        yield Sign(1, Text(f"port {port}, usual for pools", f"端口 {port}，矿池常用"))


def _wallet_signs(value: str, found: Grammar) -> Iterator[Sign]:
    monero = _MONERO.match(value)
    if monero and _mixed(monero[0]):
        found.wallet = True
        long = len(monero[0]) >= 90
        yield Sign(3, Text("the user is a Monero address", "用户名是 Monero 地址"), long)
    elif _OTHER_COIN.match(value) and (value.startswith(("bc1", "0x", "dero1", "kaspa:")) or _mixed(value)):
        found.wallet = True
        yield Sign(2, Text("the user is the address of a cryptocurrency", "用户名是加密货币地址"))


def _mixed(text: str) -> bool:
    """Base58 has both cases; hexadecimal ids and names seldom do."""
    return any(c.islower() for c in text) and any(c.isupper() for c in text)


def _suspicions(
    processes: Sequence[Process], configurations: set[str], peers: Mapping[int, Sequence[Socket]]
) -> Iterator[Suspicion]:
    for process in processes:
        if not configurations and not _MARKS.search(process.command[:MAX_COMMAND]):
            continue
        for segment in segments_of(process.command):
            found = grammar_of(segment)
            found.signs.extend(_configured(process, segment, configurations))
            if not found.signs:
                continue
            now = () if process.told_by else peers.get(process.pid, ())  # its number may be another's since
            for socket in now[:20]:
                if socket.peer_port in PORTS or socket.peer_address in found.pools:
                    where = f"{socket.peer_address}:{socket.peer_port}"
                    found.signs.append(Sign(2, Text(f"connected to {where}", f"已连接到 {where}")))
                    found.pools.append(socket.peer_address)
                    break
            if found.score >= 2 and (hiding_of(process.executable) or hiding_of(segment.words[0])):
                found.signs.append(Sign(2, Text("the program lies hidden", "程序藏匿于隐蔽位置")))
            if is_miner(found, segment.program):
                sure = found.wallet or found.port or any(sign.own for sign in found.signs)
                yield Suspicion(
                    process,
                    tuple(sign.reason for sign in found.signs),
                    severity=None if sure else "medium",
                    confidence="high" if found.score >= _SURE else "medium" if sure else "low",
                    kind=None if sure else "activity",
                    addresses=tuple(found.pools),
                )
                break


def _configured(process: Process, segment: Segment, configurations: set[str]) -> Iterator[Sign]:
    """A configuration file of a miner is named in the command, or lies beside the program."""
    if not configurations or segment.program in READERS or segment.program in _CLIENTS or segment.program in _FILES:
        return
    folder = process.executable.rpartition("/")[0]
    named = {word.partition("=")[2] or word for word in segment.words}
    beside = {f"{folder}/config.json"}
    for name in named:  # as its folder or the one it was started in makes it whole
        short = name.removeprefix("./")
        beside |= {name} if name.startswith("/") else {f"{folder}/{short}", f"{process.cwd.rstrip('/')}/{short}"}
    if both := configurations & beside:
        path = min(both)
        yield Sign(4, Text(f"a miner's configuration is its own: {path}", f"使用挖矿程序的配置文件：{path}"), True)
