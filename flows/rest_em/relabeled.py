"""Rewards without references (`filter.score`: vote, any, random), made of the checker's verdicts.

samples, verdicts of a block of problems -> (group) -> relabel -> verdicts with other rewards
"""

from __future__ import annotations

from flows.config.rest_em import RestEmConfig
from flows.orchestrator.caller import Caller
from flows.orchestrator.sampler import Sampler
from flows.orchestrator.shards import Shards
from flows.rest_em.rated import by_block
from tasks.dag.step_names import DRAW, GROUP_ANSWERS, RELABEL, line_name
from tasks.errors import UserError
from tasks.score.group_step import group_call
from tasks.select.relabel_step import relabel_call


def relabeled(
    number: int, config: RestEmConfig, caller: Caller, sampler: Sampler, drawn: Shards
) -> Shards:
    """The samples that make policy p_number+1 with the rewards of `filter.score`.

    Args:
        number: Of the policy that drew them.
        config: Of the run.
        caller: Calls the steps.
        sampler: Knows the blocks.
        drawn: Samples with the checker's verdicts.

    Raises:
        UserError: a vote on programs.
    """
    rules = config.filter
    domain = sampler.domain("train")
    if rules.score == "vote" and domain in ("code", "hand", "notes"):
        raise UserError(
            f"filter.score: vote needs problems with answers that can be equal, and these are of "
            f"{domain}; expected any, random or correct"
        )
    made = Shards()
    blocks = sampler.blocks("train")
    for block, shards in zip(blocks, by_block(drawn, len(blocks)), strict=True):
        where = f"p{number} [{block.start}:{block.stop}]"
        groups = None
        if rules.score == "vote" and shards:
            call = group_call(
                f"{GROUP_ANSWERS} {DRAW} {where}",
                [verdict for _, verdict in shards],
                exact=domain != "math",
            )
            groups = caller.call(call, number, line_name(GROUP_ANSWERS, DRAW))
        part = []
        for place, (sample, _) in enumerate(shards):
            call = relabel_call(
                f"{RELABEL} {where} {place}",
                rules,
                seed=config.seed,
                shards=shards,
                place=place,
                groups=groups,
            )
            part.append((sample, caller.call(call, number, RELABEL)))
        made.parts.append(part)
    return made
