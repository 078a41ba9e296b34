"""What `asyncfind find` says, how much of it, and where: -q, -v, -d, -ll, -lc."""

import json
import subprocess
from pathlib import Path

import pytest
from commands import STUDIES, Hall, Run, at_terminal, command, environment, run

from asyncfind.scp import script
from asyncfind.scp.answers import Answers
from asyncfind.scp.negotiation import Policy
from asyncfind.scp.server import Server

_TRAFFIC = "D: ======================= END A-ASSOCIATE-AC ======================"
_OPENED = "1 association open."
_FAILED = "status A700"
_PATIENT = "Merriweather^Florence"


def _good(hall: Hall, *options: str | Path, count: int = 2) -> Run:
    done = run(*STUDIES, *options, "127.0.0.1", hall.serve(Server(Answers(count))))
    assert done.returncode == 0, done.stderr
    return done


def _bad(hall: Hall, *options: str | Path) -> Run:
    """A query that the archive refuses."""
    server = Server(Answers(2), scripts=script.always(script.refuses(0xA700)))
    done = run(*STUDIES, *options, "127.0.0.1", hall.serve(server))
    assert done.returncode == 4, done.stderr
    return done


# How much.


@pytest.mark.parametrize(
    ("options", "verbosity"),
    [
        (("-q",), -1),
        (("--quiet",), -1),
        ((), 0),
        (("-v",), 1),
        (("--verbose",), 1),
        (("-d",), 2),
        (("--debug",), 2),
        (("-d", "-v", "-q"), -1),
        (("-q", "-v"), 1),
        (("-ll", "off"), -1),
        (("-ll", "fatal"), -1),
        (("-ll", "error"), 0),
        (("--log-level", "warn"), 0),
        (("-ll", "info"), 1),
        (("-ll", "INFO"), 1),
        (("-ll", "debug"), 2),
        (("--log-level", "trace"), 2),
    ],
)
def test_as_much_is_said_as_is_asked_for(
    hall: Hall, options: tuple[str, ...], verbosity: int
) -> None:
    good, bad = _good(hall, *options), _bad(hall, *options)
    assert good.stdout.count("Find Response: ") == 2
    assert bad.stdout == ""
    assert (good.stderr == "") == (verbosity <= 0)
    assert (bad.stderr == "") == (verbosity < 0)
    assert (_FAILED in bad.stderr) == (verbosity >= 0)
    for told in (good.stderr, bad.stderr):
        assert (_OPENED in told) == (verbosity >= 1)
        assert (_TRAFFIC in told) == (verbosity >= 2)
    assert (_PATIENT in good.stderr) == (verbosity >= 2)


def test_a_warning_is_less_than_an_error(hall: Hall) -> None:
    """A server that cannot do what was asked for is worth a warning."""
    relying = ("-S", "-k", "QueryRetrieveLevel=SERIES", "-k", "Modality=CT", "--relational")
    for options, is_said in (((), True), (("-ll", "warn"), True), (("-ll", "error"), False)):
        server = Server(Answers(1), policy=_granting_nothing())
        done = run(*relying, *options, "127.0.0.1", hall.serve(server))
        assert done.returncode == 0
        assert ("relational" in done.stderr) == is_said


def _granting_nothing() -> Policy:
    return Policy(relational=False)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("-ll", "loud"), "'loud' is no log level. It is one of fatal, error, warn, info,"),
        (("-ll", "info", "-v"), "--log-level not allowed with --verbose, --debug or --quiet"),
        (("-ll", "info", "-q"), "--log-level not allowed with"),
        (("-lc", "x", "-d"), "--log-config not allowed with"),
        (("-lc", "x", "-ll", "info"), "--log-config not allowed with"),
    ],
)
def test_levels_that_cannot_be(options: tuple[str, ...], words: str) -> None:
    done = run(*STUDIES, *options, "127.0.0.1", "1")
    assert (done.returncode, done.stdout) == (1, "")
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1


# What -d shows.


def test_debug_shows_pdus_and_messages_in_their_order(hall: Hall) -> None:
    told = _good(hall, "-d", "-k", "PatientID=4711", "-xi").stderr
    lines = told.splitlines()
    assert lines[0] == "asyncfind: messages are shown with all their values: patient data."
    order = [
        "D: Request Parameters:",
        "D: Called Application Name:     ANY-SCP",
        "D:     Abstract Syntax: =FINDStudyRootQueryRetrieveInformationModel",
        "D:       =LittleEndianImplicit",
        "D: Association Parameters Negotiated:",
        "D:   Context ID:        1 (Accepted)",
        "D:     Accepted Transfer Syntax: =LittleEndianImplicit",
        "D: ===================== OUTGOING DIMSE MESSAGE ====================",
        "D: Message Type                  : C-FIND RQ",
        "D: Request Identifiers:",
        "D: (0010,0020) LO [4711]                                   #   4, 1 PatientID",
        "D: ===================== INCOMING DIMSE MESSAGE ====================",
        "D: DIMSE Status                  : 0xff00: Pending: Matches are continuing",
        "D: Response Identifiers:",
        "D: (0010,0010) PN [Merriweather^Florence ]                 #  22, 1 PatientName",
        "D: DIMSE Status                  : 0x0000: Success: Matching is complete",
    ]
    at = [lines.index(line) for line in order]
    assert at == sorted(at)
    assert told.count("0xff00: Pending") == 2
    assert all(line.startswith(("D:", "asyncfind: ")) and line == line.rstrip() for line in lines)


def test_debug_tells_several_archives_apart(hall: Hall) -> None:
    ports = [hall.serve(Server(Answers(2))) for _ in range(2)]
    nodes = [f"--node=A{number}@127.0.0.1:{port}" for number, port in enumerate(ports)]
    done = run(*STUDIES, "-d", *nodes)
    assert done.returncode == 0
    for number, port in enumerate(ports):
        # A-ASSOCIATE-RQ and -AC, C-FIND-RQ, two matches and the end.
        assert done.stderr.count(f"D: Node: A{number}@127.0.0.1:{port}\n") == 6
    blocks = done.stderr.split("D: Node: ")[1:]
    assert {block.count("Find Response") for block in blocks} == {0}
    assert sum("C-FIND RSP" in block for block in blocks) == 6


def test_debug_shows_a_request_that_is_rejected(hall: Hall) -> None:
    port = hall.serve(Server(Answers(1), policy=Policy(aet="NORTH", check_called=True)))
    for options in ((), ("-v",)):
        done = run(*STUDIES, *options, "-aec", "SOUTH", "127.0.0.1", port)
        assert (done.returncode, "D: " in done.stderr) == (2, False)
    done = run(*STUDIES, "-d", "-aec", "SOUTH", "127.0.0.1", port)
    assert done.returncode == 2
    lines = done.stderr.splitlines()
    order = [
        "D: Request Parameters:",
        "D: Called Application Name:     SOUTH",
        "D: ======================= END A-ASSOCIATE-RQ ======================",
        "D: Association Rejected:",
        "D: ====================== BEGIN A-ASSOCIATE-RJ =====================",
        "D: Result: Rejected Permanent (1)",
        "D: Source: Service User (1)",
        "D: Reason: Called AE Title Not Recognized (7)",
        "D: ======================= END A-ASSOCIATE-RJ ======================",
    ]
    at = [lines.index(line) for line in order]
    assert at == sorted(at)
    said = next(line for line in lines if "association rejected" in line)
    assert lines.index(said) > at[-1]


def test_debug_shows_an_abort(hall: Hall) -> None:
    scripts = script.always(script.aborts_after(1, 2, 1))
    done = run(*STUDIES, "-d", "127.0.0.1", hall.serve(Server(Answers(2), scripts=scripts)))
    assert done.returncode == 4
    lines = done.stderr.splitlines()
    at = lines.index("D: ====================== BEGIN A-ABORT =====================")
    assert "unrecognized" in lines[at + 1].lower()


def test_debug_shows_a_cancel(hall: Hall) -> None:
    told = _good(hall, "-d", "--cancel", "1", "--repeat", "2", count=5000).stderr
    assert told.count("D: C-CANCEL RQ, Message ID Being Responded To: ") == 2


def test_what_a_peer_sends_cannot_act(hall: Hall) -> None:
    comment = b"\x1b[2Jboo\r\nasyncfind: all is well"
    server = Server(Answers(1), scripts=script.always(script.refuses(0xC001, comment)))
    done = run(*STUDIES, "-d", "127.0.0.1", hall.serve(server))
    assert done.returncode == 4
    assert "\x1b" not in done.stderr
    assert "\nasyncfind: all is well" not in done.stderr
    assert "boo" in done.stderr


def test_results_stay_apart_from_what_is_said(hall: Hall) -> None:
    done = _good(hall, "-d", "--format", "ndjson")
    kinds = [json.loads(line)["kind"] for line in done.stdout.splitlines()]
    assert kinds == ["match", "match", "done", "summary"]


def test_nobody_has_to_read_what_is_said(hall: Hall) -> None:
    port = hall.serve(Server(Answers(2000)))
    with subprocess.Popen(
        command(*STUDIES, "-d", "--format", "ndjson", "127.0.0.1", port),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(),
    ) as process:  # fmt: skip
        assert process.stderr is not None
        process.stderr.close()
        assert process.stdout is not None
        assert len(process.stdout.read().splitlines()) == 2002
        assert process.wait(30) == 0


# At a terminal.


def _at_screen(hall: Hall, *options: str | Path) -> str:
    line = (*STUDIES, "-k", "PatientName", *options, "127.0.0.1", hall.serve(Server(Answers(2))))
    code, screen = at_terminal(line, "", "")
    assert code == 0, screen
    assert screen.count("Merriweather, Florence") == 2  # a table
    return screen


def test_traffic_and_live_progress_do_not_mix(hall: Hall) -> None:
    live = _at_screen(hall)
    assert "\x1b[?25l" in live  # the cursor is hidden while something is live
    assert "\x1b[2K" in live
    screen = _at_screen(hall, "-d")
    assert "\x1b[?25l" not in screen
    assert "\x1b[2K" not in screen  # no line is taken away again
    assert screen.count("DIMSE Status") == 3
    assert "2 matches from 1 node" in screen


def test_on_a_terminal_a_log_gets_what_is_said(hall: Hall, config: Path) -> None:
    screen = _at_screen(hall, "-lc", config)
    assert "matches from" not in screen
    assert any("2 matches from 1 node" in text for _, _, text in _events(config))


def test_quiet_on_a_terminal_shows_results_alone(hall: Hall) -> None:
    assert "matches from" not in _at_screen(hall, "-q")


# Where: a log4cplus configuration.


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration that writes level, logger and message to `run.log`."""
    return _configure(tmp_path, "rootLogger = DEBUG, file")


def _configure(folder: Path, *lines: str) -> Path:
    file = folder / "log.cfg"
    settings = [
        *lines,
        "appender.file = log4cplus::FileAppender",
        f"appender.file.File = {folder / 'run.log'}",
        "appender.file.layout = log4cplus::PatternLayout",
        "appender.file.layout.ConversionPattern = %p %c %m%n",
    ]
    file.write_text("".join(f"log4cplus.{line}\n" for line in settings))
    return file


def _events(config: Path) -> list[tuple[str, str, str]]:
    """Level, logger and message of each line in the log."""
    lines = (config.parent / "run.log").read_text().splitlines()
    events = []
    for line in lines:
        level, logger, message = line.split(" ", 2)
        events.append((level, logger, message))
    return events


@pytest.mark.parametrize("option", ["-lc", "--log-config"])
def test_events_have_the_level_of_what_they_say(hall: Hall, config: Path, option: str) -> None:
    done = _bad(hall, option, config)
    assert (done.stdout, done.stderr) == ("", "")
    events = _events(config)
    assert {logger for _, logger, _ in events} == {"dcmtk.dcmnet"}
    by_level = {level: [text for one, _, text in events if one == level] for level, _, _ in events}
    assert set(by_level) == {"ERROR", "WARN", "INFO", "DEBUG"}
    failed, summary = by_level["ERROR"]
    assert _FAILED in failed
    assert "1 refused" in summary
    assert by_level["WARN"] == ["messages are shown with all their values: patient data."]
    (opened,) = by_level["INFO"]
    assert _OPENED in opened
    assert "Request Parameters:" in by_level["DEBUG"]
    assert _TRAFFIC.removeprefix("D: ") in by_level["DEBUG"]
    assert not any(text.startswith(("asyncfind:", "D:")) for _, _, text in events)


def test_a_good_run_is_logged_as_information(hall: Hall, tmp_path: Path) -> None:
    config = _configure(tmp_path, "rootLogger = INFO, file")
    done = _good(hall, "-lc", config)
    assert done.stdout.count("Find Response: ") == 2
    assert done.stderr == ""
    levels, _, texts = zip(*_events(config), strict=True)
    assert set(levels) == {"INFO"}
    assert texts[-1].startswith("2 matches from 1 node in")
    assert "complete, 2 matches in" in texts[-2]
    assert _PATIENT not in "".join(texts)


@pytest.mark.parametrize(
    ("lines", "good", "bad"),
    [
        (("rootLogger = WARN, file",), 0, 2),
        (("rootLogger = ERROR, file",), 0, 2),
        (("rootLogger = FATAL, file",), 0, 0),
        (("rootLogger = OFF, file",), 0, 0),
        (("rootLogger = OFF, file", "logger.dcmtk.dcmnet = ERROR"), 0, 2),
        (("rootLogger = DEBUG, file", "logger.dcmtk = FATAL"), 0, 0),
        (("rootLogger = FATAL, file", "logger.dcmtk.dcmnet = INFO"), 3, 3),
    ],
)
def test_the_file_says_how_much(
    hall: Hall, tmp_path: Path, lines: tuple[str, ...], good: int, bad: int
) -> None:
    config = _configure(tmp_path, *lines)
    assert _good(hall, "-lc", config).stderr == ""
    assert len(_events(config)) == good
    assert _bad(hall, "-lc", config).stderr == ""
    assert len(_events(config)) == bad  # a FileAppender begins its file anew


def test_warnings_of_the_command_line_are_logged_too(hall: Hall, config: Path) -> None:
    done = run(*STUDIES, "+tla", "-ic", "-lc", config, "127.0.0.1", hall.serve(Server(Answers(1))))
    assert (done.returncode, done.stderr) == (2, "")
    warnings = [text for level, _, text in _events(config) if level == "WARN"]
    assert any("-ic: the archive's certificate is not verified" in text for text in warnings)


@pytest.mark.parametrize("where", ["", "log4cplus.appender.c.logToStdErr = true\n"])
def test_a_console_never_gets_between_the_results(hall: Hall, tmp_path: Path, where: str) -> None:
    config = tmp_path / "log.cfg"
    config.write_text(
        "log4cplus.rootLogger = INFO, c\nlog4cplus.appender.c = log4cplus::ConsoleAppender\n"
        "log4cplus.appender.c.layout = log4cplus::PatternLayout\n"
        f"log4cplus.appender.c.layout.ConversionPattern = [%p] %m%n\n{where}"
    )
    done = _good(hall, "-lc", config, "--format", "ndjson")
    assert len([json.loads(line) for line in done.stdout.splitlines()]) == 4
    assert all(line.startswith("[INFO] ") for line in done.stderr.splitlines())
    assert _OPENED in done.stderr


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (("rootLogger = LOUD, file",), "log4cplus.rootLogger: the root logger needs a level"),
        (("rootLogger = INFO, none",), "log4cplus.rootLogger"),
        (("rootLogger = INFO, file", "logger.dcmtk = LOUD"), "log4cplus.logger.dcmtk"),
        (
            ("rootLogger = INFO, file", "appender.other = log4cplus::NoAppender"),
            "log4cplus.appender.other",
        ),
        (("rootLogger = INFO, file", "appender.file.Fiel = x"), "log4cplus.appender.file.Fiel"),
        (
            ("rootLogger = INFO, file", "appender.s = log4cplus::SysLogAppender"),
            "log4cplus.appender.s",
        ),
        (("logger.dcmtk = INFO, file",), "does not set up log4cplus.rootLogger"),
        (("rootLogger = INFO, file", "rotLogger = x"), "log4cplus.rotLogger"),
    ],
)
def test_a_configuration_is_understood_or_refused_by_the_property(
    tmp_path: Path, lines: tuple[str, ...], words: str
) -> None:
    config = _configure(tmp_path, *lines)
    done = run(*STUDIES, "-lc", config, "127.0.0.1", "1")
    assert (done.returncode, done.stdout) == (1, "")
    assert words in done.stderr
    assert f"log configuration '{config}'" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "run.log").exists()


def test_a_configuration_that_is_not_there(tmp_path: Path) -> None:
    done = run(*STUDIES, "-lc", tmp_path / "none", "127.0.0.1", "1")
    assert done.returncode == 1
    assert "file does not exist" in done.stderr


def test_secrets_are_in_no_log(hall: Hall, config: Path) -> None:
    env = environment(CODE="open sesame")
    port = hall.serve(Server(Answers(1)))
    line = (*STUDIES, "--user", "florence", "--passcode", "env:CODE", "--user-rsp")
    done = run(*line, "-lc", config, "127.0.0.1", port, env=env)
    assert done.returncode == 0
    text = (config.parent / "run.log").read_text()
    assert "User Identity:               user name and passcode" in text
    assert "open sesame" not in text
    assert "florence" not in text
