"""The page of a load: its markup by a parser, what it draws and does in a real browser."""

import json
import re
from dataclasses import replace
from html import escape, unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Final

import pytest
from browser import Picture, Visit, read_png, visit
from load_results import (
    NORTH,
    SOUTH,
    judged,
    make_load,
    make_result,
    saturated,
    stalled_load,
)

from asyncfind.load.report_html import html_report
from asyncfind.load.report_json import json_report
from asyncfind.load.result import LoadResult
from asyncfind.load.tally import Ended, Tally
from asyncfind.plan import Peer
from asyncfind.records import ExitCode

_VOID: Final = {"meta", "br", "path", "link"}
_FIGURES: Final = ("rates", "latency", "heat", "curve", "trouble", "pool", "lag", "cpu")
_PROBE: Final = """<script>
const boxes = {};
for (const one of document.querySelectorAll("[data-figure]")) {
  const box = one.querySelector(".pane").getBoundingClientRect();
  boxes[one.id] = [box.left, box.top, box.right, box.bottom].map(Math.round);
}
const probe = {boxes, wide: document.documentElement.scrollWidth};
const say = () => document.body.setAttribute("data-probe", JSON.stringify(probe));
say();
</script>"""
_ACTIONS: Final = """<script>
const at = (id, type, share) => {
  const pane = document.querySelector(`#${id} .pane`), box = pane.getBoundingClientRect();
  const where = {clientX: box.left + share * box.width, clientY: box.top + 50, button: 0};
  pane.setPointerCapture = () => {};
  pane.dispatchEvent(new PointerEvent(type, {...where, pointerId: 1, bubbles: true}));
};
const view = (id) => document.querySelector(`#${id} svg`).getAttribute("viewBox");
const labels = (id) =>
  [...document.querySelectorAll(`#${id} .x-labels span`)].map((one) => one.textContent);
at("latency", "pointermove", 0.508);
probe.tip = document.querySelector("#latency .tip").innerText;
probe.cursors = document.querySelectorAll(".cursor").length;
at("rates", "pointerdown", 0.45); at("rates", "pointermove", 0.5); at("rates", "pointerup", 0.55);
probe.zoomed = ["rates", "heat", "lag", "curve"].map(view);
probe.labels = labels("cpu");
probe.button = document.getElementById("zoom").hidden;
document.getElementById("zoom").click();
probe.whole = ["rates", "curve"].map(view);
probe.again = labels("cpu");
const toggle = document.querySelector("#rates [data-toggle='0']");
const line = document.querySelector("#rates [data-series='0']");
toggle.click();
probe.hidden = [toggle.getAttribute("aria-pressed"), line.style.display];
toggle.click();
probe.shown = [toggle.getAttribute("aria-pressed"), line.style.display];
const keys = (key) => document.querySelector("#curve .pane").dispatchEvent(
  new KeyboardEvent("keydown", {key, bubbles: true}));
keys("End"); keys("ArrowLeft");
probe.curve = document.querySelector("#curve .tip").innerText;
document.getElementById("theme").click(); document.getElementById("theme").click();
probe.theme = getComputedStyle(document.body).backgroundColor;
say();
</script>"""


class _Page(HTMLParser):
    """Collects text and addresses; fails where elements are not closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.words: list[str] = []
        self.addresses: list[str] = []
        self.ids: list[str] = []
        self.tags: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name in ("src", "href", "action", "data", "srcset", "poster") or name.startswith(
                "on"
            ):
                self.addresses.append(f"{name}={value}")
            if name == "id" and value:
                self.ids.append(value)
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("script", "style"):
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def _embedded(page: str, name: str) -> Any:
    found = re.search(rf'<script type="application/json" id="{name}">(.*?)</script>', page)
    assert found is not None
    return json.loads(found[1])


@pytest.fixture(scope="module")
def stalled() -> LoadResult:
    return stalled_load()


def test_the_page_is_whole_and_loads_nothing(stalled: LoadResult) -> None:
    page = html_report(stalled)
    parsed = _Page(page)
    assert parsed.addresses == []
    assert len(parsed.ids) == len(set(parsed.ids))
    assert {*_FIGURES} <= {*parsed.ids}
    assert "default-src 'none'" in page
    assert not re.search(r"https?:|//[a-z]+\.|@import|url\(", page.replace("// ", ""))
    assert "[[" not in page.replace("[[0", "")
    assert len(page) < 300_000


def test_it_says_what_the_text_report_says(stalled: LoadResult) -> None:
    text = _Page(html_report(stalled)).text
    for words in (
        "FAIL 1 of 3 thresholds failed",
        "open: the schedule sets the pace",
        "80/s constant, Poisson arrivals, seed 7",
        "4,876 queries offered",
        "26 not complete",
        "310.0 ms response p99",
        "p99(response) < 500ms 310 ms ✓ holds",
        "share(error) < 0.1% 0.5332 % ✗ failed",
        "status A700 17 0.349 %",
        "north 2,438 2,422 16",
        "response (schedule) 4,850 43.7 35.6 57.1 66.8 310.0 804.4 844.2",
    ):
        assert words in text, words


def test_the_result_is_in_it(stalled: LoadResult) -> None:
    assert _embedded(html_report(stalled), "result") == json.loads(json.dumps(json_report(stalled)))


def test_figures_hold_the_numbers_of_the_seconds(stalled: LoadResult) -> None:
    figures = _embedded(html_report(stalled), "figures")
    assert tuple(figures) == _FIGURES
    offered = next(one for one in figures["rates"]["series"] if one["name"] == "offered")
    assert offered["values"] == [one.tally.offered for one in stalled.intervals]
    p99 = next(one for one in figures["latency"]["series"] if one["name"] == "response p99")
    second = stalled.intervals[30].tally.latencies["response"].percentile(99)
    assert second is not None
    assert p99["values"][30] == pytest.approx(second * 1000, rel=1e-4)
    top = figures["trouble"]["series"][-1]["values"]
    assert sum(top) == pytest.approx(stalled.total.failed)
    assert [one["name"] for one in figures["trouble"]["series"]] == [
        "status",
        "rejected",
        "timeout",
    ]


def test_long_loads_are_merged_not_thinned_out() -> None:
    whole = stalled_load(seconds=1300, peers=(NORTH,), thresholds=())
    figures = _embedded(html_report(whole), "figures")
    offered = next(one for one in figures["rates"]["series"] if one["name"] == "offered")
    assert 400 < len(offered["values"]) <= 600
    lengths = [3] * 433 + [1]
    total = sum(rate * length for rate, length in zip(offered["values"], lengths, strict=True))
    assert total == pytest.approx(whole.total.offered, rel=1e-4)
    worst = next(one for one in figures["latency"]["series"] if one["name"] == "response max")
    assert max(worst["values"]) == pytest.approx(
        max((one.tally.latencies["response"].max or 0) * 1000 for one in whole.intervals), rel=1e-4
    )


def test_a_short_rest_makes_no_peak(stalled: LoadResult) -> None:
    """One query that ended a millisecond after the end is no thousand queries per second."""
    tally = Tally()
    tally.ended(Ended(0, 0, 0, 0.1, 0.2))
    rest = replace(stalled.intervals[-1], at=60.0, seconds=0.001, tally=tally, is_drain=True)
    figures = _embedded(
        html_report(replace(stalled, intervals=(*stalled.intervals, rest))), "figures"
    )
    for one in figures["rates"]["series"]:
        assert len(one["values"]) == 60
        assert max(one["values"]) < 110


def test_text_is_escaped_wherever_it_stands() -> None:
    evil = '</script><script>alert(1)</script><img src=x onerror="alert(2)">[[script]]&\'"'
    peers = (Peer(name=evil, host="h", port=104, called=evil[:9]), SOUTH)
    tally = Tally(offered=2)
    tally.ended(Ended(0, 0, 0, 0, 1.0, evil, evil))
    tally.ended(Ended(0, 0, 0, 0.1, 0.2))
    tally.refusals[evil, evil] = 1
    results = judged(tally, 10.0, "count(dropped) == 0")
    spoiled = replace(results[0], threshold=replace(results[0].threshold, text=evil))
    result = make_result(
        tally,
        load=make_load(peers),
        thresholds=(spoiled,),
        stopped=evil,
        edited=(evil,),
        health=saturated((evil,)),
        exit=ExitCode.SATURATED,
    )
    page = html_report(result)
    parsed = _Page(page)
    assert parsed.addresses == []
    assert parsed.tags.count("script") == 3
    assert "img" not in parsed.tags
    assert escape(evil) in page
    assert _embedded(page, "result")["peers"][0]["node"] == evil
    assert [one["name"] for one in _embedded(page, "figures")["trouble"]["series"]] == [evil]


@pytest.mark.parametrize("exit_code", list(ExitCode))
def test_runs_of_any_end_have_a_page(exit_code: ExitCode) -> None:
    empty = make_result(Tally(), seconds=0.0, intervals=(), reached=False, exit=exit_code)
    text = _Page(html_report(empty)).text
    assert "Nothing was measured" in text
    assert ("PASS" in text) == (exit_code is ExitCode.COMPLETE)


def test_a_page_warns_of_what_it_must_not_be_taken_for() -> None:
    tally = Tally(offered=2)
    tally.ended(Ended(0, 0, 0, 0.1, 0.2))
    tally.cut_off(9.0, 1.0, 1.0)
    result = make_result(
        tally,
        load=make_load(schedule=None),
        health=saturated(),
        exit=ExitCode.SATURATED,
        edited=("at 12 s: rate +10",),
    )
    text = _Page(html_report(result)).text
    assert "Client SATURATED: results are a lower bound." in text
    assert "schedule lag p99 61.0 ms" in text
    assert "closed: the load waits for the peer" in text
    assert "EDITED at 12 s: rate +10" in text
    assert "≥ 8000.0 ms response p99" in text
    assert "censored not ended when the run did 1" in text


# In a browser


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("page")


@pytest.fixture(scope="module")
def page(folder: Path, stalled: LoadResult) -> Path:
    path = folder / "load.html"
    path.write_text(html_report(stalled).replace("</body>", f"{_PROBE}</body>"), encoding="utf-8")
    return path


def _probe(seen: Visit) -> dict[str, Any]:
    found = re.search(r'data-probe="([^"]*)"', seen.dom)
    assert found is not None
    probe: dict[str, Any] = json.loads(unescape(found[1]))
    return probe


def _share(counts: dict[bytes, int], red: int, green: int, blue: int) -> float:
    """How much of a part is of about this colour."""
    near = sum(
        count
        for colour, count in counts.items()
        if max(abs(colour[0] - red), abs(colour[1] - green), abs(colour[2] - blue)) < 40
    )
    return near / sum(counts.values())


def _colours(picture: Picture, box: list[int]) -> dict[bytes, int]:
    return picture.colours(*box)


def test_the_control_page_is_caught(folder: Path) -> None:
    """Requests and errors of a page are seen, or the next tests would prove nothing."""
    path = folder / "control.html"
    path.write_text('<img src="http://127.0.0.1:9/x.png"><script>nonsense()</script>')
    seen = visit(path, width=400, height=300)
    assert "http://127.0.0.1:9/x.png" in seen.requests
    assert any("nonsense is not defined" in line for line in seen.console)


def test_a_browser_shows_the_page_light(page: Path) -> None:
    seen = visit(page, height=1900)
    assert seen.console == ()
    assert seen.requests == ()
    picture, probe = read_png(seen.picture), _probe(seen)
    assert (picture.width, picture.height) == (1280, 1900)
    assert probe["wide"] == 1280
    assert picture.rows[2][:3] == b"\xf5\xf6\xf8"
    boxes = probe["boxes"]
    assert set(boxes) == {*_FIGURES}
    for name in _FIGURES[:6]:
        left, top, right, bottom = boxes[name]
        assert (right - left > 400, bottom - top > 180) == (True, True), name
        assert len(_colours(picture, boxes[name])) > 8, name
    rates = _colours(picture, boxes["rates"])
    assert 0.3 < _share(rates, 0xBB, 0xCF, 0xED) < 0.9  # the area of completed queries
    assert _share(_colours(picture, boxes["latency"]), 0x1D, 0x5F, 0xC4) > 0.001
    assert _share(_colours(picture, boxes["trouble"]), 0xF1, 0xCB, 0xB9) > 0.01
    assert _share(_colours(picture, boxes["heat"]), 0x77, 0x9F, 0xDC) > 0.01


def test_a_browser_shows_the_page_dark(page: Path) -> None:
    seen = visit(page, height=900, is_dark=True)
    assert (seen.console, seen.requests) == ((), ())
    picture, probe = read_png(seen.picture), _probe(seen)
    assert picture.rows[2][:3] == b"\x10\x13\x18"
    rates = _colours(picture, probe["boxes"]["rates"])
    assert _share(rates, 0x19, 0x1D, 0x24) > 0.1  # the card
    assert _share(rates, 0x31, 0x46, 0x66) > 0.3  # the area on it


def test_a_phone_shows_one_figure_below_the_other(page: Path, folder: Path) -> None:
    # The least width of Chromium's window is more than a phone's: hence a frame.
    frame = folder / "frame.html"
    frame.write_text(
        '<style>body{margin:0}</style><iframe src="load.html" style="border:0;width:390px;'
        'height:1500px"></iframe>'
    )
    seen = visit(frame, width=600, height=1500)
    assert (seen.console, seen.requests) == ((), ())
    picture = read_png(seen.picture)
    line = picture.colours(0, 20, 390, 1500)
    assert len(line) > 50
    assert picture.rows[2][:3] == b"\xf5\xf6\xf8"
    assert picture.rows[2][3 * 395 : 3 * 395 + 3] == b"\xff\xff\xff"
    narrow = folder / "narrow.html"
    narrow.write_text(
        f'<iframe srcdoc="{escape(page.read_text(encoding="utf-8"))}" '
        'style="border:0;width:390px;height:1500px"></iframe><script>'
        'window.onload = () => document.body.setAttribute("data-probe", '
        'document.querySelector("iframe").contentDocument.body.getAttribute("data-probe"));'
        "</script>"
    )
    probe = _probe(visit(narrow, width=600, height=1500))
    assert probe["wide"] == 390
    lefts = {box[0] for box in probe["boxes"].values()}
    assert len(lefts) == 1
    assert all(box[2] <= 390 for box in probe["boxes"].values())


def test_cursor_zoom_names_keys_and_theme_work(page: Path, folder: Path) -> None:
    path = folder / "actions.html"
    text = page.read_text(encoding="utf-8")
    path.write_text(text.replace("</body>", f"{_ACTIONS}</body>"), encoding="utf-8")
    seen = visit(path, height=600)
    assert (seen.console, seen.requests) == ((), ())
    probe = _probe(seen)
    assert probe["tip"].split("\n")[0] == "0:30"
    assert "response p99" in probe["tip"]
    assert probe["cursors"] == 7  # of all time axes
    zoomed = [[float(one) for one in box.split()] for box in probe["zoomed"]]
    assert zoomed[0] == zoomed[1] == zoomed[2]
    assert zoomed[0] == pytest.approx([450, 0, 100, 300], abs=1)
    assert zoomed[3] == [0, 0, 1000, 300]
    assert probe["labels"] == ["0:27", "0:28", "0:29", "0:30", "0:31", "0:32", "0:33"]
    assert probe["button"] is False
    assert probe["whole"] == ["0 0 1000 300", "0 0 1000 300"]
    assert probe["again"] == ["0:00", "0:10", "0:20", "0:30", "0:40", "0:50", "1:00"]
    assert probe["hidden"] == ["false", "none"]
    assert probe["shown"] == ["true", ""]
    assert probe["curve"].startswith("99.97")
    assert probe["theme"] == "rgb(16, 19, 24)"
