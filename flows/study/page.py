"""The page of a study: claims beside the paper's, figures, numbers, design, cost and command."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from flows.report.page import Page, picture, plain, render_page
from flows.report.part import Part, charts, tile
from flows.study.claims import Judged, judge
from flows.study.config import StudyConfig
from flows.study.design import Arm, Study
from flows.study.quantities import gain, of
from flows.study.results import Results
from flows.study.sharing import Account
from tasks.rows import Json

CLAIMS = ["the paper", "here", "result"]
# Columns of the table of numbers: metrics of an arm's last policy.
SHOWN = {
    "greedy": "greedy",
    "train": "train",
    "pass@1": "pass@1",
    "pass@8": "pass@8",
    "maj@8": "maj@8",
    "transfer": "transfer",
}
# Sizes at which pass@k is held against the base's.
CROSSING = (1, 2, 4, 8, 16, 32, 64)
FOOTER = (
    "Intervals are 95% intervals of Student's t over seeds, all tested on the same problems: they "
    "say how far a number would move with other samples and another order of training. Agreement "
    "is judged by the rule in the study's design: an interval on the claimed side of zero agrees, "
    "one on the other side disagrees, any other is undecided."
)


@dataclass(frozen=True)
class Finished:
    """A study that was run."""

    study: Study
    arms: Sequence[Arm]
    results: Results
    account: Account

    @cached_property
    def judged(self) -> list[Judged]:
        """What came of its claims, of those whose arms were run."""
        found = [judge(claim, self.results) for claim in self.study.claims]
        return [one for one in found if one.mean is not None]

    @cached_property
    def warnings(self) -> list[str]:
        """Where a pass@k of an arm's last policy lies below its base's, beyond chance."""
        found = []
        for arm in (arm.name for arm in self.arms):
            for k in CROSSING:
                change = self.results.mean(gain(arm, f"pass@{k}"))
                if change is not None and change.problems > 1 and change.high < 0:
                    found.append(
                        f"{arm}: pass@{k} of the last policy is below the base's: "
                        f"{100 * change.value:+.1f} points "
                        f"[{100 * change.low:+.1f}, {100 * change.high:+.1f}]"
                    )
        return found

    def to_json(self) -> Json:
        """What a gallery shows of it."""
        return {
            "study": self.study.name,
            "title": self.study.title,
            "question": self.study.question,
            "seeds": len(self.results.seeds),
            "arms": {arm.name: dict(arm.changes) for arm in self.arms},
            "claims": [
                {
                    "paper": one.claim.paper,
                    "here": one.claim.here,
                    "mean": one.mean and one.mean.to_json(),
                    "verdict": one.verdict,
                    "sentence": one.sentence,
                }
                for one in self.judged
            ],
            "warnings": self.warnings,
            "figures": [
                {"title": figure.title, "svg": figure.svg}
                for figure in (draw(self.results, True) for draw in self.study.figures)
                if figure.svg
            ],
            "account": self.account.to_json(),
        }


def words(one: Finished) -> list[str]:
    """A study in lines for the console."""
    lines = [f"{one.study.name}: {reuse(one.account)}"]
    for found in one.judged:
        lines += [f"  {found.claim.here}", f"    {found.sentence}"]
    return lines + [f"  warning: {text}" for text in one.warnings]


def reuse(account: Account) -> str:
    """How much of a study was made and how much was there."""
    samples, seconds = account.samples, account.seconds
    if not samples.asked:
        return "nothing was sampled"
    reused = 1 - samples.made / samples.asked
    return (
        f"{samples.made:,.0f} of {samples.asked:,.0f} samples drawn now, {100 * reused:.0f}% "
        f"reused ({samples.shared:,.0f} shared by its runs or studies before it, "
        f"{samples.found:,.0f} in the store); {seconds.made:,.0f} of {seconds.asked:,.0f} s of "
        f"work; {account.wall:.0f} s"
    )


def page(one: Finished, config: StudyConfig) -> str:
    """The HTML page of a study."""
    drawn = [draw(one.results, False) for draw in one.study.figures]
    figures = [Part(figure.title, charts=charts(figure.svg)) for figure in drawn if figure.svg]
    rows = [figures[i : i + 2] for i in range(0, len(figures), 2)]
    return render_page(
        Page(
            title=f"study {one.study.name}",
            facts=[f"study {one.study.name}", _seeds(len(one.results.seeds)), _command(one)],
            headline=one.study.title,
            lead=[one.study.question],
            tiles=_tiles(one),
            warnings=one.warnings,
            rows=[
                [Part("The paper's claims", table=_claims_table(one), kind="prose")],
                *rows,
                [_numbers(one)],
                [_design(one, config)],
                [Part("Cost", note=reuse(one.account))],
            ],
            footer=FOOTER,
        )
    )


@dataclass(frozen=True)
class Overview:
    """All studies of an invocation on one page."""

    html: str
    markdown: str


def overview(done: Sequence[Finished], config: StudyConfig) -> Overview:
    """The page of an invocation: each study's claims and first figure."""
    if len(done) == 1:
        return Overview(page(done[0], config), _markdown(done))
    parts = []
    for one in done:
        drawn = [draw(one.results, False).svg for draw in one.study.figures[:1]]
        note = f"{one.study.question} Details: {one.study.name}.html. {reuse(one.account)}."
        parts.append(
            [
                Part(
                    one.study.title,
                    note=note,
                    charts=charts(*drawn),
                    table=_claims_table(one),
                    kind="prose",
                )
            ]
        )
    html = render_page(
        Page(
            title="studies",
            facts=[config.run_id, _seeds(config.seeds)],
            headline="The paper's experiments",
            rows=parts,
            footer=FOOTER,
        )
    )
    return Overview(html, _markdown(done))


def _markdown(done: Sequence[Finished]) -> str:
    """What Prefect's UI shows."""
    lines = []
    for one in done:
        lines += [f"## {plain(one.study.title)}", "", plain(one.study.question), ""]
        lines += [f"| {' | '.join(CLAIMS)} |", "|---|---|---|"]
        lines += [f"| {' | '.join(plain(cell) for cell in row)} |" for row in _claims(one)]
        drawn = [draw(one.results, True) for draw in one.study.figures[:1]]
        lines += ["", *(picture(f.svg, f.title) for f in drawn), "", plain(reuse(one.account)), ""]
    return "\n".join(lines)


def _claims_table(one: Finished) -> Json:
    return {"head": CLAIMS, "rows": _claims(one)}


def _claims(one: Finished) -> list[list[str]]:
    return [[found.claim.paper, found.claim.here, found.sentence] for found in one.judged]


def _numbers(one: Finished) -> Part:
    """Metrics of the last policy of each arm, and of the base, which arms share."""
    rows = []
    for arm in one.arms:
        cells = [_cell(one.results, arm.name, metric) for metric in SHOWN]
        rows.append([arm.name, str(one.results.policies(arm.name) - 1), *cells])
    return Part(
        "Numbers",
        note="Accuracy in % of each arm's last policy, with intervals over seeds.",
        table={"head": ["arm", "iterations", *SHOWN.values()], "rows": rows},
    )


def _cell(results: Results, arm: str, metric: str) -> str:
    mean = results.mean(of(arm, metric))
    if mean is None:
        return ""
    return f"{100 * mean.value:.1f} [{100 * mean.low:.1f}, {100 * mean.high:.1f}]"


def _design(one: Finished, config: StudyConfig) -> Part:
    rows = []
    for arm in one.arms:
        base = config.bases.math if arm.task == "math" else config.bases.code
        changes = ", ".join(f"{key} = {value}" for key, value in arm.changes.items())
        rows.append([arm.name, base.name, changes or "as it is"])
    return Part(
        "Design",
        kind="prose",
        note="Each arm is a configuration and what is changed in it; the seed goes from 1 up.",
        table={"head": ["arm", "configuration", "changes"], "rows": rows},
    )


def _tiles(one: Finished) -> list[Json]:
    """How many claims came out which way."""
    verdicts = Counter(found.verdict for found in one.judged)
    words = {
        "agrees": ("of the paper's claims agree here", "up"),
        "disagrees": ("disagree", "down"),
        "undecided": ("are undecided at this scale", ""),
    }
    return [tile(str(verdicts[name]), text, tone) for name, (text, tone) in words.items()]


def _seeds(count: int) -> str:
    return f"{count} seed{'s' if count > 1 else ''}"


def _command(one: Finished) -> str:
    return f"restem study {one.study.name} --seeds {len(one.results.seeds)}"
