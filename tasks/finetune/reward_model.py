"""A reward model as it is loaded, to be fit or to be asked, and the rewards that it gives."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.errors import UserError

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def load_reward_model(
    folder: Path, tokenizer: PreTrainedTokenizerBase, seed: int = 0
) -> PreTrainedModel:
    """A folder's model with a head that gives one number; of a policy the head is drawn.

    Raises:
        UserError: transformers has no such head for its architecture, or it has no pad token.
    """
    import torch
    from transformers import AutoModelForSequenceClassification
    from transformers.utils import logging

    torch.manual_seed(seed)
    told = logging.get_verbosity()
    logging.set_verbosity_error()  # that the head is new is what is wanted
    try:
        model = AutoModelForSequenceClassification.from_pretrained(
            folder,
            num_labels=1,
            dtype=torch.float32,
            use_safetensors=True,
            trust_remote_code=False,
        )
    except ValueError as error:
        raise UserError(
            f"reward.by: no reward model can start from this policy ({str(error)[:120]}); expected "
            "an architecture with a head for classification"
        ) from None
    finally:
        logging.set_verbosity(told)
    if model.config.pad_token_id is None:
        model.config.pad_token_id = tokenizer.pad_token_id or tokenizer.eos_token_id
    for parameter in model.parameters():
        parameter.data = parameter.data.clone()  # aligned as a checkpoint's are
    return model


def rewards_of(
    model: PreTrainedModel,
    texts: Sequence[list[int]],
    batch_size: int,
) -> list[float]:
    """The reward of each text, given by its tokens, in order.

    Texts of like length go together; the reward does not hang on its neighbours but for rounding.
    """
    import torch

    was, found = model.training, [0.0] * len(texts)
    model.eval()
    order = sorted(range(len(texts)), key=lambda place: len(texts[place]))
    pad = model.config.pad_token_id
    with torch.inference_mode():
        for begin in range(0, len(order), batch_size):
            places = order[begin : begin + batch_size]
            rows = [torch.tensor(texts[place]) for place in places]
            ids = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=pad)
            lengths = torch.tensor([len(row) for row in rows])
            mask = (torch.arange(ids.shape[1]) < lengths[:, None]).long()
            logits = model(
                input_ids=ids.to(model.device),
                attention_mask=mask.to(model.device),
                use_cache=False,
            ).logits
            for place, value in zip(places, logits[:, 0].float().tolist(), strict=True):
                found[place] = value
    model.train(was)
    return found
