"""The commands: argv to plan, outcome to exit code."""

__all__ = ["main"]


def main() -> None:
    """Run the command line; ends the process."""
    try:
        from asyncfind.cli.app import main as run
    except KeyboardInterrupt:  # importing takes a moment, too
        raise SystemExit(130) from None
    run()
