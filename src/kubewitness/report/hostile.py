"""Evidence text made inert for a terminal or a page: an intruder chooses object names, agents and commands.

A terminal obeys control characters, every screen obeys bidirectional overrides and hides zero-width characters. None of
them is dropped silently, since that would hide what the intruder did: C0 controls become their visible picture
(U+2400 block), every other invisible or format character becomes `<U+202E>`. Stacks of combining marks are cut.

Source: Unicode 15 general categories Cc, Cf, Cs, Zl, Zp, Mn, Me; UTR #36 "Unicode Security Considerations".
"""

from __future__ import annotations

import unicodedata

from rich.cells import cell_len, set_cell_size

_MARKS_IN_A_ROW = 3  # more than living languages stack; enough to keep a line one line high
_INVISIBLE_LETTERS = frozenset("\u115f\u1160\u3164\uffa0\u2800")  # fillers: category Lo or So, yet nothing to see


def _visible(char: str) -> str:
    code = ord(char)
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\u2421"
    category = unicodedata.category(char)
    if category == "Cs":
        return "\ufffd"
    if category in {"Cc", "Cf", "Zl", "Zp"} or char in _INVISIBLE_LETTERS:
        return f"<U+{code:04X}>"
    return char


def inert(text: str, *, lines: bool = False) -> str:
    """`text` with nothing a screen would obey; with `lines`, line feeds and tabs stay what they are."""
    if text.isascii() and text.isprintable():
        return text
    out: list[str] = []
    marks = 0
    for char in text:
        if lines and char in "\n\t":
            out.append(char)
            continue
        if unicodedata.category(char) in {"Mn", "Me"}:
            marks += 1
            if marks > _MARKS_IN_A_ROW:
                continue
        else:
            marks = 0
        out.append(_visible(char))
    return "".join(out)


def short(text: str, cells: int) -> str:
    """At most `cells` columns of inert text, an ellipsis where something was cut."""
    text = inert(text[: cells * 8])  # bound the work on huge names before looking at each character
    if cell_len(text) <= cells:
        return text
    return set_cell_size(text, max(cells - 1, 0)).rstrip() + "…"


def short_path(text: str, cells: int) -> str:
    """As `short`, but the end is kept: the file tells more than the folders above it."""
    text = inert(text[-cells * 8 :])
    if cell_len(text) <= cells:
        return text
    while cell_len(text) >= cells:
        text = text[max(cell_len(text) - cells, 2) // 2 :]
    return "…" + text
