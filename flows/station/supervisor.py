"""The detached process behind `restem up`: runs the server, the worker and the pages.

Who ends when whom is killed:

    guard (tasks/processes/guard.py) -> supervisor -> server, worker, pages;  worker -> flow runs

- The server, the worker or the pages: the supervisor starts it again. A flow run whose worker was
  killed becomes the supervisor's child (it is a "subreaper"), goes on to its end and reports it
  itself.
- The supervisor: the kernel kills its three children, and the guard, to whom the flow runs fall,
  kills those.
- The guard: the kernel sends the supervisor SIGTERM, which ends everything as `restem down` does.

On SIGTERM flow runs are asked to end first, while the server can still note it: they are Crashed
there, with Retry offered, and resume from their artifacts.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from types import FrameType

from flows.server import access
from flows.server.address import PAGES_VARIABLE, StationNote, folder, started, write_note
from flows.server.api import Api, ApiError
from flows.server.database import database_file, is_damaged, mend_database
from flows.station.deployments import POOL, is_closed
from flows.station.processes import engines
from tasks.dag.runtime import home
from tasks.errors import UserError
from tasks.paths import ROOT
from tasks.processes.capped_log import cap_logs
from tasks.processes.guard import PR_SET_CHILD_SUBREAPER, PR_SET_PDEATHSIG, die_with_parent

# A run frees its engine and trainer and reports its end in about a second.
GRACE_SECONDS = 10.0
REAP_SECONDS = 15.0
# Soon after a first death; a part that keeps dying must not keep a core busy.
BACKOFF_SECONDS = (0.2, 1.0, 2.0, 5.0, 10.0)
# Lived so long: its next death is a first one again.
STEADY_SECONDS = 60.0
_POLL = 0.2


class ManagedProcess:
    """One of the three processes, restarted whenever it dies."""

    def __init__(self, name: str, command: list[str], env: dict[str, str]) -> None:
        self.name, self._command, self._env = name, command, env
        self.process: subprocess.Popen[bytes] | None = None
        self.deaths = 0
        self._deaths_in_a_row = 0
        self._started = self._next = 0.0

    @property
    def pid(self) -> int:
        """Its process id; 0 while there is none."""
        return self.process.pid if self.process else 0

    def died(self) -> bool:
        """Whether it has ended since the last look."""
        if self.process is None or self.process.poll() is None:
            return False
        code, self.process = self.process.returncode, None
        if time.monotonic() - self._started > STEADY_SECONDS:
            self._deaths_in_a_row = 0
        say(f"{self.name} ended with code {code}; it starts again in {self.put_off()} s")
        return True

    def put_off(self) -> float:
        """Count a death, or a start that could not be; after how long it is due, in seconds."""
        wait = BACKOFF_SECONDS[min(self._deaths_in_a_row, len(BACKOFF_SECONDS) - 1)]
        self._deaths_in_a_row += 1
        self.deaths += 1
        self._next = time.monotonic() + wait
        return wait

    def due(self) -> bool:
        """Whether it is time to start it."""
        return self.process is None and time.monotonic() >= self._next

    def start(self) -> None:
        """Start it; it is killed when the supervisor's main thread, which must call this, ends."""
        self.process = self.run_beside(self._command)
        self._started = time.monotonic()

    def run_beside(self, command: list[str]) -> subprocess.Popen[bytes]:
        """Start a command with this part's environment and log; it ends as `start` says."""
        with (folder() / f"{self.name}.log").open("ab") as log:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Of its own, so that a signal to one part's group reaches that part alone.
                start_new_session=True,
                preexec_fn=die_with_parent,
                cwd=home(),
                env=self._env,
            )

    def end(self, how: int) -> None:
        """Send a signal, if it is there."""
        if self.process is not None:
            self.process.send_signal(how)


class Supervisor:
    """Keeps the three parts of a station running until SIGTERM."""

    def __init__(self, port: int, pages: int, guard: int) -> None:
        address = f"http://127.0.0.1:{port}/api"
        self._api = Api(address)  # it looks the secret up, and at who listens, for each request
        self._pages = f"http://127.0.0.1:{pages}"
        self._guard = guard
        secret = access.new_server_secret()
        env = environment(self._api.address, self._pages, secret)
        python = [sys.executable, "-m"]
        self.server = ManagedProcess(
            "server",
            [*python, "flows.server.api_server", "--host", "127.0.0.1", "--port", str(port)],
            {**env, access.SERVER: secret},
        )
        self.worker = ManagedProcess(
            "worker",
            [
                *python,
                *("prefect", "worker", "start", "--pool", POOL, "--type", "process"),
                # Pauses do not count: a run that waits for a person holds no process.
                *("--limit", "1", "--name", "restem", "--install-policy", "never"),
            ],
            env,
        )
        self.pages = ManagedProcess("pages", [*python, "flows.station.web", str(pages)], env)
        self._register = [*python, "flows.station.register", self._pages]
        self._unsure = False  # whether the server has the work pool
        self._registering: subprocess.Popen[bytes] | None = None
        self._stop = threading.Event()

    def run(self) -> None:
        """Keep them until SIGTERM, then end them."""
        signal.signal(signal.SIGTERM, self._on_signal)
        signal.signal(signal.SIGINT, self._on_signal)
        threading.Thread(target=self._reap_for_ever, daemon=True).start()
        while not self._stop.is_set():
            if self._tend():
                self._write()
            known = [part.pid for part in (self.server, self.worker, self.pages)]
            _collect([*known, self._registering.pid if self._registering else 0])
            self._stop.wait(_POLL)
        self._shut_down()

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._stop.set()

    def _tend(self) -> bool:
        """Start what is missing; whether anything changed."""
        changed = False
        for part in (self.server, self.pages, self.worker):
            changed |= part.died()
            if part.due() and self._may_start(part):
                part.start()
                changed = True
        if self._unsure and self.server.process:
            self._pool_is_there()
        return changed

    def _may_start(self, part: ManagedProcess) -> bool:
        if part is self.worker:
            return self._pool_is_there()
        try:
            said = mend_database() if part is self.server else ""
        except UserError as error:
            say(f"{error}; the next look is in {part.put_off()} s")
            return False
        if said:
            say(said)
        # `restem up` registers with the first server; a later one may have lost its database.
        self._unsure |= part is self.server and part.deaths > 0
        return True

    def _pool_is_there(self) -> bool:
        """Whether a worker would find its server and pool; without them it ends at once."""
        try:
            pool = self._api.get(f"/work_pools/{POOL}", 2.0)
        except ApiError as error:
            if error.status == 404 and self._unsure:
                self._register_again()
            return False
        # A worker that lives on makes a missing pool itself, of Prefect's open template.
        if self._unsure and not is_closed(pool["base_job_template"]):
            self._register_again()
            return False
        self._unsure = False
        return True

    def _register_again(self) -> None:
        if self._registering is None or self._registering.poll() is not None:
            say("the server has lost the work pool; it is registered again")
            self._registering = self.server.run_beside(self._register)

    def _write(self) -> None:
        parts = (self.server, self.worker, self.pages)
        note = StationNote(
            address=self._api.address,
            pages=self._pages,
            pid=os.getpid(),
            started=started(os.getpid()),
            guard=self._guard,
            server=self.server.pid,
            worker=self.worker.pid,
            pages_pid=self.pages.pid,
            restarts={part.name: part.deaths for part in parts},
        )
        write_note(note)

    def _reap_for_ever(self) -> None:
        from flows.station.reaper import Reaper

        reaper = Reaper(self._api, POOL)
        worker = 0
        while not self._stop.is_set():
            # A new worker knows nothing of the old one's runs, so the dead among them go at once.
            fresh, worker = self.worker.pid != worker, self.worker.pid
            for line in reaper.look(at_once=fresh):
                say(line)
            cap_logs(folder())
            path = database_file()
            if path and reaper.answered and is_damaged(path):
                say("the server's database was damaged under it; it starts again")
                self.server.end(signal.SIGKILL)
            deadline = time.monotonic() + REAP_SECONDS
            while time.monotonic() < deadline and self.worker.pid in (worker, 0):
                if self._stop.wait(_POLL):
                    return

    def _shut_down(self) -> None:
        # The worker first and without a word: asked to end it would signal its run a second time,
        # in the middle of that run's own report.
        self.worker.end(signal.SIGKILL)
        deadline = time.monotonic() + GRACE_SECONDS
        asked: set[int] = set()
        while (runs := set(engines(self._api.address))) and time.monotonic() < deadline:
            for pid in runs - asked:
                say(f"run in process {pid} is interrupted")
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGTERM)
            asked |= runs
            _collect([self.server.pid, self.pages.pid])
            time.sleep(_POLL)
        for part in (self.pages, self.server):
            part.end(signal.SIGTERM)
        for part in (self.worker, self.pages, self.server):
            if part.process is not None:
                try:
                    part.process.wait(max(1.0, deadline - time.monotonic()))
                except subprocess.TimeoutExpired:
                    part.end(signal.SIGKILL)
        say("down")


def environment(api: str, pages: str, secret: str) -> dict[str, str]:
    """What the server, the worker and its runs get. `prefect_environment` has run before."""
    prefect = {
        access.API: api,
        access.CLIENT: secret,
        PAGES_VARIABLE: pages,
        "RESTEM_HOME": str(home()),
        # The UI asks this address, whatever port it was itself loaded from.
        "PREFECT_SERVER_UI_API_URL": api,
        # In memory, a killed server would forget who holds the slot, and that run would be ended.
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "flows.server.after_sleep",
        # To server.log and worker.log, where nobody is frightened.
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "WARNING",
        "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
        "PREFECT_WORKER_QUERY_SECONDS": os.environ.get("PREFECT_WORKER_QUERY_SECONDS", "5"),
        # A server that was killed is back in seconds; 2^1 + ... + 2^7 s outlast it.
        "PREFECT_CLIENT_MAX_RETRIES": "7",
        # What the server answers while its database is away.
        "PREFECT_CLIENT_RETRY_EXTRA_CODES": "500",
        # Runs start in a folder of their own; the flows are found all the same.
        "PYTHONPATH": os.pathsep.join(
            filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]),
        ),
    }
    inherited = {name: value for name, value in os.environ.items() if name != access.SERVER}
    return {**inherited, **prefect}


def say(text: str) -> None:
    """A line in the supervisor's log, which is its standard output."""
    print(time.strftime("%Y-%m-%d %H:%M:%S"), text, flush=True)


def _collect(parts: list[int]) -> None:
    """Let ended orphans go, that were handed to the supervisor; the parts' codes are Popen's."""
    with contextlib.suppress(ChildProcessError):
        while found := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            if found.si_pid in parts:
                return  # the next round asks Popen for it
            os.waitpid(found.si_pid, 0)


def main() -> None:
    """`python -m flows.station.supervisor PORT PAGES`, under the guard that `restem up` starts."""
    libc = ctypes.CDLL(None)
    guard = os.getppid()
    # The guard asked for SIGKILL at its own end; with SIGTERM there is time to end the runs well.
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1)
    Supervisor(int(sys.argv[1]), int(sys.argv[2]), guard).run()


if __name__ == "__main__":
    main()
