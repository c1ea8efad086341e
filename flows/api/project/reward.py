"""The reward of this project: `filter.score = "reward.py:shows_steps"` in restem.toml.

A function asks for what it needs by the names of its arguments: question, reference, completion,
grade (of the checker), samples (all completions of the problem). It returns a number in [0, 1].
After a change, `restem run restem.toml` scores and selects again, and samples nothing.
"""


def shows_steps(question: str, completion: str, grade) -> float:
    """1 for a right answer with a line of work for each change, 0.5 for one without, else 0.

    "Ann has 23 caps, finds 4, sells 3." has two changes: `23+4=27, 27-3=24 #### 24`.
    """
    changes = question.count(",")
    return grade.reward * (1.0 if completion.count("=") >= changes else 0.5)
