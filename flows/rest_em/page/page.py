"""A run's report as one self-contained HTML page and as a short markdown artifact.

Words and tiles: headline.py; sections: evaluation.py, preferences.py, training.py, fine_tunes.py,
samples.py; what they are made of: flows/report.
"""

from __future__ import annotations

from flows.report.page import (
    Page,
    bootstrap_footer,
    markdown_table,
    markdown_warnings,
    picture,
    plain,
    render_page,
)
from flows.report.panel import Panel
from flows.report.values import change_cell, pass_sizes, policy_title, scrub, share_cell
from flows.report.win_rates import win_rates_panel, win_rates_table
from flows.rest_em.page.diversity import diversity
from flows.rest_em.page.evaluation import (
    accuracy,
    accuracy_chart,
    all_metrics,
    by_base_success,
    by_level,
    gap,
    metric_names,
    pass_at_k_curves,
    transfer,
)
from flows.rest_em.page.fine_tunes import loss_curve, reward_curve
from flows.rest_em.page.headline import headline
from flows.rest_em.page.preferences import preference_sections
from flows.rest_em.page.reinforce import reinforce_sections
from flows.rest_em.page.samples import changes, endings, refused_samples
from flows.rest_em.page.spent import configuration, cost, time
from flows.rest_em.page.training import (
    acceptance_by_level,
    fates,
    filter_table,
)
from flows.rest_em.page.verified import verified
from flows.rest_em.page.votes import votes
from flows.rest_em.results import PolicyReport, RunReport
from tasks.evaluate.win_rate import WinRates

# Metrics in the short table, where they were measured.
_BRIEF = ("greedy", "train", "gap", "validation")


def render(report: RunReport) -> str:
    """The HTML page of a run."""
    # Models and data sets wrote much of it: nothing is used that was not cleaned.
    shown = scrub(report)
    found = headline(shown)
    return render_page(
        Page(
            title=f"{shown.name}: {found.title}",
            facts=[
                *(f"run {shown.run}", f"base policy {shown.base}"),
                *(f"{label} is commit {commit}" for label, commit in shown.commits.items()),
                "completed",
            ],
            headline=found.title,
            lead=found.lines,
            tiles=found.tiles,
            warnings=shown.warnings,
            panels=_sections(shown),
            footer=bootstrap_footer(shown.confidence),
        )
    )


def markdown(report: RunReport) -> str:
    """A short summary for a Prefect artifact: a line, a table, a picture, warnings."""
    shown = scrub(report)
    found = headline(shown)
    lines = [f"# {plain(found.title)}", "", f"Run `{plain(shown.run)}`, completed."]
    lines += [plain(text) for text in found.lines]
    names = _brief_names(shown)
    lines += ["", f"| policy | {' | '.join(names)} |", f"|---|{'---:|' * len(names)}"]
    for now in shown.iterations:
        cells = " | ".join(_cell(now, name) for name in names)
        lines.append(f"| {policy_title(now.iteration)} | {cells} |")
    if shown.win_rates:
        lines += ["", "Win rate over the base policy, in %.", ""]
        lines += markdown_table(win_rates_table(_won(shown)))
    if chart := picture(accuracy_chart(shown, standalone=True), "Accuracy over iterations"):
        lines += ["", chart]
    return "\n".join([*lines, *markdown_warnings(shown.warnings)]) + "\n"


def _sections(report: RunReport) -> list[Panel]:
    """The page's sections in their order."""
    every = report.iterations
    return [
        accuracy(report),
        gap(report),
        *([win_rates_panel(_won(report), "the base policy")] if report.win_rates else []),
        pass_at_k_curves(report),
        by_level(report),
        all_metrics(report),
        by_base_success(report),
        *([verified(report)] if any(now.verified for now in every) else []),
        *([diversity(report)] if any(now.diversity for now in every) else []),
        *([transfer(report)] if any(now.transfer for now in every) else []),
        *preference_sections(report),
        acceptance_by_level(report),
        fates(report),
        filter_table(report),
        *([votes(report)] if any(now.votes for now in every) else []),
        endings(report),
        loss_curve(report),
        reward_curve(report),
        *reinforce_sections(report),
        changes(report),
        refused_samples(report),
        time(report),
        cost(report),
        configuration(report),
    ]


def _won(report: RunReport) -> dict[str, WinRates]:
    """Win rates over the base by the title of the policy."""
    return {policy_title(number): one for number, one in report.win_rates.items()}


def _brief_names(report: RunReport) -> list[str]:
    """The brief metrics, then pass@1, the largest k and the largest vote."""
    found = metric_names(report)
    names = [name for name in _BRIEF if name in found]
    sizes = pass_sizes(found)
    names += [f"pass@{k}" for k in dict.fromkeys(sizes[:1] + sizes[-1:])]
    votes = [name for name in found if name.startswith("maj@")]
    return names + list(dict.fromkeys(votes[:1] + votes[-1:]))


def _cell(now: PolicyReport, name: str) -> str:
    cell = change_cell if name == "gap" else share_cell
    return cell(now.metrics.get(name))
