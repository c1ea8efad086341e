"""Small models of real architectures with random weights, made on the spot from a configuration.

Sizes are small and the weights wide, so that next tokens are far from equally likely and a wrong
context shows at once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

SPECIAL = ["<pad>", "<s>", "</s>"]
VOCABULARY = len(SPECIAL) + 256
POSITIONS = 2048
WINDOW = 64
MARKS: dict[str, Any] = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
# Tokens up to which a model with LongRoPE takes its short factors.
SHORT_POSITIONS = 96


@dataclass(frozen=True)
class Family:
    """An architecture.

    Attributes:
        name: As people call it.
        config: Name of transformers' configuration class.
        examples: Public models of it.
        more: Fields beside the common ones; a text is a multiple of the size, as in `2*size`.
    """

    name: str
    config: str
    examples: str = ""
    more: dict[str, Any] = field(default_factory=dict[str, Any])


_HEAD = {"head_dim": "size/4"}
_EXPERTS = {"num_experts_per_tok": 2, "router_aux_loss_coef": 0.01}
_MANY_EXPERTS = {**_EXPERTS, "num_experts": 4, "moe_intermediate_size": "size"}
_SLIDING = {"sliding_window": WINDOW}
_ALTERNATE = {**_SLIDING, "layer_types": ["sliding_attention", "full_attention"] * 2}
_GEMMA = {**_HEAD, **_ALTERNATE, "query_pre_attn_scalar": 8}
_LINEAR = {
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 4,
    "linear_key_head_dim": "size/4",
    "linear_value_head_dim": "size/4",
}
_MAMBA2 = {
    "mamba_n_heads": 8,
    "mamba_d_head": "size/4",
    "mamba_d_state": 16,
    "mamba_n_groups": 1,
}
_LATENT = {
    "kv_lora_rank": 16,
    "q_lora_rank": 16,
    "qk_rope_head_dim": 8,
    "qk_nope_head_dim": 8,
    "v_head_dim": 8,
    "head_dim": 8,
    "num_key_value_heads": 4,
}
_ROUTED = {
    "n_routed_experts": 4,
    "n_shared_experts": 1,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": "size",
    "first_k_dense_replace": 1,
    "n_group": 1,
    "topk_group": 1,
}
_LONGROPE = {
    "original_max_position_embeddings": SHORT_POSITIONS,
    "rope_parameters": {
        "rope_type": "longrope",
        "rope_theta": 10000.0,
        "short_factor": "short",
        "long_factor": "long",
        "original_max_position_embeddings": SHORT_POSITIONS,
        "factor": POSITIONS / SHORT_POSITIONS,
    },
}

FAMILIES = (
    Family("Llama 3", "LlamaConfig", "Llama 3.x, Yi, SmolLM 2, DeepSeek-Coder 1"),
    Family("Llama 2", "LlamaConfig", "Llama 2, CodeLlama", {"num_key_value_heads": 4}),
    Family(
        "Llama 4",
        "Llama4TextConfig",
        "Llama 4 (its text part)",
        {
            **_HEAD,
            "num_local_experts": 4,
            "num_experts_per_tok": 1,
            "intermediate_size_mlp": "2*size",
            "attention_chunk_size": WINDOW,
            "rope_parameters": {"rope_type": "default", "rope_theta": 1e4},
        },
    ),
    Family("Mistral", "MistralConfig", "Mistral 7B", {**_SLIDING}),
    Family("Ministral", "MinistralConfig", "Ministral 8B", {**_SLIDING, **_HEAD}),
    Family("Mixtral", "MixtralConfig", "Mixtral 8x7B", {**_EXPERTS, "num_local_experts": 4}),
    Family("Qwen2", "Qwen2Config", "Qwen 2 and 2.5, their distillations of DeepSeek-R1"),
    Family(
        "Qwen2-MoE",
        "Qwen2MoeConfig",
        "Qwen1.5-MoE, Qwen2-57B-A14B",
        {**_MANY_EXPERTS, "shared_expert_intermediate_size": "size"},
    ),
    Family("Qwen3", "Qwen3Config", "Qwen 3", {**_HEAD}),
    Family("Qwen3-MoE", "Qwen3MoeConfig", "Qwen3-30B-A3B", {**_MANY_EXPERTS, **_HEAD}),
    Family(
        "Qwen3-Next",
        "Qwen3NextConfig",
        "Qwen3-Next-80B-A3B",
        {**_MANY_EXPERTS, **_HEAD, **_LINEAR, "shared_expert_intermediate_size": "size"},
    ),
    Family("Qwen3.5", "Qwen3_5TextConfig", "Qwen 3.5 (its text part)", {**_HEAD, **_LINEAR}),
    Family("Gemma", "GemmaConfig", "Gemma 1", {**_HEAD}),
    Family("Gemma 2", "Gemma2Config", "Gemma 2", _GEMMA),
    Family("Gemma 3", "Gemma3TextConfig", "Gemma 3 270M and 1B", _GEMMA),
    Family("Gemma 3, multimodal", "Gemma3Config", "Gemma 3 4B to 27B"),
    Family(
        "Gemma 3n",
        "Gemma3nTextConfig",
        "Gemma 3n E2B and E4B (their text part)",
        {
            **_HEAD,
            **_ALTERNATE,
            "num_kv_shared_layers": 2,
            "vocab_size_per_layer_input": VOCABULARY,
            "hidden_size_per_layer_input": 16,
            "laurel_rank": 8,
            "altup_num_inputs": 2,
            "activation_sparsity_pattern": [0.0] * 4,
            "intermediate_size": ["2*size"] * 4,
        },
    ),
    Family("Phi", "PhiConfig", "Phi-1.5, Phi-2"),
    Family("Phi-3", "Phi3Config", "Phi-3 4k, Phi-4", {**_SLIDING}),
    Family("Phi-3, long context", "Phi3Config", "Phi-3 128k, Phi-4-mini", {**_LONGROPE}),
    Family("Phi-MoE", "PhimoeConfig", "Phi-3.5-MoE", {**_EXPERTS, "num_local_experts": 4}),
    Family("OLMo", "OlmoConfig", "OLMo 1"),
    Family("OLMo 2", "Olmo2Config", "OLMo 2"),
    Family("OLMo 3", "Olmo3Config", "OLMo 3", {**_ALTERNATE}),
    Family("OLMoE", "OlmoeConfig", "OLMoE", {**_EXPERTS, "num_experts": 4}),
    Family("Granite", "GraniteConfig", "Granite 3"),
    Family(
        "Granite MoE", "GraniteMoeConfig", "Granite 3 MoE", {**_EXPERTS, "num_local_experts": 4}
    ),
    Family(
        "Granite 4, hybrid",
        "GraniteMoeHybridConfig",
        "Granite 4",
        {
            **_EXPERTS,
            **_MAMBA2,
            "num_local_experts": 4,
            "shared_intermediate_size": "size",
            "layer_types": ["mamba", "attention"] * 2,
        },
    ),
    Family("LFM2", "Lfm2Config", "LFM2", {"layer_types": ["conv", "full_attention"] * 2}),
    Family(
        "Falcon-H1", "FalconH1Config", "Falcon-H1", {**_HEAD, **_MAMBA2, "mamba_d_ssm": "2*size"}
    ),
    Family("Mamba", "MambaConfig", "Mamba", {"state_size": 8}),
    Family(
        "Mamba 2",
        "Mamba2Config",
        "Mamba 2",
        {"state_size": 8, "num_heads": 8, "head_dim": "size/4", "n_groups": 1},
    ),
    Family(
        "Jamba",
        "JambaConfig",
        "Jamba",
        {
            **_EXPERTS,
            "num_experts": 2,
            "attn_layer_period": 2,
            "attn_layer_offset": 1,
            "expert_layer_period": 2,
            "expert_layer_offset": 1,
            "mamba_d_state": 8,
            "mamba_dt_rank": 4,
            "use_mamba_kernels": False,
        },
    ),
    Family("Bamba", "BambaConfig", "Bamba", {**_MAMBA2, "attn_layer_indices": [1, 3]}),
    Family(
        "Zamba 2",
        "Zamba2Config",
        "Zamba 2",
        {
            "num_hidden_layers": 6,
            "mamba_d_state": 8,
            "n_mamba_heads": 8,
            "mamba_ngroups": 1,
            "hybrid_layer_ids": [2, 5],
            "layers_block_type": ["mamba", "mamba", "hybrid"] * 2,
            "num_key_value_heads": 4,
            "use_mamba_kernels": False,
        },
    ),
    Family("DeepSeek-V2", "DeepseekV2Config", "DeepSeek-V2, -Coder-V2", {**_LATENT, **_ROUTED}),
    Family("DeepSeek-V3", "DeepseekV3Config", "DeepSeek-V3, R1, Kimi-K2", {**_LATENT, **_ROUTED}),
    Family("GLM-4", "Glm4Config", "GLM-4 0414", {**_HEAD}),
    Family("GLM-4 MoE", "Glm4MoeConfig", "GLM-4.5", {**_HEAD, **_ROUTED}),
    Family(
        "gpt-oss",
        "GptOssConfig",
        "gpt-oss",
        {
            **_HEAD,
            **_EXPERTS,
            **_ALTERNATE,
            "num_local_experts": 4,
            "rope_parameters": {"rope_type": "default", "rope_theta": 1e4},
        },
    ),
    Family(
        "GPT-2",
        "GPT2Config",
        "GPT-2",
        {"n_embd": "size", "n_layer": 4, "n_head": 4, "n_positions": POSITIONS},
    ),
    Family("GPT-NeoX", "GPTNeoXConfig", "Pythia, GPT-NeoX"),
    Family("OPT", "OPTConfig", "OPT", {"ffn_dim": "2*size", "word_embed_proj_dim": "size"}),
    Family(
        "Falcon", "FalconConfig", "Falcon 1", {"new_decoder_architecture": True, "num_kv_heads": 2}
    ),
    Family("BLOOM", "BloomConfig", "BLOOM", {"n_head": 4, "n_layer": 4}),
    Family("StableLM", "StableLmConfig", "StableLM 2"),
    Family("StarCoder 2", "Starcoder2Config", "StarCoder 2", {**_SLIDING}),
    Family("Cohere", "CohereConfig", "Command R"),
    Family("Cohere 2", "Cohere2Config", "Command R7B, A", {**_SLIDING, **_HEAD}),
    Family("SmolLM 3", "SmolLM3Config", "SmolLM 3"),
    Family("Nemotron", "NemotronConfig", "Minitron, Nemotron 4", {**_HEAD}),
    Family("Nemotron-H", "NemotronHConfig", "Nemotron-H, Nano 2"),
    Family("EXAONE 4", "Exaone4Config", "EXAONE 4", {**_ALTERNATE}),
    Family("Seed-OSS", "SeedOssConfig", "Seed-OSS", {**_HEAD}),
    Family("ERNIE 4.5", "Ernie4_5Config", "ERNIE 4.5", {**_HEAD}),
    Family("RecurrentGemma", "RecurrentGemmaConfig", "RecurrentGemma"),
)
NAMES = tuple(one.name for one in FAMILIES)


def tiny(name: str, size: int = 32) -> PreTrainedConfig:
    """The configuration of a small model of a family.

    Args:
        name: Of `NAMES`.
        size: Width; a multiple of 16.
    """
    import transformers as hf

    family = next(one for one in FAMILIES if one.name == name)
    common: dict[str, Any] = {
        "vocab_size": VOCABULARY,
        "hidden_size": size,
        "intermediate_size": 2 * size,
        # Layers alternate in some of these, so they come in fours.
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": POSITIONS,
        "initializer_range": 0.1,
        **MARKS,
    }
    if family.config == "Gemma3Config":
        text = tiny("Gemma 3", size).to_dict()
        vision = {
            "hidden_size": size,
            "intermediate_size": size,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "image_size": 28,
            "patch_size": 14,
        }
        return hf.Gemma3Config(
            text_config=text, vision_config=vision, mm_tokens_per_image=4, **MARKS
        )
    given = {key: _sized(value, size) for key, value in family.more.items()}
    return getattr(hf, family.config)(**{**common, **given})


def _sized(value: Any, size: int) -> Any:
    if isinstance(value, list):
        return [_sized(one, size) for one in value]
    if isinstance(value, dict):
        return {name: _sized(one, size) for name, one in value.items()}
    pairs = size // 8  # of the numbers of a head, which LongRoPE turns together
    known: dict[str, Any] = {
        "size": size,
        "2*size": 2 * size,
        "size/4": size // 4,
        "short": [1.0] * pairs,
        "long": [8.0 ** (i / (pairs - 1)) for i in range(pairs)],
    }
    return known.get(value, value) if isinstance(value, str) else value
