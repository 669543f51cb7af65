"""The HTML report: one self-contained file made from the frozen `Document` and nothing else.

Style and script are fixed texts from this package, allowed by their hashes; the Content-Security-Policy forbids
everything else, so even markup that got through could load and run nothing. No evidence ever stands inside a script
or a style. The templates are autoescaped and every printed value passes `inert.finalize`. Both languages are in the
file; a pair of radio buttons and the style sheet switch them, so that the page needs no JavaScript. The script only
adds the filter, the highlighting and the copy buttons.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib import resources

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from kubewitness.model.text import Language, Text
from kubewitness.report import cut_words, verdict_words
from kubewitness.report import words as report_words
from kubewitness.report.campaign_words import STATE, statement
from kubewitness.report.chain import edges_along, entity_words, way
from kubewitness.report.citation import of_machine
from kubewitness.report.document import Document
from kubewitness.report.html import amounts, views, words
from kubewitness.report.html.glyphs import badge
from kubewitness.report.html.inert import both, coded, finalize, headline, joined, one_line
from kubewitness.report.html.lanes import object_word, short_identity
from kubewitness.report.html.spans import coverage_picture, level_bar, ordered_levels
from kubewitness.report.items import telling
from kubewitness.report.unread_words import why

_MOST_FAILURES = 200
_MOST_TIMELINE = 1_000
_MOST_FINDINGS = 300
_MOST_ITEMS = 150


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("kubewitness.report.html"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=False,
    )
    environment.globals.update(
        w=words.label,
        word=words.word,
        t=both,
        headline=headline,
        sentences=lambda texts: joined(texts, Text(" ", "")),
        clauses=lambda texts: joined(texts, Text("; ", "；")),
        coded=coded,
        one_line=one_line,
        named=words.name_attributes,
        cell=words.cell_name,
        number=amounts.number,
        size=amounts.size,
        moment=amounts.moment,
        clock=amounts.clock,
        duration=amounts.duration,
        seconds_between=amounts.seconds_between,
        same_day=amounts.same_day,
        day=amounts.day,
        badge=badge,
        identity=short_identity,
        object_word=object_word,
        object_list=views.object_list,
        anchor=views.anchor,
        way=way,
        of_machine=of_machine,
        edges_along=edges_along,
        entity_words=entity_words,
        statement=statement,
        cut_words=cut_words,
        verdict_words=verdict_words,
        why=lambda reason, limit: why(one_line(reason, limit)),
        words_of=report_words,
        campaign_state=STATE,
        level_bar=level_bar,
        ordered_levels=ordered_levels,
    )
    return environment


@cache
def _asset(name: str) -> str:
    return resources.files("kubewitness.report.html").joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def render(document: Document, language: Language) -> str:
    """The whole report as one HTML file, opening in `language`."""
    prepared, originals = views.incident_views(document, language)
    outside = views.outside(document)
    manifest, manifest_more = telling(document, _MOST_ITEMS)
    rows = views.timeline(document, prepared)
    style, script = _asset("style.css"), _asset("script.js")
    policy = (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            document=document,
            coverage=document.coverage,
            manifest=manifest,
            manifest_more=manifest_more,
            language=language,
            policy=policy,
            style=Markup(style),  # noqa: S704 fixed text of this package, no evidence in it
            script=Markup(script),  # noqa: S704 the same
            incidents=prepared,
            in_common=views.in_common(document),
            originals=originals,
            outside=outside[:_MOST_FINDINGS],
            outside_more=max(0, len(outside) - _MOST_FINDINGS),
            timeline=rows[:_MOST_TIMELINE],
            timeline_total=sum(row.count for row in rows),
            timeline_rows=len(rows),
            timeline_identities=sorted({row.identity for row in rows[:_MOST_TIMELINE] if row.identity})[:200],
            timeline_verbs=sorted({row.verb for row in rows[:_MOST_TIMELINE] if row.verb}),
            accessors=views.accessors(document),
            failures=document.parse_failures[:_MOST_FAILURES],
            failures_total=max(document.parse_failures_total, len(document.parse_failures)),
            coverage_picture=coverage_picture(document, language),
        )
        + "\n"
    )
