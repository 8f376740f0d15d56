"""The report in a browser, from file://: headless Chromium by Playwright; skipped where either is missing."""

import csv
import json
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from sessions import write_session

from tracker.config import ReportConfig
from tracker.report import write_report
from tracker.traces.reading import read_trace

playwright = pytest.importorskip("playwright.sync_api", reason="needs Playwright: pip install playwright")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs a browser: apt-get install chromium")

BITS = 8
"""Stripes of a numbered frame, which tell its number in black and white."""
STEADY = np.round(np.arange(250) / 25, 6)
OPEN_S = 30
"""A loaded machine is given longer than a page may take."""
LOST = "ERR_FILE_NOT_FOUND"
"""Said of a linked video that is not there."""
SHOWN_NUMBER = """(bits) => {
    const pen = new OffscreenCanvas(bits * 8, 8).getContext("2d");
    pen.drawImage(document.getElementById("video"), 0, 0, bits * 8, 8);
    let number = 0;
    for (let bit = 0; bit < bits; bit++) number += (pen.getImageData(bit * 8 + 4, 4, 1, 1).data[0] > 127) << bit;
    return number;
}"""
SETTLED = (
    """() => { const video = document.getElementById("video"); return !video.seeking && player.wanted === null; }"""
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def show(browser: Any) -> Iterator[Callable[..., Any]]:
    """Opens a page from disk; a request to elsewhere, an error or a forbidden script fails the test."""
    contexts, faults = [], []

    def opened(page_file: Path, context: Any = None, **options: Any) -> Any:
        context = context or browser.new_context(**({"viewport": {"width": 1280, "height": 900}} | options))
        contexts.append(context)
        page = context.new_page()
        page.on("request", lambda asked: None if re.match("(file|data|blob):", asked.url) else faults.append(asked.url))
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on(
            "console", lambda said: faults.append(said.text) if said.type == "error" and LOST not in said.text else None
        )
        page.goto(page_file.as_uri())
        page.wait_for_selector("body[data-ready=yes]", timeout=OPEN_S * 1000)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert faults == []


def numbered_clip(path: Path, times: np.ndarray) -> Path:
    """A clip (H.264) whose frames tell their numbers, shown at these times, seconds, whatever their steps."""
    with av.open(str(path), "w") as output:
        stream: Any = output.add_stream("libx264", rate=25, options={"crf": "18", "g": "24"})
        stream.width, stream.height, stream.pix_fmt = 32 * BITS, 64, "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, 90000)
        for number, time in enumerate(times):
            stripes = [255 * (number >> bit & 1) for bit in range(BITS)]
            picture = np.broadcast_to(np.repeat(np.uint8(stripes), 32)[None, :, None], (64, 32 * BITS, 3))
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            frame.pts = round(time * 90000)
            output.mux(stream.encode(frame))
        output.mux(stream.encode())
    return path


def uneven_times(count: int) -> np.ndarray:
    """Seconds: frames that last from 15 to 120 ms, in microseconds as a table has them."""
    steps = np.random.default_rng(3).uniform(0.015, 0.12, count - 1)
    ticks = np.round(np.concatenate([[0], np.cumsum(steps)]) * 90000)
    return np.round(ticks / 90000, 6)


def click_at(page: Any, time: float, dimension: str = "valence", **options: Any) -> None:
    """Click on a trace where a time, seconds, is drawn."""
    x = page.evaluate("([t]) => { const {from, to} = session.view; return (t - from) / (to - from); }", [time])
    over = page.locator(f"#{dimension}-chart .u-over")
    box = over.bounding_box()
    over.click(position={"x": x * box["width"], "y": box["height"] / 2}, **options)


def saved(page: Any, button: str) -> list[dict[str, str]]:
    """The rows of what a button saves."""
    with page.expect_download() as download:
        page.click(button)
    with Path(download.value.path()).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def uneven(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with an embedded clip of 200 numbered frames at uneven times, and two faces."""
    folder = tmp_path_factory.mktemp("uneven")
    times = uneven_times(200)
    table = write_session(folder, times, source=numbered_clip(folder / "session.mp4", times))
    return write_report(table, ReportConfig(embed=True))


def test_a_click_on_a_trace_shows_the_frame_of_that_time(uneven: Path, show: Callable[..., Any]) -> None:
    page = show(uneven)
    page.wait_for_function("() => player.ready && player.offset !== null")
    times = read_trace(uneven.with_suffix(".csv")).columns["timestamp"]
    for time in (0.4, 6.27, 3.333, 11.9, 0.05):
        click_at(page, time, "arousal")
        page.wait_for_function(SETTLED)
        frame = page.evaluate("session.frame")
        assert page.evaluate(SHOWN_NUMBER, BITS) == frame
        pixel_s = page.evaluate(
            "(session.view.to - session.view.from) / (document.querySelector('.u-over').clientWidth)"
        )
        assert np.unique(times)[frame] - pixel_s <= time <= np.unique(times)[frame + 1] + pixel_s
    shown = page.evaluate("session.frame")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowLeft")
    page.wait_for_function(SETTLED)
    assert page.evaluate(SHOWN_NUMBER, BITS) == page.evaluate("session.frame") == shown + 1
    page.keyboard.press("End")
    page.wait_for_function(SETTLED)
    assert page.evaluate(SHOWN_NUMBER, BITS) == 199


def test_playing_moves_the_playhead_with_the_frames(uneven: Path, show: Callable[..., Any]) -> None:
    page = show(uneven)
    page.wait_for_function("() => player.ready && player.offset !== null")
    page.evaluate(
        """() => { window.seen = []; session.on("frame", () => seen.push([session.frame, player.mediaTime])); }"""
    )
    page.keyboard.press("Space")
    page.wait_for_function("() => session.frame > 20", timeout=OPEN_S * 1000)
    page.keyboard.press("Space")
    page.wait_for_function("() => document.getElementById('video').paused")
    assert page.inner_text("#play") == "Play"
    frames = [frame for frame, _ in page.evaluate("seen")]
    assert all(after > before for before, after in pairwise(frames))
    assert page.evaluate(SHOWN_NUMBER, BITS) == page.evaluate("session.frame")
    line = page.evaluate("document.getElementById('playhead').getBoundingClientRect().left")
    drawn = page.evaluate(
        "document.querySelector('.u-over').getBoundingClientRect().left + timeline.charts[0].valToPos(session.now, 'x')"
    )
    assert line == pytest.approx(drawn, abs=1.5)


def test_faces_are_renamed_and_merged_in_what_is_saved(tmp_path: Path, show: Callable[..., Any]) -> None:
    table = write_session(tmp_path, STEADY, faces=1)
    original = table.read_text(encoding="utf-8")
    lines = original.splitlines()
    head, tail = lines[: len(lines) // 2], [re.sub(r"^(\d+),0,", r"\1,7,", line) for line in lines[len(lines) // 2 :]]
    table.write_text("\n".join([*head, *tail]) + "\n", encoding="utf-8")
    page = show(write_report(table, ReportConfig()))
    page.fill("[data-face='0'] .name", 'Ann, "A"')
    page.keyboard.press("Enter")
    page.select_option("[data-face='7'] select", "0")
    page.reload()
    page.wait_for_selector("body[data-ready=yes]")
    assert page.locator("#faces li").count() == 1
    rows = saved(page, "#save-table")
    with table.open(encoding="utf-8", newline="") as file:
        before = list(csv.DictReader(file))
    assert {row["face_id"] for row in before} - {""} == {"0", "7"}
    assert {(row["face_id"], row["face_name"]) for row in rows if row["face_id"]} == {("0", 'Ann, "A"')}
    for ours, theirs in zip(rows, before, strict=True):
        for name in theirs.keys() - {"face_id", "status", "quadrant"}:
            assert (float(ours[name] or "nan"), ours[name] == "") == pytest.approx(
                (float(theirs[name] or "nan"), theirs[name] == ""), abs=0, nan_ok=True
            )
        assert (ours["status"], ours["quadrant"]) == (theirs["status"], theirs["quadrant"])


def test_two_faces_seen_together_stay_two(uneven: Path, show: Callable[..., Any]) -> None:
    page = show(uneven)
    page.select_option("[data-face='1'] select", "0")
    assert re.fullmatch(
        r"face 1 and face 0 are seen together in \d+ frames: these are two people\.", page.inner_text("#notice")
    )
    assert page.locator("#faces li").count() == 2


def test_markers_and_stretches_are_kept_and_saved(tmp_path: Path, show: Callable[..., Any]) -> None:
    page = show(write_report(write_session(tmp_path, STEADY), ReportConfig()))
    mean = page.locator("#figures tr").first.locator("td").nth(3)
    whole = mean.inner_text()
    click_at(page, 2.01)
    page.keyboard.press("3")
    box = page.locator("#valence-chart .u-over").bounding_box()
    page.keyboard.down("Shift")
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.7, box["y"] + 30, steps=4)
    page.mouse.up()
    page.keyboard.up("Shift")
    assert mean.inner_text() != whole
    page.reload()
    page.wait_for_selector("body[data-ready=yes]")
    marker, stretch = saved(page, "#save-events")
    assert marker == {"frame": "50", "timestamp": "2", "event": "marker 3", "duration": "0"}
    assert stretch["event"] == "excluded" and float(stretch["timestamp"]) == pytest.approx(5, abs=0.05)
    assert float(stretch["duration"]) == pytest.approx(2, abs=0.1)
    begin, end = float(stretch["timestamp"]), float(stretch["timestamp"]) + float(stretch["duration"])
    for row in saved(page, "#save-table"):
        assert (row["excluded"] == "1") == (begin <= float(row["timestamp"]) < end)


@pytest.mark.slow
def test_saved_events_are_read_by_the_next_report(tmp_path: Path, show: Callable[..., Any]) -> None:
    table = write_session(tmp_path, STEADY)
    page = show(write_report(table, ReportConfig()))
    page.evaluate("timeline.exclude(1, 2)")
    with page.expect_download() as download:
        page.click("#save-events")
    assert download.value.suggested_filename == "session.events.csv"
    download.value.save_as(tmp_path / "session.events.csv")
    again = show(write_report(table, ReportConfig(overwrite=True), tmp_path / "second.html"))
    assert again.evaluate("session.excluded.reduce((a, b) => a + b)") == 26


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1440, 3840])
def test_no_serious_fault_of_access_and_nothing_beside_the_screen(
    scheme: str, width: int, uneven: Path, show: Callable[..., Any]
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="pip install axe-playwright-python")
    page = show(uneven, color_scheme=scheme, viewport={"width": width, "height": 900}, bypass_csp=True)
    page.evaluate("session.changeEvents([{time: 1, end: 1, name: 'marker'}, {time: 2, end: 3, name: 'excluded'}])")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    found = axe.Axe().run(page).response["violations"]
    serious = [
        (each["id"], [node["html"] for node in each["nodes"]])
        for each in found
        if each["impact"] in ("serious", "critical")
    ]
    assert serious == []
    assert page.evaluate("timeline.charts[0].width") <= width


@pytest.mark.slow
def test_everything_is_in_reach_of_the_keys(uneven: Path, show: Callable[..., Any]) -> None:
    page = show(uneven)
    reached = set()
    for _ in range(80):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.id || document.activeElement.className"))
    assert {"position", "play", "trail", "show-raw", "zoom-in", "good-only", "mark", "save-events", "name"} <= reached
    page.focus("#position")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("session.frame") == 1
    assert re.match(
        r"0\.\d\d s; face 0: valence [+-]?0\.\d\d, arousal", page.get_attribute("#position", "aria-valuetext")
    )
    page.keyboard.press("x")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("x")
    assert page.evaluate("session.edits.events.map((event) => event.name)") == ["excluded"]
    page.keyboard.press("u")
    assert page.evaluate("session.edits.events") == []


@pytest.mark.slow
def test_numbers_are_written_as_the_reader_writes_them(uneven: Path, show: Callable[..., Any]) -> None:
    assert re.search(r"^0,000 s / \d+,\d s$", show(uneven, locale="de-DE").inner_text("#time"))
    assert re.search(r"^0\.000 s / \d+\.\d s$", show(uneven, locale="en-US").inner_text("#time"))


@pytest.mark.slow
def test_a_hostile_name_does_nothing(tmp_path: Path, show: Callable[..., Any]) -> None:
    name = """<img src=x onerror=document.title=1> "'&<script>document.title=2<!--"""
    table = write_session(tmp_path, STEADY, name=name)
    events = [{"time": 1, "end": 1, "name": "<img src=x onerror='document.title=3'>"}]
    page_file = write_report(table, ReportConfig())
    page = show(page_file)
    page.evaluate("(events) => session.changeEvents(events)", events)
    page.fill("[data-face='0'] .name", "<img src=x onerror='document.title=4'>")
    page.keyboard.press("Enter")
    page.wait_for_timeout(300)
    assert page.title() == f"{name}.mp4 · apparent affect" and page.locator("img").count() == 0
    assert page.inner_text("#title") == f"{name}.mp4"


@pytest.mark.slow
def test_a_linked_video_is_followed_and_a_lost_one_is_asked_for(tmp_path: Path, show: Callable[..., Any]) -> None:
    times = uneven_times(60)
    clip = numbered_clip(tmp_path / "a clip #1 100%.mp4", times)
    page_file = write_report(write_session(tmp_path, times, source=clip), ReportConfig())
    page = show(page_file)
    page.wait_for_function("() => player.ready && player.offset !== null")
    for frame in range(len(times)):
        page.evaluate("(frame) => player.goTo(frame)", frame)
        page.wait_for_function(SETTLED)
        page.wait_for_timeout(40)
        assert page.evaluate("session.frame") == frame
        assert abs(page.evaluate("player.shown()") - frame) <= 1
    moved = clip.rename(tmp_path / "moved.mp4")
    lost = show(page_file)
    lost.wait_for_selector("#video-lost", state="visible")
    assert "is not where it was" in lost.inner_text("#video-told")
    lost.set_input_files("#choose-video", moved)
    lost.wait_for_function("() => player.ready && player.offset !== null")
    lost.evaluate("player.goTo(42)")
    lost.wait_for_function(SETTLED)
    assert lost.evaluate(SHOWN_NUMBER, BITS) == 42


@pytest.mark.slow
def test_half_an_hour_of_two_faces_is_small_and_quick(tmp_path: Path, show: Callable[..., Any], browser: Any) -> None:
    """Time is that of the page's own threads, so that a machine that others use does not count."""
    psutil = pytest.importorskip("psutil")
    page_file = write_report(write_session(tmp_path, np.round(np.arange(54000) / 30, 6)), ReportConfig())
    assert page_file.stat().st_size <= 6e6
    show(page_file).close()

    def used() -> float:
        """Seconds of CPU time that the pages' processes have taken."""
        seconds = 0.0
        for each in psutil.Process().children(recursive=True):
            with suppress(psutil.Error):
                seconds += sum(each.cpu_times()[:2]) if "--type=renderer" in each.cmdline() else 0.0
        return seconds

    start = used()
    page = show(page_file)
    loading = used() - start
    start = used()
    page.evaluate(
        """() => new Promise((done) => {
            let shown = 0;
            const tick = () => {
                session.look(session.start, (session.end - session.start) * (1 - shown / 121));
                if (++shown < 60) requestAnimationFrame(tick);
                else done();
            };
            requestAnimationFrame(tick);
        })"""
    )
    drawing = (used() - start) / 60
    print(f"{page_file.stat().st_size} bytes; CPU time: loaded in {loading:.2f} s, a view in {1000 * drawing:.1f} ms")
    assert loading < 2.0 and drawing < 1 / 30
    assert json.loads(page.evaluate("JSON.stringify([session.times.length, session.rows])")) == [54000, 102600]
