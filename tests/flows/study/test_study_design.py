"""Every shipped study can be run as it stands; claims are judged by the rule of their design."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest

from flows.report.charts import Axes, Point, Series, bar_chart
from flows.study.claims import Claim, judge_claim
from flows.study.config import StudyConfig, find_study, load_study, study_names
from flows.study.quantities import better, gain, lead, of, order, rank_average
from flows.study.results import Results, StudyPolicy
from tasks.errors import UserError
from tests.flows.study.study_parts import estimate, made_up


def run(*greedy: float) -> list[StudyPolicy]:
    return [StudyPolicy(i, "m", {"greedy": estimate(g)}) for i, g in enumerate(greedy)]


def results(a: list[float], b: list[float]) -> Results:
    runs = {("a", s): run(0.1, x) for s, x in enumerate(a, 1)}
    runs |= {("b", s): run(0.1, x) for s, x in enumerate(b, 1)}
    return Results(runs, range(1, len(a) + 1))


@pytest.mark.parametrize("name", study_names())
def test_every_arm_is_a_configuration_of_its_own(name: str) -> None:
    config, study = StudyConfig(), find_study(name)
    assert study.name == name
    arms = config.arms(study)
    recipes = [config.run_of(arm, 1).run_id for arm in arms]
    assert len({arm.name for arm in arms}) == len(arms)
    assert len(set(recipes)) == len(recipes)


@pytest.mark.parametrize("name", study_names())
def test_claims_and_figures_speak_of_arms_that_there_are(name: str) -> None:
    """With made-up results of all arms, every claim has a value and every figure is drawn."""
    study, found = find_study(name), made_up(name)
    for claim in study.claims:
        assert judge_claim(claim, found).mean is not None, claim.here
    for draw in study.figures:
        figure = draw(found, True)
        assert figure.svg.startswith("<svg"), figure.title


def test_a_colour_means_one_thing_in_the_figures_of_a_study() -> None:
    """Of a figure no two series have one; what is measured has the same in all of them."""
    colours: dict[str, set[str]] = {}
    for name in study_names():
        study, found = find_study(name), made_up(name)
        for draw in study.figures:
            keys = re.findall(
                r'<g class="(s\d+)">(?:(?!</g>).)*?<text[^>]*>(.*?)</text></g>',
                (draw(found, False).svg),
            )
            assert len({colour for colour, _ in keys}) == len(keys), study.title
            for colour, title in keys:
                colours.setdefault(title, set()).add(colour)
    assert {"greedy", "shifted task", "pass@1", "base", "p1"} <= colours.keys()
    for title in ("greedy", "shifted task", "pass@1", "base", "p1"):
        assert len(colours[title]) == 1, title


def test_a_correlation_is_not_told_in_points() -> None:
    claim = Claim("the paper", "here", better("a", "b"), "equal", 0.5, in_points=False)
    said = judge_claim(claim, results([1.0, 0.9, 0.7], [0.0, 0.0, 0.0])).sentence
    assert said.endswith(": +0.87 [+0.49, +1.00] over 3 seeds.")


@pytest.mark.parametrize(
    ("a", "b", "expect", "verdict"),
    [
        ([0.8, 0.82, 0.81], [0.5, 0.52, 0.5], "above", "agrees"),
        ([0.8, 0.82, 0.81], [0.5, 0.52, 0.5], "below", "disagrees"),
        ([0.5, 0.8, 0.3], [0.5, 0.4, 0.6], "above", "undecided"),
        ([0.501, 0.5, 0.499], [0.5, 0.5, 0.5], "equal", "agrees"),
        ([0.6, 0.61, 0.6], [0.5, 0.5, 0.5], "equal", "disagrees"),
        ([0.5, 0.53, 0.5], [0.5, 0.5, 0.5], "equal", "undecided"),
        ([0.499, 0.5, 0.498], [0.5, 0.5, 0.5], "not below", "agrees"),
        ([0.4, 0.41, 0.4], [0.5, 0.5, 0.5], "not below", "disagrees"),
        ([0.9], [0.1], "above", "undecided"),
    ],
)
def test_verdicts(a: list[float], b: list[float], expect: str, verdict: str) -> None:
    claim = Claim("the paper", "here", better("a", "b"), expect)  # type: ignore[arg-type]
    assert judge_claim(claim, results(a, b)).verdict == verdict


def test_an_order_of_arms() -> None:
    arms = {"a": (0.6, 0.5), "b": (0.7, 0.6), "c": (0.7, 0.9), "none": (0.9, None)}
    runs = {}
    for name, (first, second) in arms.items():
        metrics = {"x": estimate(first)} | ({"y": estimate(second)} if second else {})
        runs[name, 1] = [StudyPolicy(0, "m", metrics)]
    found = Results(runs, (1,))
    assert rank_average([0.6, 0.7, 0.7]) == [1.0, 2.5, 2.5]
    # By hand: ranks 1, 2.5, 2.5 and 1, 2, 3.
    assert order(list(arms), ("x", 0), ("y", 0))(found, 1) == pytest.approx(0.75**0.5)
    assert order(list(arms), ("x", 0), ("x", 0))(found, 1) == pytest.approx(1.0)
    assert order(["a", "b"], ("x", 0), ("y", 0))(found, 1) is None
    assert lead("b", "y", 0.5, 0)(found, 1) == pytest.approx(0.1)


def test_the_preference_study_is_a_run_of_its_own_and_leaves_the_others_theirs() -> None:
    small = StudyConfig(study="preference")
    assert {arm.task for arm in small.arms(find_study("preference"))} == {"notes"}
    assert small.resources == small.bases.notes.resources
    assert StudyConfig(study="preference", notes="notes-demo").run_id != small.run_id
    assert StudyConfig(study="cap").run_id == "study-cap-22443b2c"  # as before there were notes


def test_quantities() -> None:
    found = results([0.4, 0.6], [0.3, 0.3])
    assert of("a")(found, 2) == 0.6
    assert of("a", at=0)(found, 2) == 0.1
    assert of("a", at=5)(found, 2) is None
    assert of("missing")(found, 1) is None
    assert gain("a")(found, 1) == pytest.approx(0.3)
    assert better("a", "b")(found, 2) == pytest.approx(0.3)
    mean = found.mean(gain("a"))
    assert mean is not None
    assert (mean.value, mean.problems) == (pytest.approx(0.4), 2)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nothing", [], 5, "", []), "nothing: expected all or one of"),
        (("cap", ["math", "gsm8k"], 5, "", []), "a second one for math"),
        (("cap", ["nowhere"], 5, "", []), "no such file"),
        (("cap", [], 5, "", ["sampling.sample=3"]), "no such field"),
    ],
)
def test_mistakes_are_said_in_one_line(arguments: tuple, words: str) -> None:
    with pytest.raises(UserError, match=words):
        load_study(*arguments)


def test_a_configuration_of_one_task_leaves_the_other_out() -> None:
    config = load_study("all", ["study-math"], 2, "", [])
    assert {arm.task for study in config.studies for arm in config.arms(study)} == {"math"}
    assert config.sandbox is None


def test_a_loss_hangs_below_the_line_that_gains_stand_on() -> None:
    series = [Series("gain", 0, [Point(0, 0.2, "up"), Point(1, -0.1, "down", -0.2, 0.0)])]
    ticks = [(0.0, "a"), (1.0, "b")]
    svg = bar_chart(series, Axes("t", "d", "x", "y", ticks, signed=True), standalone=True)
    root = ET.fromstring(svg)
    bars = [e for e in root.iter() if "bar" in e.get("class", "").split() and e.get("data-tip")]
    tops = [float(e.get("y", "")) for e in bars]
    ends = [top + float(e.get("height", "")) for top, e in zip(tops, bars, strict=True)]
    assert ends[0] == pytest.approx(tops[1] + 1, abs=0.2)  # the line; a bar begins one pixel above
    assert (ends[0] - tops[0]) == pytest.approx(2 * (ends[1] - tops[1]), abs=2)
    assert "−20%" in svg
