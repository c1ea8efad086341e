"""What a report says of a run that learned nothing or next to nothing: why, and what to try."""

from __future__ import annotations

from markupsafe import Markup

from flows.report.values import counted, percent
from flows.rest_em.results import PolicyReport, RunReport
from flows.runs.sample_filter import SampleFilter
from flows.runs.sample_link import samples_link
from tasks.dag.step_names import DRAW
from tasks.evaluate.intervals import Interval
from tasks.rows import Status

# Fewer training rows than these are said before any figure: whatever moves then is no learning.
FEW_ROWS = 10
# From here on a fine-tune has something to go by.
_SOME_ROWS = 100
_SELDOM, _SOLVED = 0.02, 0.95
# Points to either side below which a change of use would go unseen.
_WIDE = 0.05
_FAILED = "What rewards the samples failed on most of them, so nobody knows which are right. "
_PROGRAM = "Most programs do not run to their end: look at some, and at the prompt (model.prompt)."
_TRY: dict[str, str] = {
    Status.CHECKER_ERROR: _FAILED + "Warnings below have the first message.",
    Status.SANDBOX_ERROR: _FAILED + "restem doctor says whether the sandbox works here.",
    Status.ENGINE_ERROR: "Most prompts gave no sample: they are longer than the engine takes.",
    Status.NO_ANSWER: "Most samples have no answer in a form that the checker knows: say the form "
    "in the prompt (model.prompt), show it (model.shots), or leave room (sampling.max_tokens).",
    Status.COMPILE_ERROR: _PROGRAM,
    Status.RUNTIME_ERROR: _PROGRAM,
    Status.TIME_LIMIT: f"{_PROGRAM} The limit is execution.time_limit.",
    Status.MEMORY_LIMIT: f"{_PROGRAM} The limit is execution.memory_mb.",
}
_MORE = (
    "more samples a problem (sampling.samples), easier problems, or a base policy that solves some "
    "of them (model.base)"
)


def nothing_accepted(report: RunReport) -> tuple[str, list[str]]:
    """Title and sentences of a run whose base policy gave nothing to train on."""
    base, word = report.iterations[0], report.accepted
    counts = base.selection
    solved = f"The base policy solves {percent(base.greedy.value)} of the test problems"
    if counts is None:
        return solved, []
    said = [f"{solved}, greedy, and there is no other policy."]
    if counts.correct:
        found = counted(counts.correct, f"{word} sample")
        title = f"Nothing was learned: of {found} none was kept"
        dropped = {
            "cut at the limit (sampling.max_tokens)": counts.dropped_unfinished,
            "duplicates (filter.dedup)": counts.dropped_duplicate,
            "of problems solved too rarely or too often (filter.min_pass_rate, max_pass_rate)": (
                counts.dropped_band
            ),
            "overlapping the test set (filter.decontaminate_ngram)": counts.dropped_contaminated,
        }
        why = ", ".join(f"{count:,} {text}" for text, count in dropped.items() if count)
        return title, [*said, f"Dropped: {why}."] if why else said
    title = f"Nothing was learned: none of {counted(counts.samples, 'sample')} is {word}"
    return title, [*said, *_ended(base, report)]


def few_rows(now: PolicyReport) -> int:
    """How many rows a policy was trained on, where they are too few to learn from; else 0."""
    made = now.finetune
    return made.rows if made and made.rows < FEW_ROWS and not _draws(now) else 0


def why_no_gain(report: RunReport, now: PolicyReport, gain: Interval) -> list[str]:
    """What is known of why a policy is not better than the base, and what to try.

    Args:
        now: The best policy, or the last where none is better.
        gain: In greedy accuracy over the base.
    """
    base, made = report.iterations[0], now.finetune
    said: list[str] = []
    if base.greedy.value >= _SOLVED:
        said.append("the base policy solves nearly all: harder problems leave something to gain")
    counts = report.iterations[max(now.iteration - 1, 0)].selection
    if counts and counts.samples and counts.correct / counts.samples < _SELDOM:
        share = percent(counts.correct / counts.samples)
        said.append(f"only {share} of the samples are {report.accepted}: try {_MORE}")
    if made and 0 < made.rows < _SOME_ROWS and not _draws(now):
        rows = f"{counted(made.rows, 'training row')} {'is' if made.rows == 1 else 'are'} few"
        said.append(f"{rows}: try {_MORE}, or more training problems (data.train_limit)")
    before = base.metrics.get("validation")
    if made and made.best_reward is not None and before and made.best_reward <= before.value:
        said.append(
            f"no check of the fine-tune was better on validation problems than the base policy "
            f"({percent(before.value)}): try another finetune.learning_rate or finetune.epochs"
        )
    if gain.low <= 0 <= gain.high and gain.high - gain.low > 2 * _WIDE:
        said.append(
            f"with {counted(gain.problems, 'test problem')} smaller changes than "
            f"{100 * (gain.high - gain.low) / 2:.0f} points go unseen: try more (data.test_limit)"
        )
    return [f"Why that may be, and what to try: {'; '.join(said)}."] if said else []


def _draws(now: PolicyReport) -> bool:
    """Whether the fine-tune drew samples of its own, so that its rows are prompts alone."""
    return bool(
        now.finetune and any(one.sampled_reward is not None for one in now.finetune.history)
    )


def _ended(base: PolicyReport, report: RunReport) -> list[str]:
    """How the samples ended, and what to try where most ended so."""
    statuses = base.drawn.statuses if base.drawn else {}
    lower = "" if report.accepted == "correct" else ", or a lower filter.min_reward"
    most = f"Try {_MORE}{lower}."
    if not statuses:
        return [most]
    ranked = sorted(statuses.items(), key=lambda item: -item[1])
    ended = Markup(", ").join(
        Markup("{} {}").format(
            samples_link(report.run, SampleFilter(DRAW, base.iteration, status), f"{count:,}"),
            status.replace("_", " "),
        )
        for status, count in ranked[:4]
    )
    return [
        Markup("How they ended: {}. {} The command restem samples {} shows them.").format(
            ended, _TRY.get(ranked[0][0], most), report.run
        )
    ]
