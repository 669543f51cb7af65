"""The HTML report: one self-contained file made from the frozen `Document` and nothing else.

No evidence ever stands inside a script or a style, and nothing but our own texts runs (`shell`). Both languages are in
the file; a pair of radio buttons and the style sheet switch them, so that the page needs no JavaScript. The script only
adds the filter, the highlighting and the copy buttons.
"""

from __future__ import annotations

from functools import cache

from jinja2 import Environment

from kubewitness.model.text import Language, Text
from kubewitness.report import cut_words, verdict_words
from kubewitness.report import words as report_words
from kubewitness.report.campaign_words import STATE, statement
from kubewitness.report.chain import edges_along, entity_words, way
from kubewitness.report.citation import of_machine
from kubewitness.report.document import Document
from kubewitness.report.html import amounts, views, words
from kubewitness.report.html.glyphs import badge
from kubewitness.report.html.inert import both, coded, headline, joined, one_line
from kubewitness.report.html.lanes import object_word, short_identity
from kubewitness.report.html.shell import dress, environment
from kubewitness.report.html.spans import coverage_picture, level_bar, ordered_levels
from kubewitness.report.items import telling
from kubewitness.report.unread_words import why

_MOST_FAILURES = 200
_MOST_TIMELINE = 1_000
_MOST_FINDINGS = 300
_MOST_ITEMS = 150


@cache
def _environment() -> Environment:
    return environment(
        "kubewitness.report.html",
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


def render(document: Document, language: Language) -> str:
    """The whole report as one HTML file, opening in `language`."""
    prepared, originals = views.incident_views(document, language)
    outside = views.outside(document)
    manifest, manifest_more = telling(document, _MOST_ITEMS)
    rows = views.timeline(document, prepared)
    worn = dress()
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            document=document,
            coverage=document.coverage,
            manifest=manifest,
            manifest_more=manifest_more,
            language=language,
            policy=worn.policy,
            style=worn.style,
            script=worn.script,
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
