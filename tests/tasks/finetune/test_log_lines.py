"""What a trainer's log says of a fine-tune is what a page reads from it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tasks.finetune.log_lines import log_line, read_log
from tasks.finetune.results import HistoryEntry

LABELS = st.sampled_from(["finetune 1", "finetune 2 step 1", "fit: 3: step 1 of 2: loss 0.5"])
VALUES = st.floats(allow_nan=False)


@st.composite
def histories(draw: st.DrawFn) -> list[HistoryEntry]:
    """A loss for each step, and a reward after some."""
    found = []
    for step in range(1, draw(st.integers(1, 6))):
        found.append(HistoryEntry(step, loss=draw(VALUES)))
        if draw(st.booleans()):
            found.append(HistoryEntry(step, reward=draw(VALUES)))
    return found


@given(LABELS, histories(), st.lists(st.text(), max_size=3))
def test_entries_are_read_as_they_were_written(
    label: str, history: list[HistoryEntry], others: list[str]
) -> None:
    written = [log_line(label, 9, one) for one in history]
    noise = [f"a library says {text!r}" for text in others]
    assert read_log([*noise, *written, *noise]).get(label, []) == history


@given(histories(), st.data())
def test_what_went_on_from_a_checkpoint_is_read_once(
    history: list[HistoryEntry], data: st.DataObject
) -> None:
    killed = data.draw(st.integers(0, len(history)))
    resumed = data.draw(st.integers(0, killed))
    lines = [log_line("finetune 1", 9, one) for one in (*history[:killed], *history[resumed:])]
    assert read_log(lines).get("finetune 1", []) == history
    assert read_log(["finetune 1: step 3 of 9: loss none", "finetune 1: step 3"]) == {}
