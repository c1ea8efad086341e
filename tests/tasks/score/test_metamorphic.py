"""What never changes a verdict, and what always does, whatever the answer."""

from hypothesis import given
from hypothesis import strategies as st

from tasks.rows import Status
from tasks.score.math.decide import decide

integers = st.integers(-999, 9999)
values = st.one_of(
    integers.map(str),
    st.fractions(min_value=-50, max_value=50, max_denominator=60)
    .filter(lambda f: f.denominator > 1)
    .map(lambda f: rf"{'-' if f < 0 else ''}\frac{{{abs(f.numerator)}}}{{{f.denominator}}}"),
    st.builds(r"{}\sqrt{{{}}}".format, st.integers(2, 99), st.sampled_from([2, 3, 5, 7])),
    st.builds("({}, {})".format, integers, integers),
    st.builds(r"[{}, \infty)".format, integers),
)
letters = st.sampled_from("ABCDE")

wrappers = st.sampled_from(
    [
        "{}", "${}$", r"\({}\)", r"\boxed{{{}}}", r"so $\boxed{{{}}}$.", "#### {}", "**{}**",
        "<answer>{}</answer>", "<think>No, 3 or 4?</think>\n\\boxed{{{}}}",
        "Work: 1 + 1 = 2.\n\n#### {}\n\nQuestion: And 3 + 4?\n#### 7",
        r"First \boxed{{17}}. No: the final answer is ${}$.",
        "<|begin_of_box|>{}<|end_of_box|>", "Proof.\nHence the answer is ${}$.\n\n□",
        "| x | y |\n|---|---|\n| total | ${}$ |",
    ]
)  # fmt: skip
phrases = st.sampled_from(
    [
        "The answer is ${}$.", "Final answer: ${}$", "答案是 ${}$。", "答案：${}$",
        "答えは ${}$ です。", "最终答案：${}$", "따라서 답은 ${}$입니다.",
        "Правильный ответ — ${}$.",
        "Die Lösung ist ${}$.", "Das Ergebnis ist ${}$.", "La respuesta final es ${}$.",
        "الإجابة النهائية هي ${}$", "Cevap: ${}$", "Odpowiedź: ${}$", "Đáp án: ${}$",
        "정답: ${}$", "Ответ: ${}$.", "Die Antwort ist ${}$.", "La réponse est ${}$.",
        "La respuesta es ${}$.", "A resposta é ${}$.", "La risposta è ${}$.", "【答案】${}$",
        "Câu trả lời là ${}$.", "Відповідь: ${}$", "Vastaus: ${}$", "คำตอบคือ ${}$", "Svar: ${}$",
    ]
)  # fmt: skip
choices = st.sampled_from(
    [
        "({})", "{}", "Option {}", "The answer is ({}).", r"\boxed{{\text{{({})}}}}", "故选：{}。",
        "I think it is {}.", "The correct option is {}) 42", "Answer: {}", "【答案】 {}",
        "{} is correct",
    ]
)  # fmt: skip


def correct(gold: str, prediction: str) -> bool:
    grade = decide(gold, prediction)
    assert grade is not None
    return grade.status is Status.CORRECT


@given(values, wrappers)
def test_what_is_around_an_answer_changes_nothing(value, wrapper):
    assert correct(value, wrapper.format(value))


@given(values, phrases)
def test_the_language_of_the_phrase_changes_nothing(value, phrase):
    assert correct(value, phrase.format(value))


@given(values, values, phrases)
def test_nor_does_it_make_another_answer_correct(value, other, phrase):
    if decide(value, other).status is not Status.CORRECT:
        assert not correct(value, phrase.format(other))


@given(st.lists(integers, min_size=2, max_size=5, unique=True), st.randoms(use_true_random=False))
def test_the_order_of_solutions_changes_nothing(solutions, random):
    other = random.sample(solutions, len(solutions))
    joined = random.choice([", ", " or ", " and "]).join(map(str, other))
    assert correct(", ".join(map(str, solutions)), joined)


@given(letters, choices)
def test_a_choice_is_its_letter_however_it_is_named(letter, form):
    assert correct(letter, form.format(letter))


@given(letters, letters, st.sampled_from(["({}) or ({})", "{} or {}", "({}), ({})", "{} and {}"]))
def test_two_choices_are_no_choice(letter, other, form):
    if letter != other:
        assert not correct(letter, form.format(letter, other))
        assert not correct(letter, rf"\boxed{{{form.format(other, letter)}}}")


@given(letters, letters)
def test_a_choice_that_is_denied_is_not_chosen(letter, other):
    if letter != other:
        assert correct(letter, f"{letter}, not {other}")
        assert not correct(other, f"{letter}, not {other}")
        assert not correct(letter, f"({letter}) is wrong, so ({other})")


respellings = st.sampled_from(
    [
        (r"\frac", r"\dfrac"), (r"\frac", r"\tfrac"), (r"\sqrt", r"\sqrt "), ("(", r"\left("),
        (", ", ","), (", ", r",\;"), ("-", "\u2212"), (", \\infty", ", +\\infty"), ("{", "{ "),
        (r"\infty)", r"\infty\right)"), (r"\sqrt{2}", r"\sqrt2"),
    ]
)  # fmt: skip


@given(values, respellings, respellings)
def test_respelling_changes_nothing(value, one, other):
    assert correct(value, value.replace(*one).replace(*other))
    assert correct(value.replace(*one), value.replace(*other))


@given(
    st.lists(st.integers(-99, 99), min_size=4, max_size=4, unique=True).map(sorted),
    st.booleans(),
)
def test_the_order_of_a_union_changes_nothing(ends, points):
    a, b, c, d = ends
    parts = [f"({a},{b})", rf"\{{{d}\}}" if points else f"[{c},{d}]"]
    assert correct(r"\cup".join(parts), r"$" + r" \cup ".join(reversed(parts)) + "$")
    assert not correct(r"\cup".join(parts), parts[0])


@given(
    integers,
    integers,
    st.sampled_from(
        [
            "{} or {}", "either {} or {}", "{}, or {} if zero counts", "{} (or maybe {})",
            "between {} and {}", "{} and {}", "{}; {}", "not {} but {}", "{} = {}",
            "{} oder {}", "{} ou {}", "{}或{}", "{} или {}", "{} または {}",
        ]
    ),
    st.sampled_from(["{}", "The answer is {}.", r"\boxed{{{}}}", "答案是{}", "Ответ: {}"]),
)  # fmt: skip
def test_a_contradicting_option_always_makes_it_wrong(number, other, words, around):
    if number != other:
        assert not correct(str(number), around.format(words.format(number, other)))


@given(values, values, st.sampled_from([" or ", ", or ", r" \text{ or } "]))
def test_a_second_answer_beside_the_right_one_is_wrong(value, other, joint):
    if decide(value, other).status is not Status.CORRECT:
        assert not correct(value, rf"\boxed{{{value}{joint}{other}}}")
        assert not correct(value, rf"\boxed{{{other}{joint}{value}}}")


@given(
    st.integers(2, 999),
    st.sampled_from(
        [
            "at least {}", "at most {}", "more than {}", "about {}", "twice {}", "half of {}",
            "negative {}", "minus {}", "{} or more", "{} squared", "{} dozen", "{} quarters",
            "{} times larger", "divisible by {}", "step {}", "the square root of {}",
            "all real numbers except {}", "{} hundredths", "no more than {}", "{} is impossible",
            "at the most {}", "greater than or equal to {}", "within {}", "cannot be {}",
            "everything but {}", "mindestens {}", "höchstens {}", "etwa {}", "au moins {}",
            "environ {}", "al menos {}", "como máximo {}", "не менее {}", "около {}", "至少{}",
            "约{}", "不超过{}", "{}以上", "少なくとも{}", "최소 {}", "{}倍",
        ]
    ),
    st.sampled_from(["{}", "The answer is {}.", r"\boxed{{\text{{{}}}}}", "So we get {}."]),
)  # fmt: skip
def test_words_that_change_a_number_change_the_answer(number, words, around):
    assert not correct(str(number), around.format(words.format(number)))


@given(
    st.integers(2, 999),
    st.sampled_from(["{} apples", "{} dollars", "exactly {}", "{} cm", "${}", "a total of {}"]),
    st.sampled_from(["{}", "The answer is {}.", "She has {}."]),
)
def test_units_nouns_and_fillers_do_not(number, words, around):
    assert correct(str(number), around.format(words.format(number)))


_UNITS = [
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen",
    "nineteen",
]  # fmt: skip
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]


def in_words(number: int) -> str:
    if number < 20:
        return _UNITS[number]
    if number < 100:
        rest = f"-{_UNITS[number % 10]}" if number % 10 else ""
        return _TENS[number // 10 - 2] + rest
    for size, name in ((10**6, "million"), (1000, "thousand"), (100, "hundred")):
        if number >= size:
            rest = f" {in_words(number % size)}" if number % size else ""
            return f"{in_words(number // size)} {name}{rest}"
    raise AssertionError(number)


@given(
    st.integers(0, 9_999_999),
    st.sampled_from(["{}", "The answer is {}.", r"\boxed{{\text{{{}}}}}"]),
)
def test_numbers_in_words_are_numbers(number, around):
    assert correct(str(number), around.format(in_words(number)))
    assert not correct(str(number + 1), around.format(in_words(number)))


DOUBTED = st.sampled_from(
    [
        "It could be ${}$.", "It might be ${}$.", "I doubt it is ${}$", "It was not ${}$.",
        "${}$, which is wrong", "${}$, which contradicts the assumption.", "площадь не равна ${}$",
        "答案不是${}$", "约为${}$", "x = 1000001 (x = {} is rejected)", "1000001, not ${}$",
        "1000001 or ${}$", "(1) ${}$\n(2) $1000001$", "The statement ${}$ is false", "one of ${}$",
        "The answer is at least ${}$.", "1000001, or ${}$ if you count twice",
    ]
)  # fmt: skip
SAID = st.sampled_from(
    [
        "It was ${}$.", "The answer is ${}$, which we verified above.", "${}$ (as required)",
        "x = {} (x = 1000001 is rejected)", "So it must be ${}$, not $1000001$.",
        "The answer is ${}$.\n\nCheck: $1 + 1 = 2$.", "所以值为${}$", "Площадь равна ${}$.",
    ]
)  # fmt: skip


@given(values, DOUBTED)
def test_what_is_doubted_or_denied_is_no_answer(value, form):
    assert not correct(value, form.format(value))


@given(values, SAID)
def test_what_is_said_around_a_value_changes_nothing(value, form):
    assert correct(value, form.format(value))
