"""What a hosted model is shown of a template, and how its text becomes a completion of it."""

from __future__ import annotations

import pytest

from tasks.generate.hosted.chat import lead_of, turns
from tasks.prompts import TEMPLATES, load_template

QUESTION = "What is 2 + 2?"


NAMES = sorted(file.stem for file in TEMPLATES.glob("*.toml"))
CHATS = [name for name in NAMES if load_template(name).form == "chat"]


@pytest.mark.parametrize("name", [name for name in NAMES if name not in CHATS])
def test_turns_show_what_a_policy_would_complete(name: str) -> None:
    """An exemplar's answer, where the policy's prompt has it, is the assistant's turn."""
    template = load_template(name)
    subject = next(iter(template.subjects), "")
    found = turns(template, QUESTION, template.shots, subject, "")
    assert found[-1] == {"role": "user", "content": QUESTION}
    rendered = template.render(QUESTION, template.shots, subject)
    for asked, solved in zip(found[-3::-2], found[-2::-2], strict=False):
        assert (asked["role"], solved["role"]) == ("user", "assistant")
        query = template.query.replace("{question}", asked["content"])
        assert query + lead_of(template) + solved["content"] in rendered


@pytest.mark.parametrize("name", CHATS)
def test_turns_of_a_chat_template_are_its_own(name: str) -> None:
    template = load_template(name)
    found = turns(template, QUESTION, template.shots, "", "")
    assert found == template.messages(QUESTION, template.shots) and lead_of(template) == ""
    other = turns(template, QUESTION, template.shots, "", "Answer in French.")
    assert [one["content"] for one in other if one["role"] == "system"] == ["Answer in French."]
    assert other[1:] == [one for one in found if one["role"] != "system"]


def test_a_system_text_of_ones_own_comes_before_the_preamble() -> None:
    template = load_template("bbh_cot")
    subject = "boolean_expressions"
    assert turns(template, QUESTION, 0, subject, "")[0] == {
        "role": "system",
        "content": "Evaluate a Boolean expression.",
    }
    assert turns(template, QUESTION, 0, subject, "Answer in French.")[0]["content"] == (
        "Answer in French."
    )
    assert turns(load_template("gsm8k"), QUESTION, 0, "", "")[0]["role"] == "user"


@pytest.mark.parametrize(
    ("name", "lead"),
    [("gsm8k", " "), ("svamp", " "), ("math", ""), ("apps", ""), ("humaneval", "")],
)
def test_a_completion_begins_as_those_of_the_exemplars(name: str, lead: str) -> None:
    assert lead_of(load_template(name)) == lead
