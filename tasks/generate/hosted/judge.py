"""The step that notes which hosted model judges, once it has shown that it can.

A judge's choice is made of log-probabilities, which many services or models do not give. One answer
of a few tokens shows it before samples are drawn and reasons are paid for. It is kept as all
answers are, so it is paid for once.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from tasks.dag.runtime import Runtime, home
from tasks.dag.step import Call, step
from tasks.generate.hosted.answers import FILE
from tasks.generate.hosted.client import JUDGE, TEACHER
from tasks.generate.hosted.engine import HostedEngine
from tasks.generate.hosted.service import HostedModel, api_key, base_address
from tasks.settings import HOSTED, Resources, TeacherField
from tasks.store.manifest import Stats
from tasks.store.store import Draft

_LOOK = json.dumps([{"role": "user", "content": "Reply with 1 or 2 and nothing else."}])


def open_hosted(
    model: HostedModel,
    runtime: Runtime,
    resources: Resources,
    fields: Sequence[TeacherField] = (),
    field: str = TEACHER,
) -> HostedEngine:
    """The engine of a hosted model.

    Args:
        model: Which, and where.
        runtime: Says what a person should know.
        resources: Requests at once, prices, patience.
        fields: That the service takes beside those of the protocol.
        field: Of the configuration, which names the model.

    Raises:
        UserError: there is no key, and the service asks for one.
    """
    answers: Path = home() / "hosted" / FILE
    return HostedEngine(
        model,
        api_key(),
        answers,
        requests=resources.hosted_requests,
        prices=(resources.price_in, resources.price_out),
        fields=fields,
        field=field,
        stall=resources.stall_seconds,
        say=lambda text: runtime.say(text),
    )


def hosted_judge_call(model: str) -> Call:
    """The call that notes which hosted model judges.

    Args:
        model: Its name at the service.

    Raises:
        UserError: OPENAI_BASE_URL is no address.
    """
    asked = {"model": model, "address": base_address()}
    return Call(hosted_judge, f"judge {HOSTED}{model}", asked)


@step("hosted_judge", "model")
def hosted_judge(call: Call, draft: Draft, runtime: Runtime) -> None:
    """Note model and address, and see that it gives log-probabilities.

    Raises:
        UserError: it gives none; the line says what to do.
    """
    model = HostedModel(**call.settings)
    engine = open_hosted(model, runtime, runtime.resources, field=JUDGE)
    try:
        found = engine.choose([_LOOK], ("1", "2"))
    finally:
        engine.close()
    model.write(draft.path)
    draft.stats = Stats(
        source=f"{HOSTED}{call.settings['model']}",
        tokens=found.tokens,
        input_tokens=found.input_tokens,
        money=found.money,
    )
