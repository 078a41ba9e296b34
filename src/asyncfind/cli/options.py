"""The options of `asyncfind find` as one table, from which the parser and the help are made."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeVar

import click

from asyncfind.cli.grammar import Names

__all__ = ["ECHO", "FIND", "GROUPED", "SECONDS", "Option", "add_options", "groups_of", "names_of"]

_Command = TypeVar("_Command", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One option.

    Args:
        long: canonical name; unique.
        short: as findscu names it; may be empty.
        target: the parameter it sets; options with one target exclude each other, the rightmost
            on the line wins.
        group: heading in the help.
        help: what it does, one sentence without full stop.
        flag: the value that an option without value sets.
        metavar: what its value is called; empty where it takes none.
        type: of the value; text when None.
        default: of the target; given in one row of each target only.
        multiple: every use counts, not only the rightmost.
        since: the findscu that first had it; `asyncfind` for our own.
        until: the last findscu that had it; empty while it has it still.
        block: options of one block exclude each other though they have targets of their own; the
            rightmost on the line wins.
        choices: what its value may be, for help and completion; `files` and `directories` stand
            for names of those, `keys` for keys.
    """

    long: str
    target: str
    group: str
    help: str
    short: str = ""
    flag: object = None
    metavar: str = ""
    type: "click.ParamType[Any] | None" = None
    default: object = None
    multiple: bool = False
    since: str = "asyncfind"
    until: str = ""
    block: str = ""
    choices: tuple[str, ...] = ()

    @property
    def values(self) -> int:
        """How many values it takes: one for each word of `metavar`."""
        return len(self.metavar.split())

    def was_in(self, version: str) -> bool:
        """Whether findscu of this version, such as `3.6.7`, had it."""
        if self.since == "asyncfind":
            return False
        return _numbers(self.since) <= _numbers(version) <= _numbers(self.until or "9")


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


_MODEL: Final = "query information model"
_QUERY: Final = "matching and return keys"
_NODES: Final = "archives"
_BULK: Final = "lists, jobs and pace"
_TITLES: Final = "application entity titles"
_SYNTAX: Final = "transfer syntaxes proposed"
_NEGOTIATION: Final = "negotiation and identity"
_NETWORK: Final = "network"
_TLS: Final = "TLS"
_PROFILES: Final = "TLS security profile"
_OUTPUT: Final = "output"
_EXTRACTION: Final = "responses as files"
_GENERAL: Final = "general"


def _at_least(low: int, high: int | None = None) -> click.IntRange:
    return click.IntRange(low, high)


class _Seconds(click.ParamType["float"]):
    name = "seconds"

    def __init__(self, low: float, *, exclusive: bool) -> None:
        self._low = low
        self._exclusive = exclusive

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        try:
            seconds = float(value)
        except ValueError:
            self.fail(f"{value!r} is no number of seconds", param, ctx)
        if not self._low <= seconds <= 1e9 or (self._exclusive and seconds == self._low):
            self.fail(f"{value} is out of range", param, ctx)
        return seconds


SECONDS: Final = _Seconds(0, exclusive=False)
_POSITIVE_SECONDS: Final = _Seconds(0, exclusive=True)

FIND: Final[tuple[Option, ...]] = (
    # Queries.
    Option(
        long="--key", short="-k", target="keys", group=_QUERY, metavar="KEY", multiple=True,
           choices=("keys",),
        help='set a key: gggg,eeee="value", Keyword="value" or a path like '
        "ScheduledProcedureStepSequence[0].Modality=CT; without = it is returned, not matched",
        since="3.5.4",
    ),
    Option(long="--worklist", short="-W", target="model", group=_MODEL, flag="worklist",
           default="worklist", help="Modality Worklist (default)", since="3.5.4"),
    Option(long="--patient", short="-P", target="model", group=_MODEL, flag="patient",
           help="Patient Root", since="3.5.4"),
    Option(long="--study", short="-S", target="model", group=_MODEL, flag="study",
           help="Study Root", since="3.5.4"),
    Option(long="--psonly", short="-O", target="model", group=_MODEL, flag="patient-study",
           help="Patient/Study Only (retired)", since="3.5.4"),
    Option(long="--model", target="model", group=_MODEL, metavar="NAME",
           help="any of the 22 C-FIND models by name or UID, e.g. ups-pull, hanging-protocol"),
    # Peers.
    Option(long="--node", target="nodes", group=_NODES, metavar="NODE", multiple=True,
           choices=("nodes",),
           help="ask this archive (too): [AET@]HOST:PORT, or NAME or @GROUP of the node book; "
           "repeat it for more"),
    Option(long="--nodes", target="book", group=_NODES, metavar="FILE", choices=("files",),
           help="the node book (default: $ASYNCFIND_NODES, else ~/.config/asyncfind/nodes.toml)"),
    Option(long="--associations", target="associations", group=_NODES, metavar="N",
           type=_at_least(1, 1024), default=4,
           help="most associations to one archive at a time (default 4)"),
    # Lists and jobs.
    Option(long="--batch", target="batch", group=_BULK, metavar="FILE", choices=("files",),
           multiple=True,
           help="a query for each row of a list, CSV with a header or JSON lines; a column named "
           "as a key sets it, column `node` says whom to ask, and {column} in a key's value is "
           "replaced; - is standard input"),
    Option(long="--job", target="job", group=_BULK, metavar="FILE", choices=("files",),
           help="keep queries, answers and verdicts in this file, from which a run that was ended "
           "goes on"),
    Option(long="--resume", target="resume", group=_BULK, metavar="FILE", choices=("files",),
           help="go on with a job: what is done is not asked again"),
    Option(long="--retry-failed", target="retry_failed", group=_BULK, flag=True, default=False,
           help="with --resume: ask again what failed or was cut"),
    Option(long="--rate", target="rate", group=_BULK, metavar="RATE",
           help="most queries to one archive in a time: 5/s, 300/min, 1000/h"),
    Option(long="--between", target="between", group=_BULK, metavar="TIME", multiple=True,
           help="ask only at this time of the day, 20:00-06:00 on this machine's clock"),
    Option(long="--no-retry", target="retries", group=_BULK, flag="off", default="on",
           help="in such a run, do not ask again what failed in a way that may pass"),
    Option(long="--peer-give-up", target="give_up", group=_BULK, metavar="SECONDS", type=SECONDS,
           help="skip what is left for an archive after so much trouble with it (default 600; 0 "
           "never)"),
    Option(long="--split", target="split", group=_BULK, flag=True, default=False,
           help="split a query whose answer may not be whole by date, time and other keys until "
           "every part is known to be, and tell what is proven; each match is shown once"),
    Option(long="--split-max", target="split_max", group=_BULK, metavar="N",
           type=_at_least(2, 1_000_000),
           help="with --split: the most queries for one (default 1000)"),
    Option(long="--strict", target="strict", group=_BULK, flag=True, default=False,
           help="exit with 4 also where an answer is suspect: its count looks like a limit of the "
           "archive"),
    Option(long="--dry-run", target="dry_run", group=_BULK, flag=True, default=False,
           help="show what would be asked, of whom and how fast; send nothing"),
    Option(long="--aetitle", short="-aet", target="calling", group=_TITLES, metavar="AET",
           default="FINDSCU", help="our calling AE title (default FINDSCU)", since="3.5.4"),
    Option(long="--call", short="-aec", target="called", group=_TITLES, metavar="AET",
           default="ANY-SCP", help="called AE title of the archive (default ANY-SCP)",
           since="3.5.4"),
    # What goes over the wire.
    Option(long="--propose-uncompr", short="-x=", target="propose", group=_SYNTAX,
           flag="uncompressed", default="uncompressed",
           help="all uncompressed, Explicit VR Little Endian first (default)", since="3.5.4"),
    Option(long="--propose-little", short="-xe", target="propose", group=_SYNTAX, flag="little",
           help="all uncompressed, Explicit VR Little Endian first", since="3.5.4"),
    Option(long="--propose-big", short="-xb", target="propose", group=_SYNTAX, flag="big",
           help="all uncompressed, Explicit VR Big Endian first", since="3.5.4"),
    Option(long="--propose-deflated", short="-xd", target="propose", group=_SYNTAX,
           flag="deflated", help="Deflated Explicit VR Little Endian first", since="3.6.2"),
    Option(long="--propose-implicit", short="-xi", target="propose", group=_SYNTAX,
           flag="implicit", help="Implicit VR Little Endian only", since="3.5.4"),
    Option(long="--compression-level", short="+cl", target="deflate_level", group=_SYNTAX,
           metavar="N", type=_at_least(0, 9),
           help="0 to 9 (default 6), with --propose-deflated", since="3.6.2"),
    Option(long="--enable-new-vr", short="+u", target="new_vr", group=_SYNTAX, flag="kept",
           default="kept", help="send post-1993 value representations as they are (default)",
           since="3.5.4"),
    Option(long="--disable-new-vr", short="-u", target="new_vr", group=_SYNTAX, flag="ob",
           help="send post-1993 value representations (UN, UT and the like) as OB", since="3.5.4"),
    Option(long="--relational", target="relational", group=_NEGOTIATION, flag=True, default=False,
           help="ask for relational queries: keys of any level without the unique keys above"),
    Option(long="--datetime", target="date_time", group=_NEGOTIATION, flag=True, default=False,
           help="ask for a date and its time to be matched as one"),
    Option(long="--fuzzy", target="fuzzy", group=_NEGOTIATION, flag=True, default=False,
           help="ask for person names to be matched by likeness"),
    Option(long="--timezone", target="timezone", group=_NEGOTIATION, flag=True, default=False,
           help="ask for times to be adjusted by TimezoneOffsetFromUTC"),
    Option(long="--multiframe", target="multiframe", group=_NEGOTIATION, flag=True, default=False,
           help="ask for the view named by QueryRetrieveView"),
    Option(long="--async", target="async_window", group=_NEGOTIATION, metavar="N",
           type=_at_least(1, 1000), default=1,
           help="up to N queries open on one association, as far as the archive agrees "
           "(default 1)"),
    Option(long="--user", target="user", group=_NEGOTIATION, metavar="NAME",
           help="the user's name, for archives that ask for it"),
    Option(long="--passcode", target="passcode", group=_NEGOTIATION, metavar="SOURCE",
           help="where the user's passcode is: file:PATH, env:VARIABLE or prompt"),
    Option(long="--kerberos", target="kerberos", group=_NEGOTIATION, metavar="SOURCE",
           help="where a Kerberos service ticket is: file:PATH or env:VARIABLE"),
    Option(long="--saml", target="saml", group=_NEGOTIATION, metavar="SOURCE",
           help="where a SAML assertion is: file:PATH or env:VARIABLE"),
    Option(long="--jwt", target="jwt", group=_NEGOTIATION, metavar="SOURCE",
           help="where a JSON Web Token is: file:PATH, env:VARIABLE or prompt"),
    Option(long="--user-rsp", target="user_response", group=_NEGOTIATION, flag=True,
           default=False, help="ask for an answer to the user identity; -v shows it"),
    Option(long="--ipv4", short="-i4", target="family", group=_NETWORK, flag="ipv4",
           help="connect by IPv4 only", since="3.6.9"),
    Option(long="--ipv6", short="-i6", target="family", group=_NETWORK, flag="ipv6",
           help="connect by IPv6 only", since="3.6.9"),
    Option(long="--ip-auto", short="-i0", target="family", group=_NETWORK, flag="any",
           default="any", help="connect by whatever the name has (default)", since="3.6.9"),
    Option(long="--timeout", short="-to", target="connect_timeout", group=_NETWORK,
           metavar="SECONDS", type=_POSITIVE_SECONDS,
           help="limit for a TCP connection (default 10)", since="3.5.4"),
    Option(long="--socket-timeout", short="-ts", target="socket_timeout", group=_NETWORK,
           metavar="SECONDS", type=_Seconds(-1, exclusive=False),
           help="limit for sending (default 30), and for answers unless -td is given (default 60); "
           "0 or -1: none",
           since="3.6.6"),
    Option(long="--acse-timeout", short="-ta", target="acse_timeout", group=_NETWORK,
           metavar="SECONDS", type=_POSITIVE_SECONDS,
           help="limit for the answer to the association request (default 30) and to a release",
           since="3.5.4"),
    Option(long="--dimse-timeout", short="-td", target="dimse_timeout", group=_NETWORK,
           metavar="SECONDS", type=_POSITIVE_SECONDS,
           help="limit for the first and for each further response (default 60)", since="3.5.4"),
    Option(long="--first-response", target="first_response", group=_NETWORK, metavar="SECONDS",
           type=SECONDS,
           help="limit for the first response to a query (default as -td); 0: none"),
    Option(long="--deadline", target="deadline", group=_NETWORK, metavar="SECONDS",
           type=SECONDS,
           help="limit for a whole query, from its start to its end (default 3600); 0: none"),
    Option(long="--bind", target="bind", group=_NETWORK, metavar="ADDRESS[,ADDRESS...]",
           help="our own address to connect from; several are taken in turn"),
    Option(long="--max-pdu", short="-pdu", target="max_pdu", group=_NETWORK, metavar="BYTES",
           type=_at_least(4096, 131072), default=16384,
           help="largest PDU to receive, 4096 to 131072 (default 16384)", since="3.5.4"),
    Option(long="--repeat", target="repeat", group=_NETWORK, metavar="N", type=_at_least(1),
           default=1, help="send every query N times (default 1)", since="3.5.4"),
    Option(long="--abort", target="abort", group=_NETWORK, flag=True, default=False,
           help="end associations with A-ABORT instead of A-RELEASE", since="3.5.4"),
    Option(long="--cancel", target="cancel_after", group=_NETWORK, metavar="N",
           type=_at_least(0),
           help="send C-CANCEL after N responses of a query (default: never)", since="3.5.4"),
    Option(long="--max-responses", target="max_responses", group=_NETWORK, metavar="N",
           type=_at_least(1), default=1_000_000,
           help="take at most N responses of one query (default 1000000)"),
    Option(long="--max-dataset", target="max_identifier", group=_NETWORK, metavar="BYTES",
           type=_at_least(1024, 2**31), default=16 * 1024 * 1024,
           help="largest identifier to take, received or inflated (default 16 MiB)"),
    # TLS.
    Option(long="--disable-tls", short="-tls", target="tls", group=_TLS, flag="off",
           default="off", help="plain TCP (default)", since="3.5.4", block="tls"),
    Option(long="--enable-tls", short="+tls", target="key_and_certificate", group=_TLS,
           metavar="KEY-FILE CERTIFICATE-FILE", choices=("files",),
           help="TLS, with our private key and certificate", since="3.5.4", block="tls"),
    Option(long="--anonymous-tls", short="+tla", target="tls", group=_TLS, flag="anonymous",
           help="TLS without a certificate of our own", since="3.5.4", block="tls"),
    Option(long="--tls-p12", target="pkcs12", group=_TLS, metavar="FILE", choices=("files",),
           help="TLS, with the key and certificate of a PKCS#12 file (extra pkcs12)",
           block="tls"),
    Option(long="--std-passwd", short="+ps", target="password_from", group=_TLS, flag="prompt",
           default="prompt", help="ask for the pass phrase of the key when it has one (default)",
           since="3.5.4", block="password"),
    Option(long="--use-passwd", short="+pw", target="password", group=_TLS,
           metavar="PASSPHRASE", block="password",
           help="the pass phrase of the key; others can see it in the list of processes: "
           "better +ps or --passwd-file", since="3.5.4"),
    Option(long="--null-passwd", short="-pw", target="password_from", group=_TLS, flag="empty",
           help="the pass phrase of the key is empty", since="3.5.4", block="password"),
    Option(long="--passwd-file", target="password_file", group=_TLS, metavar="FILE",
           choices=("files",), block="password",
           help="the pass phrase of the key is the first line of FILE"),
    Option(long="--pem-keys", short="-pem", target="key_format", group=_TLS, flag="pem",
           default="pem", help="keys, certificates and CRLs are PEM files (default)",
           since="3.5.4"),
    Option(long="--der-keys", short="-der", target="key_format", group=_TLS, flag="der",
           help="keys, certificates and CRLs are DER files", since="3.5.4"),
    Option(long="--add-cert-file", short="+cf", target="ca_files", group=_TLS, metavar="FILE",
           choices=("files",),
           multiple=True, help="trust the certification authorities in FILE", since="3.5.4"),
    Option(long="--add-cert-dir", short="+cd", target="ca_directories", group=_TLS,
           metavar="DIRECTORY", choices=("directories",), multiple=True,
           help="trust the certification authorities in DIRECTORY (named by hash, as OpenSSL's "
           "rehash does)",
           since="3.5.4"),
    Option(long="--tls-system-trust", target="system_trust", group=_TLS, flag=True, default=False,
           help="trust the certification authorities that the system trusts"),
    Option(long="--add-crl-file", short="+crl", target="crl_files", group=_TLS, metavar="FILE",
           choices=("files",),
           multiple=True, help="certificate revocation list; implies +crv", since="3.6.7"),
    Option(long="--enable-crl-vfy", short="+crv", target="crl_check", group=_TLS, flag="leaf",
           default="none", help="refuse a certificate that was revoked", since="3.6.7"),
    Option(long="--enable-crl-all", short="+cra", target="crl_check", group=_TLS, flag="chain",
           help="refuse one with a revoked certificate anywhere in its chain", since="3.6.7"),
    Option(long="--require-peer-cert", short="-rc", target="peer_certificate", group=_TLS,
           flag="require", default="require",
           help="verify the certificate of the archive (default)", since="3.5.4"),
    Option(long="--verify-peer-cert", short="-vc", target="peer_certificate", group=_TLS,
           flag="require", help="the same as -rc: a TLS server always has a certificate",
           since="3.5.4", until="3.6.3"),
    Option(long="--ignore-peer-cert", short="-ic", target="peer_certificate", group=_TLS,
           flag="ignore", help="do not verify it: anybody can pose as the archive",
           since="3.5.4"),
    Option(long="--request-sni", target="server_name", group=_TLS, metavar="NAME",
           help="the name to ask for and to verify instead of PEER", since="3.6.8", block="sni"),
    Option(long="--tls-server-name", target="server_name", group=_TLS, metavar="NAME",
           help="the same as --request-sni", block="sni"),
    Option(long="--no-sni", target="no_sni", group=_TLS, flag=True, default=False,
           help="send no server name; needs --no-verify-hostname", since="3.6.8", block="sni"),
    Option(long="--no-verify-hostname", target="verify_hostname", group=_TLS, flag="off",
           default="on", help="take a trusted certificate whatever names it has"),
    Option(long="--tls-pin", target="pin", group=_TLS, metavar="SHA256",
           help="take this very certificate only, by its SHA-256 fingerprint"),
    Option(long="--profile-8996", short="+pg", target="profile", group=_PROFILES, flag="8996",
           default="8996", help="BCP 195, RFC 8996 (default)", since="3.6.8"),
    Option(long="--profile-8996-mod", short="+pm", target="profile", group=_PROFILES,
           flag="8996-mod", help="modified BCP 195, RFC 8996", since="3.6.8"),
    Option(long="--profile-bcp195-nd", short="+py", target="profile", group=_PROFILES,
           flag="bcp195-nd", help="non-downgrading BCP 195 (retired)", since="3.6.4"),
    Option(long="--profile-bcp195", short="+px", target="profile", group=_PROFILES,
           flag="bcp195", help="BCP 195 (retired)", since="3.6.4"),
    Option(long="--profile-bcp195-ex", short="+pz", target="profile", group=_PROFILES,
           flag="bcp195-ex", help="extended BCP 195 (retired)", since="3.6.5"),
    Option(long="--profile-basic", short="+pb", target="profile", group=_PROFILES, flag="basic",
           help="basic, 3DES (retired)", since="3.6.4"),
    Option(long="--profile-aes", short="+pa", target="profile", group=_PROFILES, flag="aes",
           help="AES with CBC (retired)", since="3.6.4"),
    Option(long="--profile-null", short="+pn", target="profile", group=_PROFILES, flag="null",
           help="authenticated and NOT encrypted (retired)", since="3.6.4"),
    Option(long="--list-profiles", short="+ph", target="listing", group=_PROFILES,
           flag="profiles", help="list the profiles and exit", since="3.6.9"),
    Option(long="--cipher", short="+cs", target="ciphers", group=_PROFILES, metavar="SUITE",
           multiple=True, help="add a cipher suite by its IANA name to those of the profile",
           since="3.5.4"),
    Option(long="--list-ciphers", short="+cc", target="listing", group=_PROFILES,
           flag="ciphers", help="list the cipher suites and exit", since="3.6.4"),
    Option(long="--dhparam", short="+dp", target="dh_parameters", group=_PROFILES, metavar="FILE",
           choices=("files",),
           help="of no use to a client: the server chooses the parameters", since="3.5.4",
           until="3.6.3"),
    Option(long="--seed", short="+rs", target="seed_file", group=_PROFILES, metavar="FILE",
           choices=("files",),
           help="has no effect: random numbers are the system's; names the file of +ws",
           since="3.5.4"),
    Option(long="--write-seed", short="+ws", target="write_seed", group=_PROFILES, flag=True,
           default=False, help="write new random bytes to the file of +rs at the end",
           since="3.5.4"),
    Option(long="--write-seed-file", short="+wf", target="write_seed_file", group=_PROFILES,
           metavar="FILE", choices=("files",),
           help="write new random bytes to FILE at the end (with +rs)", since="3.5.4"),
    # Output.
    Option(long="--format", target="format", group=_OUTPUT, metavar="FORMAT",
           type=click.Choice(["text", "table", "json", "ndjson", "csv", "xml", "parquet"]),
           choices=("text", "table", "json", "ndjson", "csv", "xml", "parquet"),
           help="text, table, json, ndjson, csv, xml (PS3.19) or parquet (extra parquet) (default: "
           "table on a terminal, else text)"),
    Option(long="--columns", target="columns", group=_OUTPUT, metavar="COLUMNS",
           help="with csv and parquet: these columns, in this order; keywords, tags or paths of "
           "return keys, and node, query, repeat, number, status, time, flags, of a job verdict "
           "too"),
    Option(long="--merge", target="merge", group=_OUTPUT, flag=True, default=False,
           help="with csv, ndjson and parquet: one row for what several archives have, by the "
           "unique key of the level; nodes says who has it, differs what they disagree in"),
    Option(long="--dedupe", target="merge", group=_OUTPUT, flag=True, help="the same as --merge"),
    Option(long="--verdicts", target="verdicts", group=_OUTPUT, metavar="FILE", choices=("files",),
           help="write how each query ended to FILE, which ends in .csv, .ndjson or .jsonl"),
    Option(long="--output", target="output", group=_OUTPUT, metavar="FILE", choices=("files",),
           help="write the results to FILE, which appears only once it is whole"),
    Option(long="--enable-correction", short="+dc", target="correction", group=_OUTPUT, flag=True,
           default=False, help="show values without their trailing padding, in text",
           since="3.6.2"),
    Option(long="--disable-correction", short="-dc", target="correction", group=_OUTPUT,
           flag=False, help="show values with their padding, in text (default)", since="3.6.2"),
    Option(long="--show-responses", short="+sr", target="responses", group=_OUTPUT, flag="show",
           help="show responses, even with -q or -X", since="3.6.2"),
    Option(long="--hide-responses", short="-sr", target="responses", group=_OUTPUT, flag="hide",
           help="do not show responses", since="3.6.2"),
    Option(long="--extract", short="-X", target="extract", group=_EXTRACTION, flag="dicom",
           help="write each response to a DICOM file, rsp0001.dcm ...", since="3.5.4",
           block="extract"),
    Option(long="--extract-xml", short="-Xx", target="extract", group=_EXTRACTION, flag="xml",
           help="write each response to an XML file, rsp0001.xml ...", since="3.6.3",
           block="extract"),
    Option(long="--extract-xml-single", short="-Xs", target="extract_file", group=_EXTRACTION,
           metavar="FILE", help="write all responses to one XML file", since="3.6.3",
           block="extract", choices=("files",)),
    Option(long="--limit-output", short="-Xlo", target="extract_limit", group=_EXTRACTION,
           metavar="N", type=_at_least(1),
           help="write the first N responses only, with -X, -Xx or -Xs", since="3.6.6"),
    Option(long="--output-directory", short="-od", target="directory", group=_EXTRACTION,
           metavar="DIRECTORY",
           choices=("directories",), help="write the files to DIRECTORY (default: the current one)",
           since="3.6.2"),
    Option(long="--extract-overwrite", target="overwrite", group=_EXTRACTION, flag=True,
           default=False, help="replace files that exist already"),
    Option(long="--arguments", target="arguments", group=_GENERAL, flag=True, default=False,
           help="show the arguments as they were understood, on stderr", since="3.6.0"),
    Option(long="--quiet", short="-q", target="verbosity", group=_GENERAL, flag=-1, default=0,
           help="no messages on stderr, only results and exit code", since="3.6.0"),
    Option(long="--verbose", short="-v", target="verbosity", group=_GENERAL, flag=1,
           help="tell what happens, on stderr", since="3.5.4"),
    Option(long="--debug", short="-d", target="verbosity", group=_GENERAL, flag=2,
           help="show PDUs and messages too, on stderr; they hold patient data", since="3.5.4"),
    Option(long="--log-level", short="-ll", target="log_level", group=_GENERAL, metavar="LEVEL",
           choices=("fatal", "error", "warn", "info", "debug", "trace"),
           help="fatal, error, warn, info, debug or trace", since="3.6.0"),
    Option(long="--log-config", short="-lc", target="log_config", group=_GENERAL, metavar="FILE",
           choices=("files",),
           help="log as this log4cplus property file says", since="3.6.0"),
    Option(long="--version", target="version", group=_GENERAL, flag=True, default=False,
           help="show the version and exit", since="3.5.4"),
    Option(long="--help", short="-h", target="help", group=_GENERAL, flag=True, default=False,
           help="show this text and exit", since="3.5.4"),
)  # fmt: skip


_ECHOED: Final = (
    *("nodes", "calling", "called", "max_pdu", "help", "family", "bind", "verbosity"),
    *("user", "passcode", "kerberos", "saml", "jwt", "user_response"),
    *("tls", "key_and_certificate", "pkcs12", "password_from", "password", "password_file"),
    *("key_format", "ca_files", "ca_directories", "system_trust", "crl_files", "crl_check"),
    *("peer_certificate", "server_name", "no_sni", "verify_hostname", "pin", "profile", "ciphers"),
    *("dh_parameters", "seed_file", "write_seed", "write_seed_file"),
    *("connect_timeout", "socket_timeout", "acse_timeout", "dimse_timeout"),
)

ECHO: Final[tuple[Option, ...]] = (
    *(row for row in FIND if row.target in _ECHOED),
    Option(long="--format", target="format", group=_OUTPUT, metavar="FORMAT",
           type=click.Choice(["table", "ndjson"]),
           help="table or ndjson (default: table)"),
)  # fmt: skip


GROUPED: Final = ("--node",)
"""Options whose value may be `@GROUP`, which is no command file there."""

_BEFORE_CLICK: Final = frozenset(("help", "version", "listing"))
"""Targets of options that end the program before its command line is checked."""


def names_of(options: tuple[Option, ...]) -> Names:
    """The names in a table, for the grammar."""
    return Names(
        long_of={name: row.long for row in options for name in (row.short, row.long) if name},
        values={row.long: row.values for row in options},
        blocks={row.long: row.block for row in options if row.block},
    )


def add_options(options: tuple[Option, ...]) -> Callable[[_Command], _Command]:
    """A decorator that declares the rows of a table to click."""
    defaults = {row.target: row.default for row in options if row.default is not None}

    def decorate(command: _Command) -> _Command:
        for row in reversed(options):
            if row.target not in _BEFORE_CLICK:
                command = _declare(row, defaults.get(row.target))(command)
        return command

    return decorate


def _declare(row: Option, default: object) -> Callable[[_Command], _Command]:
    option = partial(
        click.option, row.long, row.target, help=row.help, default=default, expose_value=True
    )
    if not row.metavar:
        return option(flag_value=row.flag, type=click.UNPROCESSED)
    if row.multiple:
        return option(multiple=True, default=(), metavar=row.metavar, type=row.type)
    return option(metavar=row.metavar, type=row.type, nargs=row.values)


def groups_of(options: Iterable[Option]) -> Mapping[str, list[Option]]:
    """The rows by group, in the table's order."""
    groups: dict[str, list[Option]] = {}
    for row in options:
        groups.setdefault(row.group, []).append(row)
    return groups
