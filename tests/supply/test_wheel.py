"""The wheel has all that a run needs, takes nobody's name, and works where there is no checkout."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from tasks.paths import ROOT
from tests.flows.conftest import Restem
from tests.ports import free_port
from tests.small import TINY

pytestmark = pytest.mark.engine

PACKAGES = ("flows", "tasks", "sandbox")
BELOW = (*PACKAGES, "configs", "models", "prefect.yaml", "constraints.txt", "locks/contest.txt")
OF_THE_BUILD = ("restem", "setup.py", "pyproject.toml", "MANIFEST.in", "README.md", "LICENSE")
# A reward that asks an installed package of the user's, whose name is one of ours.
REWARD = """
from tasks import WHOSE


def mine(completion, grade):
    assert WHOSE == "installed"
    return grade.reward
"""
LOAD = """
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("policy")
model = AutoModelForCausalLM.from_pretrained("policy")
prompt = tokenizer("Q: Ann has 23 caps, finds 4, sells 3. How many?\\nA: ", return_tensors="pt")
answer = model.generate(**prompt, max_new_tokens=40, do_sample=False)
print(tokenizer.decode(answer[0], skip_special_tokens=True))
"""
READ = """
import flows, sandbox, tasks
from restem.api import read_run

print(flows.WHOSE, tasks.WHOSE, sandbox.WHOSE, sorted(set(read_run("latest").metrics().iteration)))
"""
OWN = ("iterations=1", "filter.score=mine.py:mine", "evaluation.samples=0", "sampling.samples=8")


def repository(*places: str) -> list[str]:
    """The files of the repository in these places."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", *places]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    return [name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()]


@dataclass(frozen=True)
class Installed:
    """An environment with the wheel, and a folder in which somebody works."""

    python: Path
    folder: Path
    home: Path

    def __call__(self, *words: str, place: str = ".") -> str:
        """What a program of the environment prints."""
        plain = Restem(self.home, "").environment()
        del plain["PYTHONPATH"], plain["PREFECT_API_URL"]
        programs = self.python.parent
        done = subprocess.run(
            [str(programs / words[0]), *words[1:]],
            cwd=self.folder / place,
            env={**plain, "PATH": f"{programs}:{os.environ['PATH']}", "HF_HUB_OFFLINE": "1"},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert "Traceback" not in done.stderr, done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made from the archive of sources, as an index would have both."""
    place = tmp_path_factory.mktemp("build")
    for name in repository(*OF_THE_BUILD, *BELOW):
        (place / "checkout" / name).parent.mkdir(parents=True, exist_ok=True)
        (place / "checkout" / name).write_bytes((ROOT / name).read_bytes())
    build = f"import setuptools.build_meta as build; build.build_sdist({str(place)!r})"
    subprocess.run(
        [sys.executable, "-c", build], cwd=place / "checkout", check=True, capture_output=True
    )
    with tarfile.open(next(place.glob("*.tar.gz"))) as archive:
        archive.extractall(place / "sources", filter="data")
    sources = next((place / "sources").iterdir())
    pip = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "-w", str(place), str(sources)], check=True)
    return next(place.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """With what restem needs from the environment of the tests, and another `tasks` and `flows`."""
    place = tmp_path_factory.mktemp("installed")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(place / "venv")], check=True)
    python = place / "venv" / "bin" / "python"
    site = place / "venv" / "lib" / f"python{sysconfig.get_python_version()}" / "site-packages"
    # Of a folder that is named so, Python runs no .pth files: none leads to the checkout.
    (site / "needed.pth").write_text("\n".join({*map(sysconfig.get_path, ("purelib", "platlib"))}))
    (site / "tasks").mkdir()
    for file in (site / "tasks" / "__init__.py", site / "flows.py"):
        file.write_text('WHOSE = "installed"\n')
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "-q"]
    subprocess.run([*pip, "--no-deps", "--no-index", str(wheel)], check=True)
    for name in PACKAGES:
        (place / "folder" / name).mkdir(parents=True)
        (place / "folder" / name / "__init__.py").write_text('WHOSE = "the folder\'s"\n')
    return Installed(python, place / "folder", place / "home")


def test_it_has_all_that_lies_in_the_checkout_and_no_name_but_its_own(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        (top,) = (name for name in names if name.endswith("/top_level.txt"))
        assert archive.read(top).split() == [b"restem"]
    made_by = re.compile(r"models/[^/]+\.py")
    below = {f"restem/root/{one}" for one in repository(*BELOW) if not made_by.fullmatch(one)}
    about = {name for name in names if ".dist-info/" in name}
    assert names - about == below | set(repository("restem"))


def test_the_names_of_others_stay_theirs(installed: Installed) -> None:
    told = "import importlib.util as i, flows, tasks; print(flows.WHOSE, tasks.WHOSE, "
    said = installed("python", "-P", "-c", f"{told} i.find_spec('sandbox'))")
    assert said == "installed installed None\n"


def test_it_knows_its_version_and_its_configurations(installed: Installed) -> None:
    assert re.fullmatch(r"restem \d+\.\d+\.\d+\n", installed("restem", "--version"))
    assert installed("python", "-m", "restem", "--version").startswith("restem ")
    said = installed("restem", "configs")
    assert "math-demo" in said and "svamp-gemma270m" in said


def test_the_demo_runs(installed: Installed) -> None:
    changes = [part for one in TINY for part in ("--set", one)]
    said = installed("restem", "demo", *changes)
    assert "p1 " in said and "steps: " in said
    report = Path(installed("restem", "report", "latest").strip())
    assert "<style>" in report.read_text()


def test_a_project_runs_and_its_model_needs_no_restem(installed: Installed) -> None:
    installed("restem", "init", "project")
    project = installed.folder / "project"
    for name, text in (("mine.py", REWARD), ("load.py", LOAD)):
        (project / name).write_text(text)
    (installed.folder / "read.py").write_text(READ)
    changes = [part for one in OWN for part in ("--set", one)]
    checked = installed("restem", "data", "check", "--config", "restem.toml", place="project")
    assert "references pass" in checked
    assert "1 finetune" in installed("restem", "run", "restem.toml", *changes, place="project")
    installed("restem", "export", "latest", "--to", "policy", place="project")
    assert "####" in installed("python", "load.py", place="project")
    said = installed("python", "read.py")
    assert said == "the folder's the folder's the folder's [0, 1]\n"


def test_a_station_starts_with_its_deployments(installed: Installed) -> None:
    ports = [str(free_port()), str(free_port())]
    try:
        said = installed("restem", "up", "--no-browser", "--port", ports[0], "--pages", ports[1])
        assert "rest-em/math-demo" in said
    finally:
        assert installed("restem", "down") == "down\n"
