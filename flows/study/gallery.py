"""The gallery of studies: docs/studies with every figure, its command, claims, time and cost."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from flows.report.values import counted
from flows.study.results import StudyReport

_SCALE = """The models have some hundred thousand parameters and the problems are made by
programs, so absolute values mean nothing beyond here; what is compared is directions. Of each claim
stands what the paper found, what was measured in its place, and the result by the rule in the
study's design (flows/study/named), which was there before it. Brackets are 95% intervals over
seeds."""
_HEAD = f"""# Studies

The paper's experiments on the embedded tasks, each by one command. `restem study all --gallery
docs/studies` writes this page. {_SCALE}
All arms train for the same number of epochs, so an arm with fewer rows also takes fewer steps.

"""


def write_gallery(studies: list[StudyReport], folder: Path) -> Path:
    """Write figures and a page: README.md, or of one study a page of its own; where it is.

    Args:
        studies: In order.
        folder: Made if it is not there; figures and pages of the same names are replaced.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if len(studies) == 1:
        (one,) = studies
        head = f"`restem study {one.study} --gallery docs/studies` writes this page. {_SCALE}"
        lines = [f"# {one.title}", "", *_section(one, folder), "", head, "", *_tables(one)]
        page = folder / f"{one.study}.md"
    else:
        lines = [_HEAD + _summary(studies)]
        for one in studies:
            lines += [f"\n## {one.title}\n", *_section(one, folder)]
        page = folder / "README.md"
    page.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return page


def _section(one: StudyReport, folder: Path) -> list[str]:
    """Question, figures, claims, warnings and cost; writes the figures."""
    lines = [f"{one.question}\n"]
    for number, figure in enumerate(one.figures, start=1):
        name = f"{one.study}-{number}.svg"
        (folder / name).write_text(figure.svg, encoding="utf-8")
        lines.append(f"![{figure.title}]({name})")
    lines += ["", "| the paper | here | result |", "|---|---|---|"]
    lines += [f"| {claim.paper} | {claim.here} | {claim.sentence} |" for claim in one.claims]
    lines += ["", *(f"Warning: {text}.\n" for text in one.warnings)]
    return [*lines, f"`restem study {one.study} --seeds {one.seeds}` · {_cost(one)}"]


def _tables(one: StudyReport) -> list[str]:
    """What is compared, the numbers and what each arm changes."""
    lines = ["## Compared", "", *one.comparison, ""] if one.comparison else []
    lines += ["## Numbers", "", "In %.", "", *one.numbers, "", "## Arms", ""]
    lines += ["| arm | changes |", "|---|---|"]
    for arm, changes in one.arms.items():
        said = ", ".join(f"`{key} = {value}`" for key, value in changes.items())
        lines.append(f"| {arm} | {said or 'none'} |")
    return lines


def _summary(studies: list[StudyReport]) -> str:
    verdicts = Counter(claim.verdict for one in studies for claim in one.claims)
    asked = sum(one.account.samples.asked for one in studies)
    shared = sum(one.account.samples.shared for one in studies)
    return (
        f"Of {verdicts.total()} claims {verdicts['agrees']} agree, {verdicts['disagrees']} "
        f"disagree, and {verdicts['undecided']} are undecided at this scale. The studies' runs ask "
        f"for {asked:,.0f} samples. {100 * (1 - shared / max(asked, 1)):.0f}% of these were drawn "
        "for them; the others were there already, from another run of the studies."
    )


def _cost(one: StudyReport) -> str:
    samples, seconds = one.account.samples, one.account.seconds
    return (
        f"{counted(len(one.arms), 'arm')} × {counted(one.seeds, 'seed')}; by itself "
        f"{samples.asked:,.0f} samples and {seconds.asked:,.0f} s of work, of which "
        f"{samples.shared:,.0f} samples and {seconds.shared:,.0f} s were shared"
    )
