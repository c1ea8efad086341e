"""Prompt templates: what is rendered, what is refused, and what their digest tells."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.errors import UserError
from tasks.prompts import load_template

GOOD = {
    "name": '"t"',
    "preamble": '"Solve.\\n"',
    "example": '"Q: {question}\\nA: {solution}\\n\\n"',
    "query": '"Q: {question}\\nA:"',
    "stop": '["\\n\\n"]',
    "exemplars": '[{question = "one?", solution = "1"}, {question = "two?", solution = "2"}]',
}
SUBJECTS = """
[subjects.sums]
preamble = "Add."
exemplars = [{question = "1+1?", solution = "{question} two", answer = "2"}]
[subjects.words]
[[subjects.words.exemplars]]
question = "a?"
solution = "s"
answer = "b"
[[subjects.words.exemplars]]
question = "c?"
solution = "t"
answer = "d"
[subjects.rest]
"""


def written(folder: Path, **changes: str) -> str:
    fields = {**GOOD, **changes}
    path = folder / "t.toml"
    path.write_text("\n".join(f"{key} = {value}" for key, value in fields.items() if value))
    return str(path)


def test_rendering_puts_exemplars_before_the_question_and_keeps_its_braces(tmp_path):
    template = load_template(written(tmp_path))
    question = "what is {question} of {solution} in {0}?"
    assert template.render(question, 1) == f"Solve.\nQ: one?\nA: 1\n\nQ: {question}\nA:"
    assert template.render("x", 0) == "Solve.\nQ: x\nA:"
    assert template.render("x", 9).count("Q:") == 3


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("query", "", "query: expected a text"),
        ("query", '"no mark"', r"query: expected a text with \{question\}"),
        ("stop", '"\\n"', "stop: expected a list"),
        ("stop", '[""]', "stop: expected a list"),
        ("example", '"{question} alone"', "example: expected a text with"),
        ("exemplars", '[{question = "one?"}]', "exemplars, number 1: solution"),
        ("shots", "3", "shots: expected no such field"),
        ("name", "[", "not TOML"),
    ],
)
def test_a_bad_field_is_named_with_its_file(tmp_path, field, value, expected):
    with pytest.raises(UserError, match=expected) as caught:
        load_template(written(tmp_path, **{field: value}))
    assert "t.toml" in str(caught.value)
    assert "\n" not in str(caught.value)


def by_subject(folder: Path, more: str = SUBJECTS, **changes: str) -> str:
    form = {"example": '"Q: {question} A: {answer} S: {solution}\\n"', "exemplars": ""}
    path = Path(written(folder, **{**form, **changes}))
    path.write_text(f"{path.read_text()}\n{more}")
    return str(path)


def test_a_subject_has_its_own_part_and_for_the_rest_the_templates(tmp_path):
    own = '[{question = "x?", solution = "y", answer = "z"}]'
    template = load_template(by_subject(tmp_path, exemplars=own))
    end = "Q: new\nA:"
    assert template.render("new", 3, "sums") == f"Add.Q: 1+1? A: 2 S: {{question}} two\n{end}"
    assert template.render("new", 1, "words") == f"Solve.\nQ: a? A: b S: s\n{end}"
    assert template.render("new", 3, "rest") == f"Solve.\nQ: x? A: z S: y\n{end}"
    assert template.render("new", 0, "sums") == f"Add.{end}"
    assert template.shots == 2


CHAT = """
name = "t"
form = "chat"
system = "Solve."
query = "Solve {question}"
example = "{solution} so {answer}"
exemplars = [{question = "one?", solution = "it is", answer = "1"}]
[subjects.sums]
system = "Add."
[subjects.words]
exemplars = []
"""


def chat_file(folder: Path, old: str = "", new: str = "") -> str:
    assert old in CHAT
    path = folder / "t.toml"
    path.write_text(CHAT.replace(old, new))
    return str(path)


def test_a_chat_is_a_system_text_exemplars_as_turns_and_the_question(tmp_path):
    template = load_template(chat_file(tmp_path))
    assert template.messages("{answer}?", 1, "sums") == [
        {"role": "system", "content": "Add."},
        {"role": "user", "content": "Solve one?"},
        {"role": "assistant", "content": "it is so 1"},
        {"role": "user", "content": "Solve {answer}?"},
    ]
    assert [one["content"] for one in template.messages("x", 1, "words")] == ["Solve.", "Solve x"]
    assert (template.shots, template.stop) == (1, ())


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('"chat"', '"talk"', "form: expected text or chat"),
        ('"Solve."', "1", "system: expected a text"),
        ("system =", "preamble =", "preamble: expected no such field"),
        ('"{solution} so {answer}"', '"{question}"', r"example: expected a text with \{solution\}"),
        ('"Solve."', '"Solve."\nthinking = "no"', "thinking: expected default, on or off"),
        ('"Add."', "1", r"subjects\.sums\.system: expected a text"),
        (
            "[subjects.words]",
            '[subjects.words]\nquery = ""',
            r"subjects\.words\.query: expected no",
        ),
    ],
)
def test_a_bad_field_of_a_chat_is_named_with_its_file(tmp_path, old, new, expected):
    with pytest.raises(UserError, match=expected) as caught:
        load_template(chat_file(tmp_path, old, new))
    assert "t.toml" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"Solve."', '"Do."'),
        ('"Solve."', '"Solve."\nthinking = "on"'),
        ("one?", "two?"),
        ("so {", "thus {"),
        ("Add.", "Plus."),
    ],
)
def test_the_digest_tells_every_change_of_a_chat(tmp_path, old, new):
    first = load_template(chat_file(tmp_path)).digest
    assert load_template(chat_file(tmp_path, old, new)).digest != first


def test_a_template_without_subjects_is_the_same_for_every_subject(tmp_path):
    template = load_template(written(tmp_path))
    assert template.render("x", 1, "algebra") == template.render("x", 1)
    assert template.shots == 2


@pytest.mark.parametrize("subject", ["", "algebra"])
def test_a_subject_that_a_template_lacks_is_named(tmp_path, subject):
    template = load_template(by_subject(tmp_path))
    with pytest.raises(UserError, match=f"'t' has nothing for the subject '{subject}'; expected "):
        template.render("x", 1, subject)


def test_a_template_takes_the_subjects_of_another(tmp_path):
    (tmp_path / "other").mkdir()
    other = Path(by_subject(tmp_path / "other")).rename(tmp_path / "other.toml")
    form = {"example": '"{question} {answer}\\n"', "exemplars": ""}
    path = written(tmp_path, **form, subjects_from='"other"')
    template = load_template(path)
    assert template.render("x", 1, "words") == "Solve.\na? b\nQ: x\nA:"
    # What this form does not show changes no prompt of it, and what it shows does.
    other.write_text(other.read_text().replace('solution = "t"', 'solution = "u"'))
    assert load_template(path).digest == template.digest
    other.write_text(other.read_text().replace('answer = "d"', 'answer = "e"'))
    assert load_template(path).digest != template.digest


@pytest.mark.parametrize(
    ("more", "changes", "expected"),
    [
        ("[subjects.a]\nshots = 1", {}, r"subjects\.a\.shots: expected no such field"),
        ("[subjects.a]\npreamble = 1", {}, r"subjects\.a\.preamble: expected a text"),
        ("[subjects.a]\nexemplars = 1", {}, r"subjects\.a\.exemplars: expected tables"),
        (
            '[[subjects.a.exemplars]]\nquestion = "q"\nsolution = "s"',
            {},
            r"subjects\.a\.exemplars, number 1: answer: expected a text",
        ),
        (SUBJECTS, {"example": '"{question}"'}, "example: expected a text with"),
        ("[subjects]\na = 1", {}, r"subjects\.a: expected a table"),
        ("", {"subjects": "1"}, "subjects: expected tables"),
        ("", {"subjects_from": '"nothing"'}, "subjects_from: expected a template beside this one"),
        ("", {"subjects_from": '"t"'}, "subjects: expected tables, as another template"),
        (SUBJECTS, {"subjects_from": '"t"'}, "subjects: expected no such field beside"),
    ],
)
def test_a_bad_subject_is_named_with_its_file(tmp_path, more, changes, expected):
    with pytest.raises(UserError, match=expected) as caught:
        load_template(by_subject(tmp_path, more, **changes))
    assert "t.toml" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Add.", "Add it."),
        ("1+1?", "1+2?"),
        ("{question} two", "two"),
        ('answer = "d"', 'answer = "e"'),
        ("subjects.sums", "subjects.plus"),
        ("[subjects.rest]", ""),
    ],
)
def test_the_digest_tells_every_change_of_a_subject(tmp_path, old, new):
    first = load_template(by_subject(tmp_path)).digest
    assert load_template(by_subject(tmp_path)).digest == first
    assert SUBJECTS.count(old) == 1
    assert load_template(by_subject(tmp_path, SUBJECTS.replace(old, new))).digest != first


@pytest.mark.parametrize("field", ["preamble", "example", "query", "stop", "exemplars"])
def test_the_digest_tells_every_change_that_can_reach_a_sample(tmp_path, field):
    changed = {
        "preamble": '"Solve it.\\n"',
        "example": '"Q: {question}\\nA:{solution}\\n\\n"',
        "query": '"Question: {question}\\nA:"',
        "stop": '["\\n"]',
        "exemplars": '[{question = "one?", solution = "1"}]',
    }
    first = load_template(written(tmp_path)).digest
    assert load_template(written(tmp_path)).digest == first
    assert load_template(written(tmp_path, **{field: changed[field]})).digest != first
