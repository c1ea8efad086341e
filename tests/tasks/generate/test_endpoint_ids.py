"""What a plain server is asked by the step that samples, and which ids its answers give."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from flows.machines.local import LocalMachine
from tasks.dag.step import perform
from tasks.decoding.prompt_tokens import prompt_ids
from tasks.generate.step import generate_call
from tasks.policy.step import base_call
from tasks.problems.step import cut_blocks, load_splits, problems_call
from tasks.prompts import load_template
from tasks.rows import PROBLEMS_FILE, SAMPLES_FILE, TOKEN_IDS, Json, Row, read_rows
from tasks.settings import DataSettings, ModelSettings, Resources
from tasks.store.store import Store
from tests.tasks.chat_parts import save
from tests.tasks.tokenizer_kinds import tokenizer

SAMPLES = 2
LONGEST = 8
TEMPLATE = "gsm8k"


class Plain(ThreadingHTTPServer):
    """As `vllm serve` answers; `ids` is what it gives besides the text."""

    def __init__(self, ids: Json) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.ids, self.asked = ids, list[Json]()
        self.model = ""


class _Handler(BaseHTTPRequestHandler):
    server: Plain  # pyright: ignore[reportIncompatibleVariableOverride]

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_error(404)

    def do_GET(self) -> None:
        self._say({"data": [{"id": self.server.model}]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])).decode())
        if any(isinstance(value, dict) for value in body.values()):
            return self.send_error(400)  # no field of a request is an object
        if body["max_tokens"] == LONGEST and not body.get("stream"):  # no look at the server
            self.server.asked.append(body)
        choice = {"text": " 42", "finish_reason": "stop", **self.server.ids}
        self._say({"choices": [choice], "usage": {"completion_tokens": 2}})

    def _say(self, data: Json) -> None:
        said = json.dumps(data).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Iterator[Plain]:
    with Plain(request.param) as made:
        threading.Thread(target=made.serve_forever, args=(0.01,), daemon=True).start()
        yield made
        made.shutdown()


def sampled(folder: Path, server: Plain) -> tuple[list[Row], list[str]]:
    """The samples of a shard, and the prompts' texts."""
    policy = save(folder / "model", "llama3")
    tokenizer("adds-end").save_pretrained(policy)  # which puts an end behind every text
    store = Store(str(folder / "store"), cache=folder / "cache")
    address = f"http://127.0.0.1:{server.server_port}"
    resources = Resources(device="cpu", endpoints=[address], stall_seconds=200)
    with LocalMachine(store, folder, resources, lambda *_: None) as services:
        data = DataSettings(train="synthetic_math", train_limit=2, test="synthetic_math")
        problems = perform(problems_call(data), services.runtime)
        model = perform(base_call(ModelSettings(base=str(policy))), services.runtime)
        server.model = model.digest
        (block,) = cut_blocks(load_splits(store.path(problems))["train"], "train", 10)
        template = load_template(TEMPLATE)
        settings = {
            "engine": "vllm",
            "dtype": "float32",
            "sampling": {"temperature": 1.0, "max_tokens": LONGEST},
            "prompt": template.digest,
            "shots": 1,
            "seed": 0,
            "problems": block.digest,
            "samples": [0, SAMPLES],
        }
        hints = {**block.to_json(), "template": TEMPLATE}
        call = generate_call("generate", settings, model, problems, hints)
        drawn = store.path(perform(call, services.runtime)) / SAMPLES_FILE
        asked = [
            template.render(row["question"], 1, row["subject"])
            for row in read_rows(store.path(problems) / PROBLEMS_FILE)
            if row["split"] == "train"
        ]
    return pq.read_table(drawn).to_pylist(), asked


@pytest.mark.parametrize("server", [{"token_ids": [7, 2]}], indirect=True)
def test_a_server_is_asked_with_ids_that_begin_once_and_do_not_end(server, tmp_path):
    rows, texts = sampled(tmp_path, server)
    made = tokenizer("adds-end")
    expected = prompt_ids(made, texts)
    assert made(texts[0])["input_ids"] == [*expected[0], made.eos_token_id]
    assert sorted(one["prompt"] for one in server.asked) == sorted(expected * SAMPLES)
    assert all(one["return_token_ids"] for one in server.asked)
    assert [row[TOKEN_IDS] for row in rows] == [[7, 2]] * len(rows)


@pytest.mark.parametrize("server", [{}, {"token_ids": None}], indirect=True)
def test_of_a_server_that_gives_no_ids_there_is_the_text(server, tmp_path):
    rows, _ = sampled(tmp_path, server)
    assert [(row["text"], row[TOKEN_IDS]) for row in rows] == [(" 42", None)] * len(rows)


@pytest.mark.parametrize("server", [{"token_ids": ["seven"]}, {"token_ids": 7}], indirect=True)
def test_ids_that_are_none_are_a_failure_of_the_server(server, tmp_path):
    rows, _ = sampled(tmp_path, server)
    assert {row["finish"] for row in rows} == {"error"}
