"""Shapes of the picture. A meaning never rests on colour alone: each act has its own outline, everywhere it appears."""

from __future__ import annotations

from markupsafe import Markup

from kubewitness.model.incident import Act
from kubewitness.model.text import Text
from kubewitness.report.html.inert import columns, one_line

_SHAPES: dict[str, str] = {
    "read": '<circle class="sh" cx="{x}" cy="{y}" r="12"/>',
    "create": '<circle class="sh" cx="{x}" cy="{y}" r="12"/>',
    "refused": '<circle class="sh" cx="{x}" cy="{y}" r="12"/>',
    "delete": '<path class="sh" d="M{x} {y}m0 -15.5l15.5 15.5l-15.5 15.5l-15.5 -15.5Z"/>',
    "change": '<path class="sh" d="M{x} {y}m-13 0l6.5 -11.5h13l6.5 11.5l-6.5 11.5h-13Z"/>',
    "execute": '<path class="sh" d="M{x} {y}m-12 -11.5h15l10.5 11.5l-10.5 11.5h-15Z"/>',
    "effect": '<rect class="sh" x="{left}" y="{top}" width="22" height="22" rx="3"/>',
}
# A shadow of the same outline behind a mark: several steps folded.
_BEHIND = Markup('<g class="fold2" transform="translate(2.5 -3)">{}</g>')


def shape(act: Act, x: float, y: float, text: str, *, folded: bool = False) -> Markup:
    """The outline of an act with a short text (its number) inside; a range of numbers gets a wider one."""
    wide = len(text) > 3
    at_x, at_y = (0.0, 0.0) if wide else (x, y)
    form = _SHAPES[act].format(x=f"{at_x:g}", y=f"{at_y:g}", left=f"{at_x - 11:g}", top=f"{at_y - 11:g}")
    outline = Markup(form)  # noqa: S704 numbers only
    if wide:
        outline = Markup('<g transform="translate({:g} {:g}) scale(1.4 1)">{}</g>').format(x, y, outline)
    small = Markup(' class="t-s"') if wide else ""
    return Markup('{}{}<text x="{:g}" y="{:g}" text-anchor="middle"{}>{}</text>').format(
        _BEHIND.format(outline) if folded else "", outline, x, y + 4.2, small, text
    )


def badge(act: Act, text: str, *, inferred: bool = False) -> Markup:
    """A mark outside the picture: in the list of steps, in the key."""
    return Markup(
        '<svg class="mk {}{}" width="32" height="32" viewBox="-16.5 -16.5 33 33" aria-hidden="true">{}</svg>'
    ).format(act, " inferred" if inferred else "", shape(act, 0, 0, text))


def cap(manner: str, x: float, y: float, steps: str) -> Markup:
    """How a line ends: dot read, arrow made, cross deleted, thin cross missing, square changed, bar refused."""
    forms = {
        "read": '<circle class="cap read" cx="{x:g}" cy="{y:g}" r="4"{s}/>',
        "create": '<path class="cap make" d="M{x:g} {y:g}m-5 -8h10l-5 8Z"{s}/>',
        "delete": '<path class="cap del" d="M{x:g} {y:g}m-6 -6l12 12m0 -12l-12 12"{s}/>',
        "missing": '<path class="cap miss" d="M{x:g} {y:g}m-4 -4l8 8m0 -8l-8 8"{s}/>',
        "change": '<rect class="cap chg" x="{left:g}" y="{top:g}" width="8" height="8"{s}/>',
        "refused": '<path class="cap ref" d="M{x:g} {y:g}m-7 -9h14"{s}/>',
        "execute": '<path class="cap make" d="M{x:g} {y:g}m-4 -5l8 5l-8 5Z"{s}/>',
    }
    form = Markup(forms.get(manner, forms["read"]))  # noqa: S704 one of the fixed forms above
    return form.format(x=x, y=y, left=x - 4, top=y - 4, s=data(steps))


def data(steps: str) -> Markup:
    """The attribute by which one step lights up in picture and list."""
    return Markup(' data-s="{}"').format(steps) if steps else Markup("")


def words(x: float, y: float, text: Text | str, style: str, *, anchor: str = "", title: str = "") -> Markup:
    """A line of text: evidence as it is (inert), or a label in both languages."""
    where = Markup(' text-anchor="{}"').format(anchor) if anchor else Markup("")
    tip = Markup("<title>{}</title>").format(one_line(title, 400)) if title else Markup("")
    if isinstance(text, str) or text.en == text.zh:
        plain = text if isinstance(text, str) else text.en
        return Markup('<text x="{:g}" y="{:g}" class="{}"{}>{}{}</text>').format(
            x, y, style, where, tip, one_line(plain)
        )
    form = Markup('<text x="{:g}" y="{:g}" class="{} {}"{}{}>{}{}</text>')
    english = form.format(x, y, style, "en", "", where, tip, one_line(text.en))
    chinese = form.format(x, y, style, "zh", Markup(' lang="zh-Hans"'), where, tip, one_line(text.zh))
    return english + chinese


def width(text: Text | str, size: float = 11.5) -> float:
    """About how wide a text will be; the wider of both languages."""
    if isinstance(text, Text):
        return max(width(text.en, size), width(text.zh, size))
    return columns(text) * size * 0.545
