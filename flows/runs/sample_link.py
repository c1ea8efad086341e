"""Counts of samples that lead to the samples, where a station serves the report.

The report's script makes links of them there (flows/report/assets/tips.js). In a file that somebody
opens there is no link: the count has the command as its title.
"""

from __future__ import annotations

from markupsafe import Markup

from flows.runs.sample_filter import SampleFilter


def samples_address(asked: SampleFilter) -> str:
    """Where samples are, from the report's own place."""
    return f"samples?{asked.query}"


def samples_link(run: str, asked: SampleFilter, shown: str) -> Markup:
    """A count as a page shows it.

    Args:
        run: Id of the run.
        asked: The samples that are counted.
        shown: The count, in words.
    """
    link = Markup('<a data-samples="{}" title="{}">{}</a>')
    return link.format(samples_address(asked), asked.command(run), shown)
