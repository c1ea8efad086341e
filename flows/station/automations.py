"""Automations of the station: what Prefect does by itself when something happens.

- A run that failed or crashed gives a notice on the pages server, and at RESTEM_NOTIFY_URL if set.
- A run whose heartbeat stopped is marked Crashed, which frees its slot and offers Retry. Runs send
  one every 30 s (PREFECT_FLOWS_HEARTBEAT_FREQUENCY); three may be missed.
- Test accuracy that falls while training accuracy rises (flows/orchestrator/alarm.py sends the
  event) gives a notice: the policy learns its training problems by heart. So does a reward that a
  policy is trained for, where it rises while the checker's falls.

No address outside this machine is used unless RESTEM_NOTIFY_URL names one.
"""

from __future__ import annotations

import os
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

from flows.server import access
from tasks.errors import UserError

if TYPE_CHECKING:
    from prefect.automations import Automation

HEARTBEAT_SECONDS = 30
# Three heartbeats, and a margin for a server that is being started again.
SILENCE = timedelta(seconds=3 * HEARTBEAT_SECONDS + 30)
NOTIFY_VARIABLE = "RESTEM_NOTIFY_URL"
_ENDS = {"prefect.flow-run.Completed", "prefect.flow-run.Failed", "prefect.flow-run.Crashed"}
_ENDS |= {"prefect.flow-run.Cancelled", "prefect.flow-run.TimedOut", "prefect.flow-run.Paused"}
_ENDS |= {"prefect.flow-run.Suspended", "prefect.flow-run.CachedResult"}
_FAILED = (
    '{"kind": "failed", "run": {{ flow_run.name | tojson }}, "link": {{ flow_run|ui_url|tojson }},'
    ' "text": {{ (flow_run.name ~ ": " ~ flow_run.state.name ~ ": " ~ (flow_run.state.message or'
    ' "")) | tojson }} }'
)
_ALARM = (
    '{"kind": "KIND", "run": {{ event.resource.name | tojson }}, "text":'
    ' {{ (event.resource.name ~ ": " ~ event.payload.message) | tojson }} }'
)


def register_automations(pages: str, silence: timedelta = SILENCE) -> None:
    """Create the automations, or bring those of the same names up to date.

    Args:
        pages: Address of the pages server.
        silence: After how long without a heartbeat a run is dead; Prefect takes 10 s or more.

    Raises:
        UserError: RESTEM_NOTIFY_URL is not an address.
    """
    from prefect.automations import Automation

    # No more than this one value for this one purpose: whoever may read blocks gets it.
    token = access.derived(os.environ.get(access.CLIENT, ""), "notices")
    blocks = [_webhook("restem-notices", f"{pages}/notices", f"Bearer {token}")]
    if given := os.environ.get(NOTIFY_VARIABLE):
        if not given.startswith(("http://", "https://")):
            raise UserError(f"{NOTIFY_VARIABLE}: expected an http(s) address, not {given!r}")
        blocks.append(_webhook("restem-notify", given))
    for wanted in _automations(blocks, silence):
        try:
            known = cast(Automation, Automation.read(name=wanted.name))
        except ValueError:
            wanted.create()
            continue
        wanted.id = known.id
        wanted.enabled = known.enabled  # whoever switched it off in the UI wants it off
        wanted.update()


def _webhook(name: str, address: str, authorization: str = "") -> UUID:
    from prefect.blocks.webhook import Webhook
    from prefect.types import SecretDict
    from pydantic import SecretStr

    headers = SecretDict({"Authorization": authorization} if authorization else {})
    block = Webhook(url=SecretStr(address), headers=headers)
    return cast(UUID, block.save(name, overwrite=True))


def _automations(blocks: list[UUID], silence: timedelta) -> list[Automation]:
    import prefect.automations
    from prefect.automations import CallWebhook, Posture
    from prefect.client.schemas.objects import StateType

    # Their types do not know of plain dictionaries and of defaults, which they take.
    library: Any = prefect.automations

    def notify(payload: str) -> list[CallWebhook]:
        return [CallWebhook(block_document_id=block, payload=payload) for block in blocks]

    def alarm(name: str, description: str, event: str, kind: str) -> Automation:
        return library.Automation(
            name=name,
            description=description,
            trigger=library.EventTrigger(
                match={"prefect.resource.id": "restem.run.*"},
                expect={event},
                posture=Posture.Reactive,
                threshold=1,
                for_each={"prefect.resource.id"},
            ),
            actions=notify(_ALARM.replace("KIND", kind)),
        )

    run = {"prefect.resource.id": "prefect.flow-run.*"}
    return [
        library.Automation(
            name="restem: notice of a failed run",
            description="Tells the pages server (and RESTEM_NOTIFY_URL) of failed, crashed runs.",
            trigger=library.EventTrigger(
                match=run,
                expect={"prefect.flow-run.Failed", "prefect.flow-run.Crashed"},
                for_each={"prefect.resource.id"},
                posture=Posture.Reactive,
                threshold=1,
            ),
            actions=notify(_FAILED),
        ),
        library.Automation(
            name="restem: heartbeat stopped",
            description="Marks a run Crashed that has sent no heartbeat for two minutes.",
            trigger=library.EventTrigger(
                match=run,
                after={"prefect.flow-run.heartbeat"},
                expect={"prefect.flow-run.heartbeat", *_ENDS},
                for_each={"prefect.resource.id"},
                posture=Posture.Proactive,
                threshold=1,
                within=silence,
            ),
            actions=[
                library.ChangeFlowRunState(
                    state=StateType.CRASHED,
                    message="No sign of life for two minutes. Retry resumes the run.",
                )
            ],
        ),
        alarm(
            "restem: test accuracy fell",
            "Tells when test accuracy fell while training accuracy rose.",
            "restem.accuracy.fell",
            "accuracy fell",
        ),
        alarm(
            "restem: over-optimised",
            "Tells when the reward that is trained for rose while the checker's fell.",
            "restem.reward.parted",
            "over-optimised",
        ),
    ]
