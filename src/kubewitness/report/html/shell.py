"""What makes a page safe to open: templates that escape, and a policy under which nothing but our own texts runs.

Style and script are fixed texts from this package, allowed by their hashes; the Content-Security-Policy forbids
everything else, so even markup that got through could load and run nothing. The templates are autoescaped and every
printed value passes `inert.finalize`.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib import resources
from typing import NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from kubewitness.report.html.inert import finalize


class Dress(NamedTuple):
    """Style and script of a page, and the policy that allows them and nothing else."""

    style: Markup
    script: Markup
    policy: str


def environment(package: str, **names: object) -> Environment:
    """The templates of a package, with the names they know beside what each page is given."""
    found = Environment(
        loader=PackageLoader(package),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=False,
    )
    found.globals.update(names)
    return found


@cache
def dress(*more: tuple[str, str]) -> Dress:
    """What every page wears, with style sheets of its own: pairs of package and file."""
    sheets = (("kubewitness.report.html", "style.css"), *more)
    style = "".join(_asset(package, name) for package, name in sheets)
    script = _asset("kubewitness.report.html", "script.js")
    policy = (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    return Dress(Markup(style), Markup(script), policy)  # noqa: S704 fixed texts of this package, no evidence in them


def _asset(package: str, name: str) -> str:
    return resources.files(package).joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
