"""The same model in vLLM's CPU build: equal greedy texts, or why not.

Engines read a tokenizer's files each in their own way, by the family of the model. So prompts are
given as tokens, and each token is a piece of plain letters, which all of them join alike.
"""

from __future__ import annotations

import itertools
import string
from pathlib import Path
from typing import TYPE_CHECKING

from bench.families import _checks as checks
from bench.families._tiny import SPECIAL, VOCABULARY

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

EQUAL = "equal"
# Its kernels on CPU take no narrower heads than this gives.
SIZE = 256


def compared(name: str, work: Path) -> str:
    """`equal`, `differs`, or `no` where vLLM does not load the model.

    Args:
        name: Of the family.
        work: Folder for the model and for vLLM's output.

    Raises:
        UserError: there is no vLLM.
    """
    from tasks.dag.runtime import home
    from tasks.decoding.decode import decode
    from tasks.decoding.request import Sampling
    from tasks.errors import StepError
    from tasks.generate.engine import open_engine
    from tasks.settings import Resources

    folder, reader = checks.make(name, work / "wide", SIZE), _letters()
    reader.save_pretrained(folder)
    asked = [checks.tokenizer()(prompt)["input_ids"] for prompt in checks.prompts()]
    requests = [(i, 0) for i in range(len(asked))]
    sampling = Sampling(temperature=0.0, max_tokens=checks.NEW_TOKENS)
    resources = Resources(device="cpu", threads=1, batch_size=8, cpu_cache_gb=0.25)
    engine = open_engine(
        *("vllm", folder), resources=resources, dtype="float32", log=work / "vllm.log", home=home()
    )
    try:
        found = engine.sample(asked, requests, sampling)
    except StepError:
        return "no"
    finally:
        engine.close()
    model = checks.load(folder)
    ours = decode(model, reader, asked, requests, sampling, batch_size=len(asked))
    return EQUAL if [one.text for one in found] == [one.text for one in ours] else "differs"


def _letters() -> PreTrainedTokenizerFast:
    """One or two letters a token, as many as the small models have."""
    from tokenizers import Tokenizer, decoders, models
    from transformers import PreTrainedTokenizerFast

    single = string.ascii_lowercase
    pairs = ("".join(two) for two in itertools.product(single, single))
    pieces = itertools.islice(itertools.chain(single, pairs), VOCABULARY - len(SPECIAL))
    core = Tokenizer(models.BPE({t: i for i, t in enumerate([*SPECIAL, *pieces])}, []))
    core.decoder = decoders.Fuse()
    pad, begin, end = SPECIAL
    return PreTrainedTokenizerFast(
        tokenizer_object=core, pad_token=pad, bos_token=begin, eos_token=end
    )
