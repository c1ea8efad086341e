"""Prompt templates: what is rendered, what is refused, and what the shipped ones hold."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tasks.errors import UserError
from tasks.prompts import TEMPLATES, load_template
from tasks.score.math.extract.answer import extract_answer
from tasks.score.math.grade import grade

GOOD = {
    "name": '"t"',
    "preamble": '"Solve.\\n"',
    "example": '"Q: {question}\\nA: {solution}\\n\\n"',
    "query": '"Q: {question}\\nA:"',
    "stop": '["\\n\\n"]',
    "exemplars": '[{question = "one?", solution = "1"}, {question = "two?", solution = "2"}]',
}
SHIPPED = sorted(path.stem for path in TEMPLATES.glob("*.toml"))
# The exemplars of templates with subjects are seen to in test_bbh_prompts.py.
WITH_EXEMPLARS = [name for name in SHIPPED if load_template(name).exemplars]
CHATS = {name for name in SHIPPED if load_template(name).form == "chat"}
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


def test_humaneval_is_asked_as_its_authors_ask_it():
    """The head alone, whatever the number of shots, and their five stop strings."""
    template = load_template("humaneval")
    head = 'def f(x):\n    """Add one."""'
    assert template.render(head, 5) == f"{head}\n"
    assert set(template.stop) == {"\nclass", "\ndef", "\n#", "\nif", "\nprint"}


def test_the_exemplar_of_the_exam_is_right():
    (one,) = load_template("hungarian").exemplars
    (width,) = (x for x in range(1, 113) if x * (x + 6) == 112)
    assert grade(str(2 * (width + width + 6)), one.solution).reward == 1.0


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


def test_templates_have_the_names_of_their_files():
    assert [load_template(name).name for name in SHIPPED] == SHIPPED
    assert {"gsm8k", "hungarian", "math"} <= set(WITH_EXEMPLARS)


@pytest.mark.parametrize("name", sorted({*WITH_EXEMPLARS} - CHATS))
def test_a_shipped_exemplar_is_what_a_completion_would_be(name):
    template = load_template(name)
    for one in template.exemplars:
        # Followed by the next example it must end exactly where the stop cuts it.
        shown = template.example.replace("{question}", "x").replace("{solution}", one.solution)
        query = template.query.replace("{question}", "x")
        assert shown.startswith(query)
        after = shown.removeprefix(query) + query
        places = [after.find(stop) for stop in template.stop if stop in after]
        # The body of a function is indented from its first line on.
        assert places and after[: min(places)].strip() == one.solution.strip()


def calculated(text: str) -> list[tuple[str, str]]:
    """Each `a * b = c` of plain numbers in a text, as (left side, right side)."""
    return re.findall(r"(\d[\d.]*(?: [-+*/] \d[\d.]*)+) = (\d+(?:\.\d+)?)", text)


@pytest.mark.parametrize("name", ["gsm8k", "svamp", "svamp_chat"])
def test_exemplars_calculate_right_and_end_with_what_they_calculated(name):
    for one in load_template(name).exemplars:
        steps = calculated(one.solution)
        assert steps
        for left, right in steps:
            assert eval(left) == pytest.approx(float(right)), one.question
        assert one.solution.endswith(f"The answer is {steps[-1][1]}.")
        assert extract_answer(one.solution) == steps[-1][1]


@pytest.mark.parametrize(
    ("number", "gold"), [(0, "11"), (1, "4"), (2, r"\frac{15}{28}"), (3, "37.5")]
)
def test_boxed_exemplars_pass_the_checker(number: int, gold: str):
    # Gold values worked out apart from the file: t in {1, 10}; 7^50 mod 5; 15 / 28; 6 * 2.5^2.
    solution = load_template("math").exemplars[number].solution
    assert grade(gold, solution).reward == 1.0


@pytest.mark.parametrize("name", WITH_EXEMPLARS)
def test_no_exemplar_is_a_problem_of_a_data_set(name, data):
    import gzip

    texts = [
        gzip.decompress(path.read_bytes()).decode()
        for path in sorted(data.glob("*.jsonl.gz"))
        if path.stem.startswith(("gsm8k", "svamp", "math", "apps", "humaneval"))
    ]
    assert texts
    for one in load_template(name).exemplars:
        start = json.dumps(one.question[:40])[1:-1]
        assert not any(start in text for text in texts)


# Program, what it reads or is called with, what comes of it; worked out apart from the files.
PROGRAMS = [
    ("apps", 0, "4 200\n90 80 70 120\n", "2"),
    ("apps", 0, "5 100\n100 40 60 1 99\n", "3"),
    ("apps", 1, "pepper\n", "10"),
    ("apps", 2, "warmer_days([3, 4, 4, 9, 1])", "2"),
    ("synthetic_code", 0, "2\n1\n", "7"),
    ("synthetic_code", 1, "1 2 3\n", "22 8"),
    ("synthetic_code", 2, "12\n", "144"),
]


@pytest.mark.parametrize(("name", "number", "given", "result"), PROGRAMS)
def test_the_exemplars_of_code_run_and_give_the_right_result(name, number, given, result):
    one = load_template(name).exemplars[number]
    program = one.solution
    if "(" in given:
        program += f"\nprint({given})"
    done = subprocess.run(
        [sys.executable, "-I", "-c", program], input=given, capture_output=True, text=True
    )
    assert (done.stdout.strip(), done.stderr) == (result, "")
