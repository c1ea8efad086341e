"""Arguments of vLLM's own: how they are written, and which section takes which."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from flows.config.evaluate import EvaluateConfig
from flows.config.rest_em import RestEmConfig, load_config
from tasks.errors import UserError
from tasks.settings import Resources, SamplingSettings
from tasks.settings.vllm_args import (
    ANYBODY,
    CODE,
    OWNED,
    SPEED,
    flags,
    not_for_anybody,
    parse_vllm_args,
)


@pytest.mark.parametrize(
    ("item", "name", "value"),
    [
        ("kv_cache_dtype=fp8", "kv_cache_dtype", "fp8"),
        ("--max-num-batched-tokens=8192", "max_num_batched_tokens", 8192),
        ("enforce_eager=true", "enforce_eager", True),
        ("cpu_offload_gb=1.5", "cpu_offload_gb", 1.5),
        ("cudagraph_capture_sizes=[1, 2]", "cudagraph_capture_sizes", [1, 2]),
        ('hf_overrides={"rope_theta": 1e6}', "hf_overrides", {"rope_theta": 1e6}),
        ('quantization="fp8"', "quantization", "fp8"),
        ("quantization=", "quantization", ""),
        ("quantization=NaN", "quantization", "NaN"),
        ("model_impl = transformers", "model_impl", "transformers"),
    ],
)
def test_an_argument_is_a_name_and_a_value(item: str, name: str, value: object) -> None:
    assert parse_vllm_args([item]) == {name: value}


def test_equal_arguments_are_equal_in_any_order_and_spelling() -> None:
    one = parse_vllm_args(["quantization=fp8", "--kv-cache-dtype=auto"])
    other = parse_vllm_args(["kv_cache_dtype=auto", "quantization=fp8"])
    assert list(one.items()) == list(other.items())


@pytest.mark.parametrize(
    ("section", "item", "said"),
    [
        ("sampling", "fp8", "expected name=value"),
        ("sampling", "=fp8", "expected name=value"),
        ("sampling", "Kv=1", "expected name=value"),
        ("sampling", "max_num_batched_tokens=1", "expected in resources.vllm_args"),
        ("resources", "kv_cache_dtype=fp8", "expected in sampling.vllm_args"),
        ("resources", "no_such=1", "expected in sampling.vllm_args"),
        ("sampling", "dtype=half", "decided by model.dtype"),
        ("resources", "max_num_seqs=9", "decided by resources.batch_size"),
        ("resources", "gpu-memory-utilization=1", "decided by resources.memory_fraction"),
        ("sampling", "trust_remote_code=true", "trust_remote_code: would have vLLM run other code"),
        ("resources", "worker_cls=a.B", "worker_cls: would have vLLM run other code"),
        ("sampling", "hf_token=secret", "hf_token"),
    ],
)
def test_what_may_not_stand_there_is_said_in_one_line(section: str, item: str, said: str) -> None:
    with pytest.raises(UserError) as caught:
        load_config("math-demo", ["sampling.engine=vllm", f'{section}.vllm_args=["{item}"]'])
    text = str(caught.value)
    assert f"{section}.vllm_args" in text and said in text and "\n" not in text


def test_an_argument_comes_once() -> None:
    with pytest.raises(ValidationError, match="quantization: expected once, not twice"):
        SamplingSettings(engine="vllm", vllm_args=["quantization=fp8", "--quantization=awq"])


def test_they_are_for_vllm_alone() -> None:
    with pytest.raises(ValidationError, match="expected engine = vllm"):
        SamplingSettings(vllm_args=["quantization=fp8"])
    with pytest.raises(ValidationError, match="expected engine = vllm"):
        EvaluateConfig(vllm_args=["quantization=fp8"])


def test_the_kinds_do_not_overlap() -> None:
    assert not SPEED & OWNED.keys() and not CODE & (SPEED | OWNED.keys())
    assert not ANYBODY & (CODE | OWNED.keys())


def test_without_any_a_run_and_an_evaluation_are_those_of_before() -> None:
    assert "vllm_args" not in SamplingSettings().recipe()
    assert "vllm_args" not in SamplingSettings().described()
    told = SamplingSettings(engine="vllm", vllm_args=["quantization=fp8"])
    assert told.recipe()["vllm_args"] == ["quantization=fp8"]
    assert EvaluateConfig().run_id == "evaluate-165f5659"


def test_speed_is_in_no_run_id() -> None:
    plain = RestEmConfig()
    fast = RestEmConfig(resources=Resources(vllm_args=["enforce_eager=true"]))
    assert plain.run_id == fast.run_id


@pytest.mark.parametrize(
    ("item", "refused"),
    [
        ("max_num_batched_tokens=8192", ""),
        ("quantization=fp8", ""),
        ("cudagraph_capture_sizes=[1,2]", ""),
        ("download_dir=/etc", "download_dir"),
        ("hf_overrides={}", "hf_overrides"),
        ("speculative_config=x", "speculative_config"),
        ("compilation_config=3", "compilation_config"),
        ("quantization=/etc/passwd", "quantization='/etc/passwd'"),
        ('quantization={"a":1}', "quantization={'a': 1}"),
        ('cudagraph_capture_sizes=[["/etc"]]', "cudagraph_capture_sizes=[['/etc']]"),
        ("no_such=1", "no_such"),
    ],
)
def test_what_names_files_or_code_is_not_for_everybody(item: str, refused: str) -> None:
    assert not_for_anybody(parse_vllm_args([item])) == refused


def test_a_server_gets_them_as_flags() -> None:
    args = parse_vllm_args(
        [
            "enforce_eager=true",
            "async_scheduling=false",
            "block_size=32",
            "cudagraph_capture_sizes=[1,2]",
            'hf_overrides={"a": "b"}',
            "quantization=fp8",
        ]
    )
    assert flags(args) == [
        "--no-async-scheduling",
        *("--block-size", "32"),
        *("--cudagraph-capture-sizes", "1", "2"),
        "--enforce-eager",
        *("--hf-overrides", '{"a": "b"}'),
        *("--quantization", "fp8"),
    ]
