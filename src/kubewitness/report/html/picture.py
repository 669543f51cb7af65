"""The attack chain as one picture: a lane for each address, identity, object and node; time runs to the right.

The grammar: a numbered mark in an identity's lane is a step; its outline tells the act. The line down from it ends
on the object it touched, and how it ends tells what was done. A bar is the life of an object, a tinted band the
time an identity held the power a binding gave it; a binding's bar and its band end together, which is the whole
story in one look. Solid means cited, dashed means inferred and carries its confidence. White breaks are compressed
silences with their length.

The drawing is made by hand because charting libraries know no such thing and would need JavaScript. All evidence
text goes through `glyphs.words`, which makes it inert; everything else is numbers and our own words.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from markupsafe import Markup

from kubewitness.model.incident import Coverage, Incident, ObjectLife, Step
from kubewitness.model.text import Text
from kubewitness.report.html import lanes
from kubewitness.report.html.amounts import clock, day, same_day, short_day
from kubewitness.report.html.axis import LEFT, Axis, Mark, lay_out
from kubewitness.report.html.captions import bounded, captions, identity_of, manner_of, reaches_node
from kubewitness.report.html.glyphs import cap, data, shape, width, words
from kubewitness.report.html.inert import clipped, middle, one_line
from kubewitness.report.html.words import WORDS, name_attributes, word

_TOP = 48.0
_ADDRESS, _IDENTITY, _OBJECT, _NODE = 52.0, 76.0, 40.0, 31.0
_MOST_NODES = 8


@dataclass
class _Layers:
    """Pieces of the drawing, painted in this order."""

    ground: list[Markup] = field(default_factory=list)
    bands: list[Markup] = field(default_factory=list)
    bars: list[Markup] = field(default_factory=list)
    breaks: list[Markup] = field(default_factory=list)
    edges: list[Markup] = field(default_factory=list)
    notes: list[Markup] = field(default_factory=list)
    marks: list[Markup] = field(default_factory=list)

    def joined(self) -> Markup:
        order = (self.ground, self.bands, self.bars, self.breaks, self.edges, self.notes, self.marks)
        return Markup("\n").join(piece for layer in order for piece in layer)


def draw(incident: Incident, coverage: Coverage, prefix: str, language: str) -> Markup:
    """The picture of one incident; empty markup where there is no step to draw. `prefix` keeps ids apart."""
    if not incident.steps:
        return Markup("")
    return _Picture(incident, coverage, prefix, language).drawn()


def _step_ids(prefix: str, numbers: tuple[int, ...]) -> str:
    return " ".join(f"{prefix}s{number}" for number in numbers)


class _Picture:
    def __init__(self, incident: Incident, coverage: Coverage, prefix: str, language: str) -> None:
        self.incident, self.coverage, self.prefix, self.language = incident, coverage, prefix, language
        self.axis: Axis = lay_out(incident.steps, coverage)
        self.right = self.axis.right
        self.out = _Layers()
        self.address_lanes = lanes.addresses(incident.steps)
        self.identity_lanes = lanes.identities(tuple(s for s in incident.steps if not self._below(s)))
        self.rows = lanes.objects(incident)
        self.identity_top = _TOP + _ADDRESS * len(self.address_lanes)
        self.object_top = self.identity_top + _IDENTITY * len(self.identity_lanes)
        self.effects = [m for m in self.axis.marks if any(step.effect_events for step in m.steps)]
        self.row_y = {i: self.object_top + 50 + _OBJECT * i for i in range(len(self.rows))}
        self.pill_y = self.object_top + (50 + _OBJECT * len(self.rows) - 6 if self.rows else 36)
        objects_end = self.pill_y + (20 if self.effects else -12)
        self.node_top = objects_end if self.rows or self.effects else self.object_top
        self.reached: list[str] = list(incident.nodes[:_MOST_NODES])
        self.bottom = self.node_top + (self._node_rows() * _NODE + 34 if self._node_rows() else 0)

    def _below(self, step: Step) -> bool:
        """An effect is drawn at the nodes, if there are any."""
        return step.act == "effect" and bool(self.incident.nodes or self.incident.pods)

    def _node_rows(self) -> int:
        return len(self.reached) + bool(self.incident.pods) + (len(self.incident.nodes) > len(self.reached))

    def drawn(self) -> Markup:
        self._ground()
        self._identities()
        self._objects()
        self._breaks()
        self._addresses()
        self._edges()
        self._effects()
        self._marks()
        full = self.right + 6
        return Markup(
            '<svg class="pic" id="{}pic" viewBox="0 -18 {:g} {:g}" width="{:g}" role="group" {}>'
            '<defs><pattern id="{}hat" width="6" height="6" patternUnits="userSpaceOnUse" '
            'patternTransform="rotate(45)">'
            '<path d="M0 0V6" class="hatl"/></pattern></defs>{}</svg>'
        ).format(
            self.prefix,
            full,
            self.bottom + 20,
            full,
            name_attributes(WORDS["chain"], self.language),
            self.prefix,
            self.out.joined(),
        )

    # -- the paper ---------------------------------------------------------------------------------------------------

    def _ground(self) -> None:
        out, first = self.out, self.incident.steps[0].time
        lines = [_TOP + _ADDRESS * i for i in range(len(self.address_lanes))]
        lines += [self.identity_top + _IDENTITY * i for i in range(len(self.identity_lanes))]
        lines += [self.object_top, self.bottom] + ([self.node_top] if self._node_rows() else [])
        out.ground += [Markup('<path d="M0 {:g}H{:g}" class="lane"/>').format(y, self.right) for y in lines]
        dated = day(first)
        out.ground.append(
            words(0, 12, Text(f"{dated.en}, UTC", f"{dated.zh}，UTC") if dated.en else lanes.same("UTC"), "t-lane")
        )
        out.ground.append(words(0, 34, word("compressed"), "t-sub"))
        free, earlier = LEFT - 20, first
        for mark in self.axis.marks:
            out.ground.append(Markup('<path d="M{:g} 40V48" class="tick"/>').format(mark.x))
            if mark.x - 27 >= free:
                out.ground.append(words(mark.x, 34, clock(mark.step.time), "t-time", anchor="middle"))
                free = mark.x + 29
                if not same_day(earlier, mark.step.time):
                    out.ground.append(words(mark.x, 17, short_day(mark.step.time), "t-sub", anchor="middle"))
                    earlier = mark.step.time
        if self.coverage.last and self.right - 64 >= free:
            end = clock(self.coverage.last)
            if not same_day(first, self.coverage.last):
                dated = short_day(self.coverage.last)
                end_text = Text(f"{dated.en} {end}", f"{dated.zh} {end}")
            else:
                end_text = lanes.same(end)
            out.ground.append(words(self.right, 34, end_text, "t-time", anchor="end"))
            out.ground.append(words(self.right, 17, word("evidence_ends"), "t-sub", anchor="end"))
        if self.axis.hidden:
            out.ground.append(words(self.right, 64, word("more_marks", n=self.axis.hidden), "t-note", anchor="end"))

    def _breaks(self) -> None:
        free = LEFT - 60.0
        for gap in self.axis.breaks:
            height = self.bottom - 40
            self.out.breaks.append(
                Markup(
                    '<rect x="{:g}" y="40" width="8" height="{:g}" class="gapf"/>'
                    '<path d="M{:g} 40v{:g}M{:g} 40v{:g}" class="gapl"/>'
                ).format(gap.x - 4, height, gap.x - 4, height, gap.x + 4, height)
            )
            half = width(gap.length) / 2
            x = min(gap.x, self.right - half)
            if x - half >= free:
                self.out.ground.append(words(x, -2, gap.length, "t-gap", anchor="middle"))
                free = x + half + 8

    # -- lanes -------------------------------------------------------------------------------------------------------

    def _addresses(self) -> None:
        for index, lane in enumerate(self.address_lanes):
            top = _TOP + _ADDRESS * index
            self.out.ground.append(words(0, top + 22, lane.title, "t-lane mono", title=lane.full))
            self.out.ground.append(words(0, top + 37, lane.sub, "t-sub"))
            marks = [m for m in self.axis.marks if any(step.address in lane.names for step in m.steps)]
            runs: list[list[Mark]] = []
            for mark in marks:
                if runs and runs[-1][-1].step.agent == mark.step.agent and not mark.step.inferred:
                    runs[-1].append(mark)
                else:
                    runs.append([mark])
            self._agents(runs, top)

    def _agents(self, runs: list[list[Mark]], top: float) -> None:
        y = top + 28
        for index, run in enumerate(runs):
            start, end = run[0].x - 10, run[-1].x + 10
            before = runs[index - 1][-1].x + 10 if index else None
            ids = _step_ids(self.prefix, tuple(n for mark in run for n in mark.numbers))
            self.out.edges.append(
                Markup('<rect x="{:g}" y="{:g}" width="{:g}" height="8" class="addr"{}/>').format(
                    start, y, end - start, data(ids)
                )
            )
            first = run[0].step
            if before is not None:
                kind = "edge inf" if first.inferred else "addrl"
                self.out.edges.append(
                    Markup('<path d="M{:g} {:g}H{:g}" class="{}"/>').format(before, y + 4, start, kind)
                )
            left = (runs[index - 1][-1].x + run[0].x) / 2 if index else start - 50
            right = (run[-1].x + runs[index + 1][0].x) / 2 if index + 1 < len(runs) else end + 60
            centre = (start + end) / 2
            room = 2 * min(centre - left, right - centre)
            if not index or runs[index - 1][0].step.agent != first.agent:
                self._agent_name(first.agent, centre, y - 6, room)
        for mark in (mark for run in runs for mark in run):
            inferred = [step for step in mark.steps if step.inferred]
            if inferred and not self._below(mark.step):
                lowest = f"{min(step.confidence for step in inferred):.2f}"
                self.out.notes.append(words(mark.x, y + 20, lowest, "t-conf", anchor="middle"))

    def _agent_name(self, agent: str, x: float, y: float, room: float) -> None:
        tokens = agent.split()
        for name in (tokens[0] if tokens else "", tokens[0].split("/")[0] if tokens else ""):
            if name and width(name) <= room:
                break
        fitting = clipped(name, int(room / 6.4)) if name else ""
        if len(fitting) > 2:
            self.out.notes.append(words(x, y, fitting, "t-agent", anchor="middle", title=agent))

    def _identities(self) -> None:
        for index, lane in enumerate(self.identity_lanes):
            top = self.identity_top + _IDENTITY * index
            self.out.ground.append(words(0, top + 32, lane.title, "t-lane mono", title=lane.full))
            self.out.ground.append(words(0, top + 47, lane.sub, "t-sub"))

    def _lane_top(self, identity: str) -> float | None:
        for index, lane in enumerate(self.identity_lanes):
            if identity in lane.names:
                return self.identity_top + _IDENTITY * index
        return None

    # -- objects -----------------------------------------------------------------------------------------------------

    def _objects(self) -> None:
        if not self.rows:
            return
        self.out.ground.append(words(0, self.object_top + 18, word("lane_objects"), "t-lane"))
        for index, row in enumerate(self.rows):
            y = self.row_y[index]
            self.out.ground.append(words(0, y - 2, row.title, "t-row", title=row.full))
            self.out.ground.append(words(0, y + 12, row.sub, "t-sub"))
            touched = [m.x for m in self.axis.marks if any(set(m.numbers) & steps for steps in row.touched.values())]
            if row.ghost:
                if touched:
                    ghost = Markup('<path d="M{:g} {:g}H{:g}" class="ghost"/>')
                    self.out.bars.append(ghost.format(min(touched) - 32, y, max(touched) + 32))
                continue
            if len(row.lives) > 1:
                self.out.bars.append(Markup('<path d="M{:g} {:g}H{:g}" class="thin"/>').format(LEFT, y, self.right))
                continue
            self._life(row.lives[0], y)

    def _life(self, life: ObjectLife, y: float) -> None:
        power = bool(life.grants) or life.role in ("cause", "backdoor")
        if not (power or life.created or life.created_step or life.deleted or life.deleted_step):
            self.out.bars.append(Markup('<path d="M{:g} {:g}H{:g}" class="thin"/>').format(LEFT, y, self.right))
            return
        start = self._x(life.created_step, life.created)
        end = self._x(life.deleted_step, life.deleted)
        kind = "life cause" if power else "life intr"
        if start is None:
            hatch = Markup('<rect x="{:g}" y="{:g}" width="16" height="12" fill="url(#{}hat)" class="{}"/>')
            self.out.bars.append(hatch.format(LEFT, y - 6, self.prefix, "h-cause" if power else "h-intr"))
        left, right = LEFT + 16 if start is None else start, self.right if end is None else end
        bar = Markup('<rect x="{:g}" y="{:g}" width="{:g}" height="12" class="{}"/>')
        self.out.bars.append(bar.format(left, y - 6, max(right - left, 2), kind))
        if end is None:
            self.out.notes.append(words(self.right, y - 10, word("still_there"), "t-note", anchor="end"))
        elif life.deleted_step:
            text = word("deleted_in", n=life.deleted_step)
            if end + 14 + width(text) <= self.right:
                self.out.notes.append(words(end + 14, y + 4, text, "t-note"))
        if life.grants:
            self._band(life, LEFT if start is None else start, right)

    def _x(self, step: int, time: str) -> float | None:
        mark = self.axis.of(step) if step else None
        return mark.x if mark else self.axis.at(time)

    def _band(self, life: ObjectLife, start: float, end: float) -> None:
        identity = identity_of(life.grants)
        top = self._lane_top(identity)
        if top is None:
            return
        band = Markup('<rect x="{:g}" y="{:g}" width="{:g}" height="62" class="band"/>')
        self.out.bands.append(band.format(start, top + 6, max(end - start, 2)))
        roles = [c.role for c in self.incident.root_causes if c.name == life.object.name and c.role]
        text = (
            word("holds", role=clipped(roles[0].split(" ", 1)[-1], 24))
            if roles
            else word("holds_rights", role=clipped(life.object.name, 28))
        )
        stops = [start - 16] + [m.x for m in self.axis.marks if m.step.identity == identity and start <= m.x <= end + 1]
        spans = [(b - a, (a + b) / 2) for a, b in zip(stops, [*stops[1:], end], strict=True)]
        room, centre = max(spans)
        if room >= width(text) + 44:
            self.out.notes.append(words(centre, top + 41, text, "t-band", anchor="middle"))

    # -- lines and marks ---------------------------------------------------------------------------------------------

    def _edges(self) -> None:
        for mark in self.axis.marks:
            if self._below(mark.step):
                continue
            ends: list[tuple[float, str, int]] = []
            for index, row in enumerate(self.rows):
                for manner, steps in row.touched.items():
                    count = len(set(mark.numbers) & steps)
                    if count:
                        many = sum(1 for life in row.lives if set(mark.numbers) & set(life.missing_steps))
                        kind = manner_of(mark, manner)
                        ends.append((self.row_y[index], kind, min(many, 4) if kind == "missing" else 1))
            top = self._lane_top(mark.step.identity)
            ids = _step_ids(self.prefix, mark.numbers)
            if top is None:
                continue
            if not ends:
                if mark.step.act == "refused":
                    stub = Markup('<path d="M{0:g} {1:g}v9m-9 0h18" class="edge ref"{2}/>')
                    self.out.edges.append(stub.format(mark.x, top + 70, data(ids)))
                continue
            refused = all(manner == "refused" for _, manner, _ in ends)
            lowest = max(y for y, _, _ in ends) - (9 if refused else 0)
            self.out.edges.append(
                Markup(
                    '<path d="M{0:g} {1:g}V{2:g}" class="halo"/><path d="M{0:g} {1:g}V{2:g}" class="edge{4}"{3}/>'
                ).format(mark.x, top + 70, lowest, data(ids), " ref" if refused else "")
            )
            for y, manner, many in ends:
                offset = -6.0 if manner == "create" else 0.0
                for k in range(many):
                    self.out.notes.append(cap(manner, mark.x - 12 * (k - (many - 1) / 2), y + offset, ids))

    def _effects(self) -> None:
        free, trunk, steps = LEFT, None, ""
        for mark in self.effects:
            text = word("folded_effects", n=sum(step.effect_events for step in mark.steps))
            wide = width(text) + 26
            x = min(max(mark.x + 22, free), self.right - wide)
            if x < free:
                continue
            created = [self.row_y[i] for i, r in enumerate(self.rows) if set(mark.numbers) & r.touched["create"]]
            start, ids = max(created, default=self.object_top), _step_ids(self.prefix, mark.numbers)
            y = self.pill_y
            self.out.edges.append(
                Markup('<path d="M{:g} {:g}V{:g}H{:g}" class="edge"{}/>').format(
                    mark.x + 10, start + 6, y, x, data(ids)
                )
            )
            told = "; ".join(
                effect.in_("en" if self.language == "en" else "zh") for s in mark.steps for effect in s.effects
            )
            pill = Markup(
                '<a href="#{0}s{1}"{2} class="foldl"><title>{3}</title>'
                '<rect x="{4:g}" y="{5:g}" width="{6:g}" height="22" rx="11" class="fold"/>{7}</a>'
            )
            self.out.notes.append(
                pill.format(
                    self.prefix,
                    mark.step.number,
                    data(ids),
                    one_line(told, 400),
                    x,
                    y - 11,
                    wide,
                    words(x + wide / 2, y + 4, text, "t-fold", anchor="middle"),
                )
            )
            free = x + wide + 10
            if trunk is None:
                trunk, steps = x + 46, ids
        self._nodes(trunk, steps)

    def _nodes(self, trunk: float | None, steps: str) -> None:
        rows = self._node_rows()
        if not rows:
            return
        top = self.node_top
        self.out.ground.append(words(0, top + 18, word("lane_reached"), "t-lane"))
        effects = [m for m in self.axis.marks if self._below(m.step)]
        hands = [m for m in self.axis.marks if any(reaches_node(step) for step in m.steps)]
        start = effects[0].x if effects else trunk or (hands[0].x if hands else None)
        ys = [top + 43 + _NODE * i for i in range(rows)]
        if start is not None:
            above = self.pill_y + 11 if trunk is not None else top
            if trunk is None and not effects:
                above = (self._lane_top(hands[0].step.identity) or top - 70) + 70
                steps = _step_ids(self.prefix, hands[0].numbers)
            self.out.edges.append(
                Markup('<path d="M{:g} {:g}V{:g}" class="{}"{}/>').format(
                    start, above, ys[-1], "edge inf" if effects and effects[0].step.inferred else "edge", data(steps)
                )
            )
        known = "life intr" if start is not None else "life intr unknown"
        bar = Markup('<rect x="{:g}" y="{:g}" width="{:g}" height="14" class="{}"{}/>')
        left = LEFT if start is None else start
        names = [("", name) for name in self.reached]
        if self.incident.pods:
            names.insert(0, ("pods", ""))
        for (kind, name), y in zip(names, ys, strict=False):
            if kind == "pods":
                self._pods(left, y, bar.format(left, y - 7, self.right - left, known, data(steps)))
                continue
            self.out.ground.append(words(0, y + 4, middle(name, 19), "t-row mono", title=name))
            self.out.ground.append(words(LEFT - 14, y + 4, word("node_reached"), "t-sub", anchor="end"))
            self.out.bars.append(bar.format(left, y - 7, self.right - left, known, data(steps)))
        more = len(self.incident.nodes) - len(self.reached)
        if more:
            self.out.ground.append(words(0, ys[-1] + 4, word("and_more", n=more), "t-sub"))
        lanes = {f"@{name}": y for (kind, name), y in zip(names, ys, strict=False) if kind != "pods"}
        for mark in effects:
            own = next((y for name, y in lanes.items() if mark.step.identity.endswith(name)), (ys[0] + ys[-1]) / 2)
            self._effect_mark(mark, own, first=mark is effects[0])

    def _pods(self, left: float, y: float, bar: Markup) -> None:
        pods = self.incident.pods
        self.out.ground.append(words(0, y + 4, word("pods_n", n=len(pods)), "t-row"))
        self.out.bars.append(bar)
        names = ", ".join(pod.name for pod in pods[:40])
        fitting = clipped(names, int((self.right - left - 50) / 6.9))
        self.out.notes.append(words(left + 34, y + 4, fitting, "t-pod", title=names))

    def _effect_mark(self, mark: Mark, y: float, *, first: bool) -> None:
        self.out.marks.append(self._link(mark, y))
        if not first:
            return
        lines: list[Text | str] = [
            clipped(mark.step.techniques[0].id, 12) if mark.step.techniques else "",
            word("act_effect"),
        ]
        if mark.step.inferred:
            lines.append(f"{mark.step.confidence:.2f}")
        for line, text in enumerate(line for line in lines if line):
            style = "t-conf" if line == 2 else "t-cap" if isinstance(text, Text) else "t-tech"
            self.out.notes.append(words(mark.x - 17, y - 3 + 14 * line, text, style, anchor="end"))

    def _marks(self) -> None:
        for mark in self.axis.marks:
            top = self._lane_top(mark.step.identity)
            if self._below(mark.step) or top is None:
                continue
            self.out.marks.append(self._link(mark, top + 37))
            lane = next(ln for ln in self.identity_lanes if mark.step.identity in ln.names)
            others = [
                m.x
                for m in self.axis.marks
                if m.step.identity in lane.names and m is not mark and not self._below(m.step)
            ]
            room = min([abs(mark.x - x) for x in others] + [150.0]) - 4
            techniques = [t.id for step in mark.steps for t in step.techniques]
            if techniques and room >= width(techniques[0], 11):
                self.out.notes.append(words(mark.x, top + 19, techniques[0], "t-tech", anchor="middle"))
            for caption in captions(mark):
                if width(caption) <= room:
                    self.out.notes.append(words(mark.x, top + 65, caption, "t-cap", anchor="middle"))
                    break

    def _link(self, mark: Mark, y: float) -> Markup:
        numbers = mark.numbers
        text = str(numbers[0]) if len(numbers) == 1 else f"{numbers[0]}–{numbers[-1]}"
        named = (
            word("step_n", n=numbers[0])
            if len(numbers) == 1
            else word("steps_range", first=numbers[0], last=numbers[-1])
        )
        told = Text(f"{named.en}: {mark.step.description.en}", f"{named.zh}：{mark.step.description.zh}")
        ids = _step_ids(self.prefix, numbers)
        act = mark.step.act
        anchors = Markup("").join(Markup('<g id="{}p{}"></g>').format(self.prefix, number) for number in numbers[1:])
        classes = f"mk {act}" + (" inferred" if mark.step.inferred else "")
        return anchors + Markup('<a href="#{0}s{1}" id="{0}p{1}"{2} class="{3}" {4}>{5}</a>').format(
            self.prefix,
            numbers[0],
            data(ids),
            classes,
            name_attributes(bounded(told), self.language),
            shape(act, mark.x, y, text, folded=len(numbers) > 1),
        )
