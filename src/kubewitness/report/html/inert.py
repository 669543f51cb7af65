"""Evidence text made inert: whatever an intruder wrote into a name or an agent is shown, never interpreted.

Two things have to be kept apart. Markup is stopped by escaping (Jinja's autoescape in templates, `Markup.format` in
Python). What remains are characters that are legal text and still deceive: terminal escapes, NULs, bidirectional
overrides that reorder a line on the screen, zero-width characters, lone surrogates that cannot be written as UTF-8.
`visible` replaces each by its code point in brackets, so it can be seen, searched and copied without effect.
`finalize` is run by Jinja on every value a template prints, so no template can forget it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from markupsafe import Markup, escape

from kubewitness.model.text import Text

_KEPT = frozenset("\n\t\u3000\u00a0")
_HYPHENATED = re.compile(r"(?<![\w&#<\"'=/-])[A-Za-z0-9]{2,16}-[A-Za-z0-9]{2,16}(?![\w\"'=>-])")
_CODE = re.compile(r"`([^`\n]{1,300})`")


def visible(text: str) -> str:
    """`text` with every character that has no glyph of its own (controls, bidi, zero width) written as ⟨U+202E⟩."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in _KEPT else f"⟨U+{ord(c):04X}⟩" for c in text)


def one_line(text: str, limit: int = 2000) -> str:
    """`text` inert, on one line and of bounded length: for names, addresses and agents."""
    if len(text) > limit:
        text = text[:limit] + "…"
    return visible(text).replace("\n", "⟨U+000A⟩").replace("\t", " ")


def finalize(value: object) -> object:
    """Jinja's last look at a printed value: markup we made passes, everything else becomes inert text."""
    if hasattr(value, "__html__"):
        return value
    return visible(str(value))


def coded(text: str) -> Markup:
    """Prose of a claim: escaped, inert, with `backticks` as code."""
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(visible(text)))))  # noqa: S704 escaped before


def joined(texts: Iterable[Text], between: Text) -> Markup:
    """Several claims as one run of text: Chinese sentences stand without spaces between them."""
    texts = list(texts)
    return both(Text(between.en.join(t.en or t.zh for t in texts), between.zh.join(t.zh or t.en for t in texts)))


def headline(text: Text) -> Markup:
    """`both`, with hyphenated words kept on one line."""
    return Markup(_HYPHENATED.sub(r'<span class="nb">\g<0></span>', str(both(text))))  # noqa: S704 escaped by `both`


def both(text: Text) -> Markup:
    """Both languages side by side; the style sheet shows one. A language left out falls back to the other."""
    english, chinese = text.en or text.zh, text.zh or text.en
    if not english:
        return Markup("")
    if english == chinese:
        return coded(english)
    return Markup('<span class="en">{}</span><span class="zh" lang="zh-Hans">{}</span>').format(
        coded(english), coded(chinese)
    )


def columns(text: str) -> int:
    """Width in half-width columns: CJK and full-width characters take two, combining marks none."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in ("W", "F") else 1 for c in text
    )


def middle(text: str, width: int) -> str:
    """`text` in at most `width` columns with its middle left out: the ends of generated names tell them apart."""
    text = one_line(text, limit=2000)
    if columns(text) <= width:
        return text
    tail = ""
    for character in reversed(text):
        if columns(character + tail) > width // 3:
            break
        tail = character + tail
    return clipped(text, width - columns(tail)) + tail


def clipped(text: str, width: int) -> str:
    """`text` on one line in at most `width` columns, ending in … if something was cut off."""
    text = one_line(text, limit=4 * width + 40)
    if columns(text) <= width:
        return text
    kept, used = [], 0
    for character in text:
        used += columns(character)
        if used > width - 1:
            break
        kept.append(character)
    return "".join(kept).rstrip(" -_./:") + "…"
