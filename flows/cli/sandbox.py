"""The verbs about running programs: `restem execute` and `restem sandbox`."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from flows.cli.options import AsJson
from sandbox.images import IMAGES, ImageName
from tasks.errors import UserError

ImageOption = Annotated[
    ImageName,
    typer.Option("--image", help="standard: Python. cpp: g++ too. contest: more to import."),
]
sandbox_app = typer.Typer(help="The sandbox that programs run in.", no_args_is_help=True)


def execute(
    file: Annotated[Path, typer.Argument(help="JSON lines of programs and tests; - for input.")],
    workers: Annotated[int, typer.Option(help="Containers; 0: one a core.", min=0)] = 0,
    image: ImageOption = "standard",
) -> None:
    """Run programs on their tests in the sandbox: one line for each with its verdict."""
    from sandbox.pool import NoEngine, SandboxPool
    from tasks.score.execute_file import MEMORY_MB, execute_lines

    if str(file) != "-" and not file.is_file():
        raise UserError(f"{file}: no such file; expected JSON lines with id, program and tests")
    tag = IMAGES[image].tag
    stream = sys.stdin.buffer if str(file) == "-" else file.open("rb")
    try:
        with stream, SandboxPool(tag, workers=workers, memory=MEMORY_MB * 2**20) as pool:
            execute_lines(stream, pool, sys.stdout, IMAGES[image].languages)
    except NoEngine as error:
        raise UserError(str(error)) from None


def make_image(run_id: str, name: ImageName) -> None:
    """Make the image that a run will need, if it is not there.

    Raises:
        NoEngine: no engine answers, or the image cannot be made.
    """
    from flows.runs.journal import is_completed
    from sandbox import image
    from sandbox.pool import connect

    if is_completed(run_id):  # likely all cached
        return
    with contextlib.closing(connect()) as client:
        if image.find_image(client, IMAGES[name].tag) is None:
            typer.echo("making the sandbox image, once; this takes about two minutes")
            image.build_image(typer.echo, name=name)


@sandbox_app.command("build")
def sandbox_build(
    base: Annotated[
        str, typer.Option(help="Base image, such as debian@sha256:...; empty: the shipped one.")
    ] = "",
    image: ImageOption = "standard",
) -> None:
    """Make an image, from a registry's base image or from Debian's packages."""
    from sandbox.image import build_image
    from sandbox.pool import NoEngine

    try:
        typer.echo(build_image(typer.echo, base, image))
    except NoEngine as error:
        raise UserError(str(error)) from None


@sandbox_app.command("check")
def sandbox_check(as_json: AsJson = False, image: ImageOption = "standard") -> None:
    """Attack the sandbox on this machine; exit 1 if anything gets through."""
    from sandbox.check import run_attacks as attack
    from sandbox.pool import NoEngine, SandboxPool

    found: list[dict[str, object]] = []
    try:
        with SandboxPool(IMAGES[image].tag, workers=1) as pool:
            for one in attack(pool):
                found.append({"attack": one.name, "status": one.status.value, "held": one.held})
                if not as_json:
                    word = "held" if one.held else "BROKEN"
                    typer.echo(f"{one.name:40} {one.status.value:16} {word}")
    except NoEngine as error:
        raise UserError(str(error)) from None
    broken = sum(not one["held"] for one in found)
    if as_json:
        typer.echo(json.dumps(found))
    else:
        held = len(found) - broken
        typer.echo(f"{held} of {len(found)} attacks held, on {os.uname().nodename}")
    if broken:
        raise typer.Exit(1)


@sandbox_app.command("shell")
def sandbox_shell(
    python: Annotated[bool, typer.Option("--python", help="Python instead of a shell.")] = False,
) -> None:
    """Look around where programs run, with their rights; commands may also be piped in."""
    from sandbox import shell as shells
    from sandbox.image import TAG, find_image
    from sandbox.pool import NoEngine, connect

    try:
        client = connect()
    except NoEngine as error:
        raise UserError(str(error)) from None
    try:
        image = find_image(client)
        if image is None:
            raise UserError(f"image {TAG} is missing; run `restem sandbox build`")
        code = shells.open_shell(client, image, shells.PYTHON_COMMAND if python else None)
    finally:
        client.close()
    raise typer.Exit(code)
