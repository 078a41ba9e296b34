"""What was written on the command line, as against what is there by default."""

import click
from click.core import ParameterSource

__all__ = ["is_given"]


def is_given(target: str) -> bool:
    """Whether the command line of now sets this target; no line at all sets none."""
    context = click.get_current_context(silent=True)
    source = None if context is None else context.get_parameter_source(target)
    return source is ParameterSource.COMMANDLINE
