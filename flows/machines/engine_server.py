"""`restem engine serve`: a machine that samples for runs elsewhere (`resources.endpoints`).

It waits to be told a policy of the shared store, fetches it once, and starts `vllm serve` with it
on the next port; requests then go straight to vLLM. Another policy takes the place of the one
before. When a run has ended its stage vLLM is ended too, so that the GPUs are free to train.

    PUT /policy {"policy": {kind, key, digest, rows}, "dtype", "batch_size", "vllm_args"} -> {"url"}
    DELETE /policy; GET /policy -> {"digest", "url"}

Who may ask has the token (tasks/generate/engine_token.py) and names this server; before vLLM stands
the same (tasks/generate/in_vllm). Not covered: more than one policy at a time, and encryption: the
token crosses the network as it is.
"""

from __future__ import annotations

import contextlib
import hmac
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil

from flows.machines.vllm_server import check_flags, memory_flags, root_cause
from flows.server.hosts import HostNames, host_names
from flows.server.limited_http import LimitedHandler, LimitedServer
from tasks.dag.runtime import home, open_store
from tasks.errors import StepError, UserError
from tasks.facts import Facts
from tasks.generate.engine import vllm_variables
from tasks.generate.engine_token import TOKEN, server_token
from tasks.generate.vllm_engine import ENVIRONMENT, POLICY
from tasks.generate.vllm_environment import python_of, supported
from tasks.paths import GUARD, ROOT
from tasks.processes.cores import usable_cores
from tasks.rows import Json
from tasks.settings import Resources
from tasks.settings.vllm_args import flags, not_for_anybody, parse_vllm_args
from tasks.store.store import ArtifactRef, Damage

IN_VLLM = ROOT / "tasks" / "generate" / "in_vllm"
# vLLM's own command looks for a package of its name, which the CPU build has not.
_VLLM_MODULE = "vllm.entrypoints.openai.api_server"
_POLL_SECONDS = 0.2
_BODY_BYTES = 64 * 1024
# Folder in RESTEM_HOME; a server's vLLM works in the one there that is named by its port, which
# tells its processes from others: vLLM overwrites what the kernel shows of their environment. The
# guard ends them all; but if the guard itself is killed, vLLM's engine process would stay and keep
# the GPU.
SERVING_FOLDER = "serving"


def serving(home: Path) -> dict[int, list[psutil.Process]]:
    """The processes of all vLLM servers of a RESTEM_HOME, by the port that they serve on."""
    found: dict[int, list[psutil.Process]] = {}
    places = (home / SERVING_FOLDER).resolve()
    for process in psutil.process_iter():
        with contextlib.suppress(OSError, psutil.Error):
            place = Path(process.cwd())
            if place.parent == places:
                found.setdefault(int(place.name), []).append(process)
    return found


@dataclass(frozen=True)
class PolicyRequest(Facts):
    """What a run asks this machine to serve.

    Attributes:
        batch_size: Sequences at once.
        vllm_args: What vLLM is told besides, which is nothing that names a file or code.
    """

    policy: ArtifactRef
    dtype: str
    batch_size: int
    vllm_args: Json = field(default_factory=dict)


class EngineServer:
    """The one vLLM server of this machine, and the policy that it serves."""

    def __init__(
        self, host: str, port: int, resources: Resources, extra: list[str], token: str
    ) -> None:
        """Nothing is started yet.

        vLLM will listen at host and port, take `extra` flags, and answer who shows the token.
        """
        self._token, self._names = token, host_names(port, f"{host}:{port}")
        self._host, self._port, self._resources, self._extra = host, port, resources, extra
        self._store = open_store(resources)
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._lifeline = -1
        self._serves = ("", "", "")

    @property
    def url(self) -> str:
        """Where requests go."""
        return f"http://{self._host}:{self._port}/v1"

    def serve(self, asked: PolicyRequest) -> dict[str, str]:
        """Have vLLM serve a policy.

        Raises:
            UserError: the store has no such policy, or vLLM is not there or of another version.
            StepError: vLLM did not start.
        """
        policy = asked.policy
        if refused := not_for_anybody(asked.vllm_args):
            raise UserError(
                f"sampling.vllm_args: {refused}: a run may not ask it of this server; start the "
                "server with it (restem engine serve ... -- FLAGS)"
            )
        told = json.dumps(asked.vllm_args, sort_keys=True)
        wanted = (policy.digest, asked.dtype, told)
        with self._lock:
            if self._serves != wanted or self._process is None or self._process.poll() is not None:
                self._end()
                try:
                    found = self._store.lookup(policy.kind, policy.key)
                except Damage as damage:
                    raise UserError(str(damage)) from None
                if found is None or found.digest != policy.digest:
                    raise UserError(
                        f"no policy {policy.location} in this machine's store (--store)"
                    )
                self._start(self._store.path(found), policy.digest, asked)
                self._serves = wanted
        return self.state()

    def state(self) -> dict[str, str]:
        """What is served, and where."""
        return {"digest": self._serves[0], "url": self.url if self._serves[0] else ""}

    def end(self) -> None:
        """End vLLM, so that its memory is free."""
        with self._lock:
            self._end()

    def _start(self, folder: Path, name: str, asked: PolicyRequest) -> None:
        resources = self._resources
        command = [
            *(str(supported(python_of(home())).absolute()), "-m", _VLLM_MODULE),
            *("--model", POLICY, "--served-model-name", name),
            *("--host", self._host, "--port", str(self._port)),
            *("--dtype", asked.dtype, "--max-num-seqs", str(asked.batch_size)),
            *("--enable-prefix-caching", "--seed", "0", "--generation-config", "vllm"),
        ]
        command += [*memory_flags(resources), "--middleware", "restem_access.Access"]
        # The last of equal flags counts.
        command += [*flags(parse_vllm_args(resources.vllm_args)), *flags(asked.vllm_args)]
        self._sweep()
        guard_end, self._lifeline = os.pipe()
        log = home() / "logs" / f"engine-serve-{self._port}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        place = home() / SERVING_FOLDER / str(self._port)
        place.mkdir(parents=True, exist_ok=True)
        # One name for all policies, so that they share compiled code (by_one_name of its engine).
        (place / POLICY).unlink(missing_ok=True)
        (place / POLICY).symlink_to(folder.absolute())
        threads = resources.threads or usable_cores()
        with log.open("ab") as sink:
            begin = sink.tell()
            self._process = subprocess.Popen(
                [sys.executable, "-SE", str(GUARD), str(guard_end), "", *command, *self._extra],
                pass_fds=[guard_end],
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                start_new_session=True,
                cwd=place,
                env={
                    **os.environ,
                    **ENVIRONMENT,
                    **vllm_variables(home(), threads),
                    "VLLM_API_KEY": self._token,  # in the environment, which others cannot read
                    "RESTEM_ENGINE_HOSTS": " ".join(self._names.hosts),
                    "PYTHONPATH": os.pathsep.join(
                        filter(None, [str(IN_VLLM), os.environ.get("PYTHONPATH")])
                    ),
                },
            )
        os.close(guard_end)
        while not self._healthy():
            if self._process.poll() is not None:
                self._end()
                raise StepError(f"vLLM did not start: {root_cause(log, begin)} (log: {log})")
            time.sleep(_POLL_SECONDS)

    def _healthy(self) -> bool:
        try:
            address = self.url.removesuffix("/v1") + "/health"
            return httpx.get(address, timeout=2, trust_env=False).is_success
        except httpx.HTTPError:
            return False

    def _end(self) -> None:
        if self._process is not None:
            os.close(self._lifeline)
            self._process.wait()
            self._sweep()
        self._process, self._serves = None, ("", "", "")

    def _sweep(self) -> None:
        """Kill what an earlier vLLM of this place left behind."""
        for process in serving(home()).get(self._port, []):
            with contextlib.suppress(psutil.Error):
                process.kill()
                process.wait(_POLL_SECONDS)


class Handler(LimitedHandler):
    """The three requests of the module's docstring."""

    engine: EngineServer
    say: Callable[[str], None]
    token: str
    own: HostNames

    def do_PUT(self) -> None:
        """Serve a policy."""
        if not self._allowed():
            return
        try:
            asked = json.loads(self.body(_BODY_BYTES) or b"")
            answer = 200, self.engine.serve(PolicyRequest.from_json(asked))
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            answer = 422, {"error": f"expected policy, dtype and batch_size ({error})"}
        except UserError as error:
            answer = 422, {"error": str(error)}
        except (StepError, OSError) as error:
            answer = 500, {"error": str(error)}
            self.say(str(error))
        self._answer(*answer)

    def do_DELETE(self) -> None:
        """End vLLM."""
        if self._allowed():
            self.engine.end()
            self._answer(200, self.engine.state())

    def do_GET(self) -> None:
        """Say what is served."""
        if self._allowed():
            self._answer(200, self.engine.state())

    def _allowed(self) -> bool:
        given = self.headers.get("Authorization", "").encode()
        origins = self.headers.get_all("Origin", [])
        refused = self.own.refusal(self.headers.get_all("Host", []), origins)
        if refused or origins:
            self._answer(403, {"error": refused or "a page in a browser may not ask"})
        elif not hmac.compare_digest(given, f"Bearer {self.token}".encode()):
            self._answer(401, {"error": f"expected the token of {TOKEN}"})
        elif self.path != "/policy":
            self._answer(404, {"error": "expected /policy"})
        else:
            return True
        return False

    def _answer(self, status: int, body: dict[str, str]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        with contextlib.suppress(BrokenPipeError):
            self.wfile.write(data)


def serve_policies(
    host: str, port: int, resources: Resources, extra: list[str], say: Callable[[str], None]
) -> None:
    """Serve until interrupted; vLLM listens on the port after this one.

    `say` is told why vLLM did not start.

    Raises:
        UserError: the port is taken, vLLM's environment is missing, or a flag changes samples.
    """
    check_flags(extra)
    python_of(home())
    token = server_token()
    engine = EngineServer(host, port + 1, resources, extra, token)
    own = host_names(port, f"{host}:{port}")
    parts = {"engine": engine, "say": staticmethod(say), "token": token, "own": own}
    handler = type("Bound", (Handler,), parts)
    try:
        server = LimitedServer((host, port), handler)
    except OSError as error:
        raise UserError(f"--port {port}: {error.strerror}; expected a free port") from None
    with server:
        try:
            server.serve_forever()
        finally:
            engine.end()
