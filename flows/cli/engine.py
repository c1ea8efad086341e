"""`restem engine`: vLLM's own environment, and serving policies from this machine."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from tasks.errors import UserError

engine_app = typer.Typer(help="The vLLM engine's own environment.", no_args_is_help=True)


@engine_app.command("install")
def engine_install(
    name: Annotated[str, typer.Argument(help="vllm")] = "vllm",
    cpu: Annotated[bool, typer.Option("--cpu", help="The CPU build.")] = False,
) -> None:
    """Make the engine's environment under RESTEM_HOME."""
    from tasks.dag.runtime import home
    from tasks.generate.vllm_environment import install

    if name != "vllm":
        raise UserError(f"NAME {name}: expected vllm, the one engine with its own environment")
    typer.echo(install(home(), cpu))


@engine_app.command("check")
def engine_check() -> None:
    """Say which engines are there."""
    from tasks.dag.runtime import home
    from tasks.generate.vllm_environment import check

    for fact in check(home()):
        typer.echo(fact)


@engine_app.command("serve")
def engine_serve(
    host: Annotated[str, typer.Option(help="Address under which runs reach it.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="vLLM itself listens on the next one.")] = 8100,
    change: Annotated[
        list[str] | None, typer.Option("--set", help="resources.KEY=VALUE, such as the store.")
    ] = None,
    extra: Annotated[list[str] | None, typer.Argument(help="Flags for vLLM, after --.")] = None,
) -> None:
    """Sample for runs elsewhere: serve the policies of the store by vLLM, as they ask."""
    from flows.config.rest_em import load_config
    from flows.machines.engine_server import serve_policies
    from tasks.generate.engine_token import TOKEN, token_file

    resources = load_config("math-demo", change or []).resources
    typer.echo(f"waiting for runs at http://{host}:{port} (resources.endpoints)")
    if not os.environ.get(TOKEN):
        typer.echo(f"runs of other homes need {TOKEN}, as it is in {token_file()}")
    serve_policies(host, port, resources, extra or [], lambda line: typer.echo(line, err=True))
