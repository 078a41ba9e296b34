"""A load as JUnit XML, for CI: a test case for each threshold, for the client and the outcome."""

import xml.etree.ElementTree as ET
from dataclasses import replace
from typing import Final

from asyncfind.load.health import Health, Strength
from asyncfind.load.report_words import errors_by_kind, state_words
from asyncfind.load.result import LoadResult
from asyncfind.load.verdict import exit_code
from asyncfind.records import ExitCode
from asyncfind.safe import safe

__all__ = ["junit_report"]

_SUITE: Final = "asyncfind load"


def junit_report(result: LoadResult) -> str:
    """One suite; it fails where the exit code does.

    A saturated client is an error, not a failure: nothing was proved. One that was allowed to be
    saturated (the exit code is another) is told in the output of its case.
    """
    suite = ET.Element("testsuite", name=_SUITE)
    suite.set("timestamp", result.started.isoformat(timespec="seconds"))
    suite.set("time", f"{result.seconds:.3f}")
    for one in result.thresholds:
        case = _case(suite, "thresholds", one.threshold.text)
        value = one.threshold.shown(one.value)
        when = "" if one.at is None else f" at {one.at:g} s"
        if one.passed:
            _output(case, value)
        else:
            ended = "; it ended the run" if one.aborted else ""
            _fail(case, "failure", f"{value}{when}", f"{one.threshold.text}: {value}{when}{ended}")
    _outcome(suite, result)
    _client(suite, result)
    for count, tag in (("tests", "testcase"), ("failures", "failure"), ("errors", "error")):
        suite.set(count, str(len(list(suite.iter(tag)))))
    suite.set("skipped", "0")
    ET.indent(suite)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(suite, "unicode")}\n'


def _outcome(suite: ET.Element, result: LoadResult) -> None:
    """Whether the plan was met, as far as no threshold says what of it is fine."""
    case = _case(suite, "outcome", "every query complete")
    total = result.total
    short = state_words(result)
    if not result.reached:
        short.insert(0, "no association could be opened")
    for name in ("failed", "dropped", "skipped", "censored"):
        if count := getattr(total, name):
            short.append(f"{count} of {total.offered} {name}")
    if not total.offered:
        short.append("nothing was measured")
    details = [
        f"{safe(kind)} {safe(detail)}: {count}"
        for kind, counts in errors_by_kind(result.total.errors).items()
        for detail, count in counts.items()
    ]
    if _is_short(result):
        _fail(case, "failure", "; ".join(short), "\n".join([*short, *details]))
    elif details:
        _output(case, "\n".join(details))


def _is_short(result: LoadResult) -> bool:
    """It would fail even if every threshold held and the client was well."""
    code = exit_code(
        result.load,
        result.total,
        health=Health(Strength.OK),
        thresholds=[replace(one, passed=True) for one in result.thresholds],
        reached=result.reached,
        stopped=result.stopped,
        interrupted=result.interrupted,
    )
    return code is not ExitCode.COMPLETE


def _client(suite: ET.Element, result: LoadResult) -> None:
    case = _case(suite, "client", "client health")
    words = "; ".join([str(result.health.verdict), *result.health.reasons])
    if result.health.verdict is Strength.SATURATED and result.exit is ExitCode.SATURATED:
        _fail(case, "error", "SATURATED: results are a lower bound", words)
    else:
        _output(case, words)


def _case(suite: ET.Element, group: str, name: str) -> ET.Element:
    return ET.SubElement(suite, "testcase", classname=f"{_SUITE}.{group}", name=safe(name))


def _fail(case: ET.Element, tag: str, message: str, text: str) -> None:
    ET.SubElement(case, tag, message=message, type="asyncfind").text = text


def _output(case: ET.Element, text: str) -> None:
    ET.SubElement(case, "system-out").text = text
