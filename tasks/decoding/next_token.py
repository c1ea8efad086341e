"""One token a row from its logits: temperature, top-k, top-p, then the inverse of the CDF.

A sample is a function of its seed alone: all its uniform numbers come from a counter-based
generator keyed by that seed, one number a token, so neither the batch nor the order matters. The
CDF runs in the order of token ids, not of probabilities: rounding noise may swap two tokens that
are equally likely, and must not change which one a number means.
"""

from __future__ import annotations

import numpy as np
import torch

from tasks.decoding.request import Sampling
from tasks.errors import StepError

# First try for top-p: sorting a whole vocabulary costs more than the model on a small one.
_TOP_P_WIDTH = 1024


def uniforms(seed: int, count: int) -> np.ndarray:
    """The numbers in [0, 1) behind one sample, float64 of shape [count]."""
    return np.random.Generator(np.random.Philox(key=seed)).random(count)


def draw_tokens(logits: torch.Tensor, numbers: torch.Tensor, sampling: Sampling) -> torch.Tensor:
    """Pick a token for each row.

    Args:
        logits: [rows, vocabulary].
        numbers: Uniform in [0, 1), float64 [rows]; unused when greedy.
        sampling: Temperature, top_k and top_p.

    Returns:
        Token ids, int64 [rows].

    Raises:
        StepError: the logits are not finite, so the model is broken.
    """
    if sampling.temperature == 0.0:
        return logits.argmax(-1)
    logits = logits.float() / sampling.temperature
    if 0 < sampling.top_k < logits.shape[-1]:
        values, ids = logits.topk(sampling.top_k)
        masses = values.double().softmax(-1)
        if sampling.top_p < 1.0:
            masses = _nucleus(masses, sampling.top_p)
    elif sampling.top_p < 1.0:
        masses, ids = _likeliest(logits, sampling.top_p)
    else:
        masses, ids = logits.double().softmax(-1), None
    if ids is not None:
        ids, order = ids.sort(-1)
        masses = masses.gather(-1, order)
    cdf = masses.cumsum(-1)
    total = cdf[:, -1]
    if not torch.isfinite(total).all():
        raise StepError("the model gave logits that are not finite numbers")
    # Below the total even where the product rounds up to it; so a token without mass is never hit.
    point = torch.minimum(numbers * total, torch.nextafter(total, torch.zeros_like(total)))
    picked = torch.searchsorted(cdf, point[:, None], right=True)
    return (picked if ids is None else ids.gather(-1, picked))[:, 0]


def _likeliest(logits: torch.Tensor, top_p: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Masses and ids of the nucleus, in falling order, as narrow as it can be."""
    size = logits.shape[-1]
    scale = logits.double().logsumexp(-1, keepdim=True)
    width = min(_TOP_P_WIDTH, size)
    while True:
        values, ids = logits.topk(width)
        masses = (values.double() - scale).exp()
        if width == size or bool((masses.sum(-1) >= top_p).all()):
            return _nucleus(masses, top_p), ids
        width = min(width * 16, size)


def _nucleus(masses: torch.Tensor, top_p: float) -> torch.Tensor:
    """Zero all but the smallest leading set with at least `top_p`; masses fall along the row."""
    before = masses.cumsum(-1) - masses
    return masses.masked_fill(before >= top_p, 0.0)
