"""What miners print, taken apart: pool, algorithm, hash rate.

A renamed miner with its pool in a file behind a proxy still prints the lines its authors wrote. The forms are
those of xmrig (and what is built of it), cpuminer and the miners for graphics cards, at the beginning of a line behind
their own time: a program that quotes such a line (a log shipper, a sensor's alert) has something else in front.

    [2021-05-04 11:12:13.123]  net      new job from pool.example.com:3333 diff 100001 algo rx/0 height 2352123
    [2021-05-04 11:12:43.123]  cpu      accepted (1/0) diff 100001 (45 ms)
    [2021-05-04 11:13:13.123]  miner    speed 10s/60s/15m 812.4 810.2 n/a H/s max 815.0 H/s
    [2021-05-04 11:12:13] accepted: 1/1 (diff 0.012), 24.51 kH/s yes!

Source: xmrig src/base/net/stratum, src/core/Miner.cpp, Summary.cpp; cpuminer cpu-miner.c.
"""

from __future__ import annotations

import re
from typing import Final

MAX_TEXT: Final = 2048
_WORDS = re.compile(
    rb"H/s|h/s|ed \(| job from |use pool |use daemon | \* |randomx|tratum |\"mining\."
)  # quick in this form
_ANSI = re.compile(r"\x1b(?:\[[\d;?]{0,16}[A-Za-z]|\][^\x07\x1b]{0,200}(?:\x07|\x1b\\))|\r")
_START = (
    r"(?:\[?\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:[.,]\d{1,6})?Z?\]?|\[?\d\d:\d\d:\d\d\]?|\d{8} \d\d:\d\d:\d\d)?\s{0,4}"
)
_LABEL = r"(?:\[?(?:net|cpu|miner|randomx|opencl|cuda|config|signal|msr|rx|cn|WARN|INFO)(?:/\w{1,8})?\]?\s{1,12})?"
_RATE = r"\d{1,9}(?:\.\d{1,4})? ?[kKMGT]?[Hh](?:ash|ashes)?/s"
_NUMBER = r"[\d.n/a]{1,12}"
_ADDRESS = r"(?P<pool>(?:[\w+]{2,20}://)?[\w.:%\[\]-]{1,255}:\d{1,5})"

FORMS: Final[tuple[tuple[str, re.Pattern[str]], ...]] = tuple(
    (name, re.compile(_START + form))
    for name, form in (
        ("hash rate", _LABEL + r"speed (?:2\.5|10)s/60s/15m (?P<rate>" + _NUMBER + rf"(?: {_NUMBER}){{2}} ?[kMG]?H/s)"),
        ("job", _LABEL + r"new job from " + _ADDRESS + r" (?:\S{1,60} )?diff \S{1,20} algo (?P<algorithm>\S{1,40})"),
        ("pool", _LABEL + r"use (?:pool|daemon) " + _ADDRESS + r"(?:\s|$)"),
        ("share", _LABEL + r"(?:accepted|rejected) \(\d{1,9}/\d{1,9}(?:\+\d{1,9})?\) diff \S{1,20}"),
        ("share", r"accepted: \d{1,9}/\d{1,9} \((?:diff )?[\d.]{1,20}%?\),? (?P<rate>" + _RATE + ")"),
        ("share", r"\[ OK \] \d{1,9}/\d{1,9} - (?P<rate>" + _RATE + r"), \d{1,6} ?ms"),
        ("banner", r"\* ABOUT {2,12}(?P<program>[\w.-]{1,40}/\d[\w.-]{0,20}) (?:gcc|clang|MSVC)/"),
        ("banner", r"\* POOL #\d{1,3} {2,12}" + _ADDRESS + r"(?: (?:algo|coin) .{1,40})?$"),
        ("banner", r"\* DONATE {2,12}\d{1,2}(?:\.\d)?%"),
        ("dataset", r"\[?(?:randomx|rx)\]?\s{1,12}(?:#\d{1,3} )?(?:init dataset|allocated \d|dataset ready)"),
        ("hash rate", r"(?:thread|CPU) #?\d{1,4}: (?:\d{1,12} hashes, )?(?P<rate>" + _RATE + r")\s*$"),
        ("hash rate", r"Average speed \(\d{1,4}s\): (?P<rate>" + _RATE + ")"),
        ("hash rate", r"(?:\w{1,12} speed|Total speed): (?P<rate>" + _RATE + r"),? (?:shares|Total shares)"),
        ("stratum", r"(?:Starting Stratum on |Stratum (?:connection|difficulty|authentication) )"),
    )
)  # fmt: skip
_WIRE = re.compile(r'"method"\s?:\s?"mining\.(?:subscribe|authorize|submit|notify|set_difficulty)"')


def may_be(line: bytes) -> bool:
    """Whether the bytes hold what no line of these forms lacks; asked of every line of every container."""
    return _WORDS.search(line) is not None


def parse(text: str) -> dict[str, str] | None:
    """The form of a line and what it tells; None if no miner prints such a line."""
    line = _ANSI.sub("", text[:MAX_TEXT]).strip()
    for name, form in FORMS:
        if found := form.match(line):
            return {"form": name, **{key: value for key, value in found.groupdict().items() if value}}
    return {"form": "wire"} if line.startswith("{") and _WIRE.search(line) else None
