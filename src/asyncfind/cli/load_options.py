"""The options of `asyncfind load`: those of find that mean the same, and its own."""

import re
from typing import Any, Final

import click

from asyncfind.cli.options import FIND, Option
from asyncfind.errors import InvalidRequest

__all__ = ["LOAD", "REPORTS", "defaults_of_find"]

_PACE: Final = "pace"
_POOL: Final = "associations"
_JUDGE: Final = "what must hold"
_SAFETY: Final = "safety"
_REPORTS: Final = "reports"

_RATE: Final = re.compile(r"(\d{1,9}(?:\.\d{1,9})?) ?(?:/ ?(s|min|m|h))?")
_PER: Final = {None: 1, "s": 1, "min": 60, "m": 60, "h": 3600}

REPORTS: Final = {
    "report_json": ("asyncfind.load.report_json", "json_report"),
    "report_html": ("asyncfind.load.report_html", "html_report"),
    "report_csv": ("asyncfind.load.report_csv", "csv_report"),
    "report_prometheus": ("asyncfind.load.report_prometheus", "prometheus_report"),
    "report_junit": ("asyncfind.load.report_junit", "junit_report"),
}
"""What writes the file of an option, by its target; imported only when it is to."""


class _Time(click.ParamType["float"]):
    """`90`, `90s`, `500ms`, `2m`, `1h`."""

    name = "time"

    def __init__(self, *, zero: bool = False) -> None:
        self._zero = zero

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        if isinstance(value, float):
            return value
        from asyncfind.load.schedule import parse_seconds  # the help does without

        try:
            seconds = parse_seconds(str(value))
        except InvalidRequest as exc:
            self.fail(f"{exc.text}. {exc.hint.rstrip('.')}", param, ctx)
        if not (seconds > 0 or self._zero) or seconds > 1e7:
            self.fail(f"{value} is out of range", param, ctx)
        return seconds


class _Rate(click.ParamType["float"]):
    """`80`, `80/s`, `300/min`, `1000/h`."""

    name = "rate"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        found = _RATE.fullmatch(str(value))
        rate = 0.0 if found is None else float(found[1]) / _PER[found[2]]
        if found is None or not 0 < rate <= 1e6:
            self.fail(f"{value!r} is no rate; write 80, 80/s or 300/min", param, ctx)
        return rate


_SHARED: Final = (
    *("keys", "model", "nodes", "book", "calling", "called"),
    *("propose", "deflate_level", "new_vr"),
    *("relational", "date_time", "fuzzy", "timezone", "multiframe"),
    *("user", "passcode", "kerberos", "saml", "jwt", "user_response"),
    *("family", "bind", "max_pdu", "abort", "cancel_after", "max_identifier"),
    *("connect_timeout", "socket_timeout", "acse_timeout", "dimse_timeout"),
    *("first_response", "deadline"),
    *("tls", "key_and_certificate", "pkcs12", "password_from", "password", "password_file"),
    *("key_format", "ca_files", "ca_directories", "system_trust", "crl_files", "crl_check"),
    *("peer_certificate", "server_name", "no_sni", "verify_hostname", "pin", "profile", "ciphers"),
    "help",
)

_OWN: Final[tuple[Option, ...]] = (
    Option(long="--rate", target="rate", group=_PACE, metavar="RATE", type=_Rate(),
           help="open load: so many queries a second begin, however slow the archive is: 80, "
           "80/s, 300/min"),
    Option(long="--stages", target="stages", group=_PACE, metavar="STAGES",
           help="open load: rates in time, 0:50,30s:200,1m=20 rises from 50 a second to 200 at "
           "30 s, then is 20 from 1 m on"),
    Option(long="--concurrency", target="concurrency", group=_PACE, metavar="N",
           type=click.IntRange(1, 100_000),
           help="closed load: N queries at a time to each archive, each begun when the one before "
           "has ended"),
    Option(long="--think", target="think", group=_PACE, metavar="TIME", type=_Time(zero=True),
           help="with --concurrency: wait so long between an answer and the next query"),
    Option(long="--poisson", target="poisson", group=_PACE, flag=True, default=False,
           help="arrivals of an open load are random, as those of many users are"),
    Option(long="--seed", target="seed", group=_PACE, metavar="N", type=click.IntRange(0, 2**63),
           help="with --poisson: the same seed gives the same arrivals"),
    Option(long="--warm-up", target="warm_up", group=_PACE, metavar="TIME",
           type=_Time(zero=True), default=0.0, help="do not measure so long at the start"),
    Option(long="--duration", target="duration", group=_PACE, metavar="TIME", type=_Time(),
           help="measure so long (default: --stages to their end, else 1m)"),
    Option(long="--count", target="count", group=_PACE, metavar="N",
           type=click.IntRange(1, 10**9), help="measure N queries"),
    Option(long="--grace", target="grace", group=_PACE, metavar="TIME", type=_Time(zero=True),
           default=10.0,
           help="wait so long at the end for what is under way (default 10s); what is not over by "
           "then counts with its age"),
    Option(long="--associations", target="associations", group=_POOL, metavar="N",
           type=click.IntRange(1, 100_000),
           help="open load: most associations to one archive at a time (default 8), opened as "
           "queries wait"),
    Option(long="--per-association", target="per_association", group=_POOL, metavar="K",
           type=click.IntRange(1, 10**9),
           help="release an association after K queries; 1 takes a new one for each"),
    Option(long="--new-associations", target="new_associations", group=_POOL, metavar="N",
           type=click.IntRange(1, 100_000),
           help="open at most N associations to one archive in any second (default 5; no limit on "
           "this machine or with --i-own-this-scp)"),
    Option(long="--on-saturation", target="on_saturation", group=_POOL, metavar="WHAT",
           type=click.Choice(["queue", "drop", "grow"]), choices=("queue", "drop", "grow"),
           default="queue",
           help="when no association is free, queries queue (default), are dropped and counted, "
           "or more associations are opened"),
    Option(long="--latency-limit", target="latency_limit", group=_POOL, metavar="TIME",
           type=_Time(),
           help="skip and count queries that have waited so long before they are sent; what ends "
           "later than that is told apart"),
    Option(long="--threshold", target="thresholds", group=_JUDGE, metavar="TEXT", multiple=True,
           help="what must hold, else exit with 5: 'p99(response) < 500ms', 'share(error) < 0.1%', "
           "'p95(first) < 200ms for 30s abort', 'count(dropped) == 0'"),
    Option(long="--allow-saturated", target="allow_saturated", group=_JUDGE, flag=True,
           default=False,
           help="do not exit with 6 where this machine could not keep up"),
    Option(long="--max-responses", target="max_responses", group=_SAFETY, metavar="N",
           type=click.IntRange(1), default=1000,
           help="cancel a query after N responses, and count it as failed (default 1000)"),
    Option(long="--allow-match-all", target="allow_match_all", group=_SAFETY, flag=True,
           default=False, help="let queries through that match all the archive has"),
    Option(long="--i-own-this-scp", target="owned", group=_SAFETY, flag=True, default=False,
           help="allow more than 8 associations, 20 queries a second and 10 minutes for an archive "
           "that is not on this machine"),
    Option(long="--no-storm-stop", target="storm_stop", group=_SAFETY, flag="off", default="on",
           help="go on when the archive rejects half of the associations, or ends a fifth of the "
           "queries for lack of resources"),
    Option(long="--dry-run", target="dry_run", group=_SAFETY, flag=True, default=False,
           help="show what would be asked, of whom and how fast; send nothing"),
    Option(long="--report-json", target="report_json", group=_REPORTS, metavar="FILE",
           choices=("files",), help="write the report as JSON"),
    Option(long="--report-html", target="report_html", group=_REPORTS, metavar="FILE",
           choices=("files",), help="write it as one page with charts"),
    Option(long="--report-csv", target="report_csv", group=_REPORTS, metavar="FILE",
           choices=("files",), help="write a row for each second"),
    Option(long="--report-prometheus", target="report_prometheus", group=_REPORTS,
           metavar="FILE", choices=("files",), help="write it as Prometheus text"),
    Option(long="--report-junit", target="report_junit", group=_REPORTS, metavar="FILE",
           choices=("files",), help="write thresholds as JUnit XML, for build servers"),
    Option(long="--ascii", target="ascii", group=_REPORTS, flag=True, default=False,
           help="use no other characters than ASCII"),
    Option(long="--quiet", short="-q", target="verbosity", group=_REPORTS, flag=-1, default=0,
           help="no progress on stderr", since="3.6.0"),
)  # fmt: skip

LOAD: Final[tuple[Option, ...]] = (*_OWN, *(row for row in FIND if row.target in _SHARED))


def defaults_of_find() -> dict[str, Any]:
    """What the targets of find are on a line that gives none of its options."""
    values: dict[str, Any] = {row.target: () if row.multiple else None for row in FIND}
    return values | {row.target: row.default for row in FIND if row.default is not None}
