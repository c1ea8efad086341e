"""The program `restem`; `python -m restem` is the same."""

from __future__ import annotations

from restem import use_own_names


def main() -> None:
    """Entry point."""
    use_own_names()
    from flows.cli.main import main as run

    run()


if __name__ == "__main__":
    main()
