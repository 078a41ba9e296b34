"""The commands: argv to plan, outcome to exit code."""

from asyncfind.cli.app import main

__all__ = ["main"]
