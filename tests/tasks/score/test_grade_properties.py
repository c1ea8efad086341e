"""What must hold for every answer: symmetry, reflexivity, spelling that says nothing, numbers."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from tasks.rows import Status
from tasks.score.math.decide import decide, same_answer
from tasks.score.math.extract.answer import extract_answer
from tasks.score.math.parse.normalize import canonical
from tasks.score.math.parse.syntax import Refused

numbers = st.fractions(min_value=-(10**6), max_value=10**6, max_denominator=1000)
anything = st.text(st.characters(), max_size=300)
marks = st.sampled_from(
    [*"0123456789xyab+-*/^_=<>(){}[]|,.:;!%$ \\", r"\frac", r"\sqrt", r"\text{", r"\boxed{", r"\pi",
     r"\left(", r"\right)", r"\cup", r"\le", r"\pm", r"\{", r"\}", r"\infty", "½", "√", " and "]
)  # fmt: skip
latex = st.lists(marks, max_size=60).map("".join)
leaves = st.one_of(
    st.integers(0, 999).map(str),
    st.sampled_from(["x", "y", r"\pi", "0.5", r"\frac{1}{3}", r"\sqrt{2}"]),
)
expressions = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(r"\frac{{{}}}{{{}}}".format, inner, inner),
        st.builds("({}+{})".format, inner, inner),
        st.builds("{} - {}".format, inner, inner),
        st.builds(r"\sqrt{{{}}}".format, inner),
        st.builds("{}^{{2}}".format, leaves),
    ),
    max_leaves=6,
)
answers = st.one_of(
    expressions,
    st.lists(expressions, min_size=2, max_size=4).map(", ".join),
    st.builds("({}, {})".format, expressions, expressions),
    st.builds(r"\{{{}, {}\}}".format, expressions, expressions),
    st.builds(r"[{}, \infty)".format, expressions),
    st.builds("x = {}".format, expressions),
)


def outcome(a: str, b: str) -> bool | type[Exception] | None:
    try:
        return same_answer(a, b)
    except (Refused, RecursionError) as error:
        return type(error)


def spellings(value: Fraction):
    """LaTeX, plain and decimal spellings of one value."""
    top, bottom = abs(value.numerator), value.denominator
    sign = "-" if value < 0 else ""
    yield rf"{sign}\frac{{{top}}}{{{bottom}}}"
    yield rf"\dfrac{{{sign}{3 * top}}}{{{3 * bottom}}}"
    yield f"{sign}{top}/{bottom}"
    scaled = value * 10**9
    if scaled.denominator == 1:
        digits = str(abs(scaled.numerator)).rjust(10, "0")
        yield f"{sign}{digits[:-9]}.{digits[-9:]}"
    if bottom == 1:
        yield f"{sign}{top:,}"


@given(numbers, numbers, st.data())
def test_numbers_are_equal_exactly_where_their_fractions_are(a, b, data):
    left = data.draw(st.sampled_from(list(spellings(a))))
    right = data.draw(st.sampled_from(list(spellings(b))))
    assert same_answer(left, right) is (a == b)


@given(numbers, st.data())
def test_one_number_under_two_spellings_is_equal(value, data):
    ways = list(spellings(value))
    pair = data.draw(st.sampled_from(ways)), data.draw(st.sampled_from(ways))
    assert same_answer(*pair) is True
    assert decide(pair[0], rf"So it is $\boxed{{{pair[1]}}}$.").status is Status.CORRECT


@given(st.one_of(answers, latex, anything), st.one_of(answers, latex, anything))
def test_which_side_is_the_reference_says_nothing(a, b):
    assert outcome(a, b) is outcome(b, a)


@given(answers)
def test_an_answer_is_itself(answer):
    assert same_answer(answer, answer) is True
    assert decide(answer, rf"Thus \boxed{{{answer}}}").status is Status.CORRECT


@given(st.one_of(latex, anything))
def test_any_text_with_content_is_itself(text):
    if canonical(text):
        assert outcome(text, text) is True


@given(answers, answers, st.data())
def test_spaces_and_sizes_say_nothing(a, b, data):
    space = data.draw(st.sampled_from(["  ", "\t", " \n", r"\, ", r"\quad ", "~"]))
    sized = a.replace("(", r"\left(").replace(")", r"\right)")
    for other in (f" {a} ", f"${a}$", a.replace(" ", space), sized, a.replace("frac", "dfrac")):
        assert same_answer(a, other) is True
        assert outcome(other, b) is outcome(a, b)


@given(st.one_of(latex, anything), st.one_of(latex, anything))
def test_no_text_raises(gold, prediction):
    grade = decide(gold, prediction)
    if grade is not None:
        assert grade.reward == float(grade.status is Status.CORRECT)
        assert len(grade.extracted) <= 1000
    assert isinstance(extract_answer(gold), str)
