"""``python -m samite``."""

from __future__ import annotations

from samite.cli import run_cli


def main() -> None:
    run_cli()


if __name__ == "__main__":
    main()
