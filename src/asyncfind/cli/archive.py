"""`asyncfind archive`: an archive with invented patients."""

import sys
from typing import TYPE_CHECKING

import anyio
import click

from asyncfind.cli.options import SECONDS
from asyncfind.errors import InvalidRequest
from asyncfind.records import ExitCode
from asyncfind.safe import safe

if TYPE_CHECKING:
    import ssl

    from asyncfind.scp.server import ArchiveConfig

__all__ = ["archive"]


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--host", default="127.0.0.1", show_default=True, help="address to listen at")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=11112, show_default=True, help="0: any free"
)
@click.option("--aet", default="ARCHIVE", show_default=True, help="AE title of the archive")
@click.option(
    "--studies", type=click.IntRange(1, 1_000_000), default=1000, show_default=True, help="how many"
)
@click.option("--undated", type=click.IntRange(0), default=0, help="how many of them have no date")
@click.option("--seed", type=int, default=1, show_default=True, help="other patients")
@click.option("--delay", type=SECONDS, default=0.0, help="seconds before the first response")
@click.option("--response-delay", type=SECONDS, default=0.0, help="seconds between responses")
@click.option(
    "--max-associations", type=click.IntRange(1), help="reject more than so many at a time"
)
@click.option("--row-limit", type=click.IntRange(1), help="cut answers silently at so many matches")
@click.option("--check-called", is_flag=True, help="reject those who call another AE title")
@click.option("--tls-key", metavar="FILE", help="speak TLS, with this private key (PEM)")
@click.option("--tls-cert", metavar="FILE", help="and this certificate, the chain behind it (PEM)")
@click.option(
    "--tls-ca", metavar="FILE", help="let in only who shows a certificate of this CA (PEM)"
)
def archive(
    host: str,
    port: int,
    aet: str,
    studies: int,
    undated: int,
    seed: int,
    delay: float,
    response_delay: float,
    max_associations: int | None,
    row_limit: int | None,
    check_called: bool,
    tls_key: str | None,
    tls_cert: str | None,
    tls_ca: str | None,
) -> int:
    """Run an archive that answers C-FIND and C-ECHO until Ctrl-C.

    It knows Patient Root, Study Root, Patient/Study Only and Modality Worklist. Its patients are
    invented, and the same for the same seed.
    """
    from asyncfind.cli.execute import run_async
    from asyncfind.cli.nodes import check_title
    from asyncfind.scp.server import ArchiveConfig

    config = ArchiveConfig(
        aet=check_title(aet, "called"),
        host=host,
        port=port,
        studies=studies,
        undated=undated,
        seed=seed,
        delay=delay,
        response_delay=response_delay,
        max_associations=max_associations,
        row_limit=row_limit,
        check_called=check_called,
        tls=_acceptor_context(tls_key, tls_cert, tls_ca),
    )
    return run_async(_main, config)


async def _main(config: "ArchiveConfig") -> ExitCode:
    from asyncfind.cli.execute import watch_signals
    from asyncfind.scp.server import serve

    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(watch_signals, tasks.cancel_scope.cancel)
            port = await tasks.start(serve, config)
            sys.stderr.write(
                f"{config.aet} with {config.studies} studies answers at {config.host} port {port}"
                f"{' by TLS' if config.tls is not None else ''}; Ctrl-C ends it.\n"
            )
            sys.stderr.flush()
    except* OSError as group:
        raise InvalidRequest(
            f"cannot listen at {config.host} port {config.port}: {group.exceptions[0]}",
            "Choose another --port; 0 takes any free one.",
        ) from group
    return ExitCode.COMPLETE


def _acceptor_context(
    key: str | None, certificate: str | None, ca: str | None
) -> "ssl.SSLContext | None":
    """What the archive needs for TLS; None for plain TCP.

    Raises:
        InvalidRequest: a file is missing or cannot be used.
    """
    if key is None and certificate is None:
        if ca is not None:
            raise InvalidRequest("--tls-ca without TLS", "Add --tls-key FILE and --tls-cert FILE.")
        return None
    if not key or not certificate:
        raise InvalidRequest(
            "TLS needs a private key and its certificate",
            "Give both, --tls-key FILE and --tls-cert FILE.",
        )
    # Here, because only archives with TLS pay for its import.
    import ssl

    from asyncfind.net.tls_files import password_of

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # "shall not negotiate" less (RFC 8996)
    names = f"key '{safe(key)}' with certificate '{safe(certificate)}'"
    try:
        context.load_cert_chain(certificate, key, password_of(None, key))
        if ca is not None:
            names = f"CA certificate '{safe(ca)}'"
            context.load_verify_locations(ca)
            context.verify_mode = ssl.CERT_REQUIRED
    except (OSError, ValueError) as exc:  # errors of TLS are OSErrors
        raise InvalidRequest(
            f"{names} cannot be used: {_why(exc)}",
            "All of them are PEM files; the certificate is that of the key.",
        ) from exc
    return context


def _why(exc: OSError | ValueError) -> str:
    reason = getattr(exc, "reason", None) or ""
    if reason == "PEM_LIB" or isinstance(exc, ValueError):  # Python says no more than that
        return "not PEM, or another pass phrase"
    if reason:
        return safe(reason.lower().replace("_", " "))
    return safe(exc.strerror or "unreadable")
