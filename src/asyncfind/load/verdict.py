"""The exit code of a load: what came out, and whether it is to be believed."""

from collections.abc import Sequence

from asyncfind.load.health import Health, Strength
from asyncfind.load.spec import Load
from asyncfind.load.tally import Tally
from asyncfind.load.threshold import Result
from asyncfind.records import ExitCode

__all__ = ["exit_code"]

_QUANTITIES = ("error", "dropped", "skipped", "censored")


def exit_code(
    load: Load,
    total: Tally,
    *,
    health: Health,
    thresholds: Sequence[Result],
    reached: bool,
    stopped: str,
    interrupted: bool,
) -> ExitCode:
    """The code, the first that applies: an invalid measurement proves no threshold.

    A threshold on errors, dropped, skipped or censored arrivals replaces the rule that any of
    them makes the load incomplete.
    """
    if interrupted:
        return ExitCode.INTERRUPTED
    if health.verdict is Strength.SATURATED and not load.allow_saturated:
        return ExitCode.SATURATED
    if not all(result.passed for result in thresholds):
        return ExitCode.THRESHOLD
    if not reached:
        return ExitCode.NO_ASSOCIATION
    counts = (total.failed, total.dropped, total.skipped, total.censored)
    for quantity, count in zip(_QUANTITIES, counts, strict=True):
        if count and not _is_ruled(quantity, total, thresholds):
            return ExitCode.INCOMPLETE
    return ExitCode.INCOMPLETE if stopped or not total.offered else ExitCode.COMPLETE


def _is_ruled(quantity: str, total: Tally, thresholds: Sequence[Result]) -> bool:
    """The user has said how many of these are too many; of errors, of each kind that occurred."""
    rules = [one.threshold for one in thresholds if one.threshold.metric == quantity]
    rules = [one for one in rules if not one.is_time]
    if quantity != "error" or any(not one.kind for one in rules):
        return bool(rules)
    return {kind for kind, _ in total.errors} <= {one.kind for one in rules}
