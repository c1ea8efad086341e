"""The prompts of BIG-Bench Hard: three exemplars a subject, each right, short and our own."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from datetime import date, timedelta
from pathlib import Path

import pytest

from tasks.problems.bbh import BBH_SUBJECTS
from tasks.problems.loading import load_split
from tasks.prompts import Exemplar, load_template
from tasks.score.text import ExactGrader
from tests.tasks.problems.bbh_solvers import MECHANICAL, geometric, letter, things

COT, DIRECT = load_template("bbh_cot"), load_template("bbh_direct")
EVERY = [
    pytest.param(subject, one, id=f"{subject}-{number}")
    for subject, part in COT.subjects.items()
    for number, one in enumerate(part.exemplars)
]
YES_NO = {"Yes", "No"}
# The answers of a subject, where they are not letters of options.
ANSWERS = {
    "boolean_expressions": {"True", "False"},
    "causal_judgement": YES_NO,
    "formal_fallacies": {"valid", "invalid"},
    "navigate": YES_NO,
    "sports_understanding": {"yes", "no"},
    "web_of_lies": YES_NO,
}
FREE = {"dyck_languages", "multistep_arithmetic_two", "object_counting", "word_sorting"}


def exemplars(subject: str) -> tuple[Exemplar, ...]:
    return COT.subjects[subject].exemplars


def test_every_subject_has_a_line_and_three_exemplars_and_both_forms_share_them() -> None:
    assert COT.subjects.keys() == DIRECT.subjects.keys() == set(BBH_SUBJECTS)
    for template in (COT, DIRECT):
        assert template.shots == 3 and not template.exemplars
        for part in template.subjects.values():
            assert len(part.exemplars) == 3
            assert re.fullmatch(r"[A-Z][^\n]+\.\n\n", part.preamble)
    assert COT.subjects == DIRECT.subjects


def test_the_forms_are_those_of_the_authors() -> None:
    preamble = COT.subjects["word_sorting"].preamble
    one = exemplars("word_sorting")[0]
    thought = "A: Let's think step by step.\n"
    assert COT.render("List: b a", 1, "word_sorting") == (
        f"{preamble}Q: {one.question}\n{thought}{one.solution} So the answer is brine cactus "
        f"mango.\n\nQ: List: b a\n{thought}"
    )
    assert DIRECT.render("List: b a", 1, "word_sorting") == (
        f"{preamble}Q: {one.question}\nA: brine cactus mango\n\nQ: List: b a\nA:"
    )


@pytest.mark.parametrize("template", [COT, DIRECT], ids=lambda template: template.name)
@pytest.mark.parametrize(("subject", "one"), EVERY)
def test_the_checker_takes_an_exemplar_cut_at_its_stop(template, subject, one) -> None:
    shown = template.render("next?", 3, subject)
    asked = template.query.replace("{question}", one.question)
    completion = shown.partition(asked)[2]
    cut = min(completion.find(stop) for stop in template.stop if stop in completion)
    ((grade, _),) = ExactGrader().grade([(one.answer, completion[:cut])])
    assert (grade.status, grade.extracted) == ("correct", one.answer)
    # The whole chain of thought is before the stop, and the answer is not given away in it.
    assert template is DIRECT or one.solution in completion[:cut]
    assert "answer is" not in one.solution


@pytest.mark.parametrize(("subject", "one"), EVERY)
def test_answers_have_the_form_of_the_targets(subject: str, one: Exemplar) -> None:
    if subject in ANSWERS:
        assert one.answer in ANSWERS[subject]
    elif subject not in FREE:
        assert f"\n{one.answer} " in one.question.partition("\nOptions:")[2]


def test_the_forms_of_the_targets_are_so_in_the_data(data: Path) -> None:
    targets = defaultdict(set)
    for row in load_split("bbh", "test", source=str(data)):
        targets[row["subject"]].add(row["reference"])
    for subject in BBH_SUBJECTS:
        if subject in ANSWERS:
            assert targets[subject] == ANSWERS[subject]
        elif subject not in FREE:
            # Three targets of the published set name the option's text.
            letters = [one for one in targets[subject] if re.fullmatch(r"\([A-R]\)", one)]
            assert len(letters) >= len(targets[subject]) - 2


def test_not_all_exemplars_of_a_subject_have_one_answer() -> None:
    for subject in BBH_SUBJECTS:
        assert len({one.answer for one in exemplars(subject)}) > 1, subject


@pytest.mark.parametrize(("subject", "one"), [p for p in EVERY if p.values[0] in MECHANICAL])
def test_mechanical_exemplars_are_right(subject: str, one: Exemplar) -> None:
    assert MECHANICAL[subject](one.question) == one.answer


@pytest.mark.slow
def test_the_solvers_are_right_on_the_data(data: Path) -> None:
    seen: Counter[str] = Counter()
    for row in load_split("bbh", "test", source=str(data)):
        if solve := MECHANICAL.get(row["subject"]):
            assert solve(row["question"]) == row["reference"], row["id"]
            seen[row["subject"]] += 1
    assert seen == dict.fromkeys(MECHANICAL, 250)


def test_dates() -> None:
    days = [
        date(2015, 4, 30) + timedelta(days=1),
        date(2012, 3, 2) + timedelta(days=3 - 1),
        date(2016, 2, 27) + timedelta(days=3 - 7),
    ]
    for one, day in zip(exemplars("date_understanding"), days, strict=True):
        assert letter(one.question, day.strftime("%m/%d/%Y").__eq__) == one.answer


def test_shapes() -> None:
    for one in exemplars("geometric_shapes"):
        assert geometric(one.question) == one.answer


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (0, {"lemons", "fig", "pears"}),
        (1, {"harp", "cellos", "banjo"}),
        (2, {"goose", "owls", "pony", "moths"}),
    ],
)
def test_counts(number: int, kind: set[str]) -> None:
    one = exemplars("object_counting")[number]
    counted = list(things(one.question.partition("How many")[0]))
    assert kind <= {what for _, what in counted}
    assert str(sum(count for count, what in counted if what in kind)) == one.answer


def test_penguins() -> None:
    tallest, older, weight = exemplars("penguins_in_a_table")
    rows = re.findall(r"([A-Z]\w+), (\d+), (\d+), (\d+)", older.question)
    assert [row[0] for row in rows] == ["Pip", "Olga", "Nils", "Ruth", "Tess"]
    table = {name: tuple(map(int, values)) for name, *values in rows}
    assert tallest.answer == letter(
        tallest.question, max(list(table)[:4], key=lambda name: table[name][1]).__eq__
    )
    count = sum(age > 4 for age, _, _ in table.values())
    assert older.answer == letter(older.question, str(count).__eq__)
    total = sum(table[name][2] for name in ("Pip", "Olga", "Nils"))
    assert weight.answer == letter(weight.question, str(total).__eq__)
    for one in (tallest, weight):
        assert re.findall(r"([A-Z]\w+), (\d+), (\d+), (\d+)", one.question) == rows[:4]
    facts = "the age of Pip is 4, the weight of Nils is 9 kg, the height of Olga is 75 cm"
    assert (table["Pip"][0], table["Nils"][2], table["Olga"][1]) == (4, 9, 75)
    assert all(facts in one.question for one in (tallest, older, weight))


def test_colored_objects() -> None:
    is_gold, next_to, left = exemplars("reasoning_about_colored_objects")
    seen = dict(what.split()[::-1] for _, what in things(is_gold.question.partition(". Is")[0]))
    assert seen["candle"] != "gold" and letter(is_gold.question, "no".__eq__) == is_gold.answer
    row = re.findall(r"a (\w+) (\w+)", next_to.question.partition(": ")[2].partition(".")[0])
    place = [what for _, what in row].index("stapler")
    assert letter(next_to.question, row[place + 1][0].__eq__) == next_to.answer
    found = [(count, *what.split()) for count, what in things(left.question.partition(". If")[0])]
    gold = sum(count for count, color, what in found if color == "gold" and "fan" not in what)
    assert letter(left.question, "five".__eq__) == left.answer and gold == 5


ORDER = ["opinion", "size", "age", "shape", "color", "origin", "material"]
ADJECTIVES = {
    **dict.fromkeys(["lovely"], "opinion"),
    **dict.fromkeys(["big"], "size"),
    **dict.fromkeys(["old", "new"], "age"),
    **dict.fromkeys(["square"], "shape"),
    **dict.fromkeys(["red"], "color"),
    **dict.fromkeys(["Greek", "Polish"], "origin"),
    **dict.fromkeys(["wooden", "plastic"], "material"),
}


def test_adjectives() -> None:
    def ordered(text: str) -> bool:
        places = [ORDER.index(ADJECTIVES[word]) for word in text.split()[:-1]]
        return places == sorted(places)

    for one in exemplars("hyperbaton"):
        assert letter(one.question, ordered) == one.answer


def pieces(text: str) -> list[str]:
    """Lines and sentences, options without their letters."""
    plain = re.sub(r"^\([A-R]\) ", "", text, flags=re.MULTILINE)
    return [one for one in re.split(r"(?<=[.?:!])\s+|\n", plain) if one.strip()]


@pytest.mark.slow
def test_no_exemplar_is_in_the_data(data: Path) -> None:
    """No run of 13 words, or the whole where it is shorter, apart from a task's fixed wording.

    Fixed wording are sentences and lines without figures that one in twenty of its rows has.
    """
    rows = list(load_split("bbh", "test", source=str(data)))
    assert not {one.question for p in COT.subjects.values() for one in p.exemplars} & {
        row["question"] for row in rows
    }
    sizes = Counter(row["subject"] for row in rows)
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        counts[row["subject"]].update(set(pieces(row["question"])))
    fixed = {
        subject: {
            one
            for one, count in found.items()
            if count * 20 >= sizes[subject] and not re.search(r"\d", one)
        }
        for subject, found in counts.items()
    }

    def words(text: str, subject: str, signs: bool) -> list[str]:
        own = " ".join(one for one in pieces(text) if one not in fixed[subject])
        return re.findall(r"\w+|[^\w\s]" if signs else r"\w+", own.lower())

    indices = {
        signs: "\n".join(
            f" {' '.join(words(row['question'], row['subject'], signs))} " for row in rows
        )
        for signs in (False, True)
    }
    for subject in BBH_SUBJECTS:
        for one in exemplars(subject):
            signs = len(words(one.question, subject, False)) < 13
            own = words(one.question, subject, signs)
            assert len(own) >= 3, one.question
            size = min(13, len(own))
            for start in range(len(own) - size + 1):
                run = " ".join(own[start : start + size])
                assert f" {run} " not in indices[signs], (subject, run)


def test_prompts_are_short() -> None:
    """Small models read them on a CPU; a thousand words are about two thousand tokens."""
    for subject in BBH_SUBJECTS:
        assert len(COT.render("", 3, subject).split()) < 1000, subject
