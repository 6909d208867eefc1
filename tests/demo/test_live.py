"""Progress is a table on a terminal and plain lines elsewhere."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from orchestrator.demo.live import Lines, Rate, Snapshot, Table, clock, line, open_display

SNAPSHOT = Snapshot(
    elapsed_s=12.3,
    seconds=30,
    published=740,
    settled=731,
    fps_in=60.2,
    fps_out=59.4,
    undispatched=2,
    queues={"faces-1": (3, 1), "motion-1": (0, 0)},
    leader="n2",
    epoch="3.17",
    detections={"faces": 120, "motion": 300},
    latest="faces ×1 on cam3",
)


def test_a_line_names_the_figures() -> None:
    text = line(SNAPSHOT)
    for part in ("12.3/30 s", "in  60.2 fps", "out  59.4 fps", "faces-1=3+1", "leader n2 (3.17)", "faces=120"):
        assert part in text
    assert "leader none" in line(Snapshot())


def test_frames_that_were_given_up_are_shown_where_there_are_any() -> None:
    stream = io.StringIO()
    table = Table(Console(file=stream, width=100))
    table.show(replace(SNAPSHOT, dead=9))
    table.close()
    assert "9 dead" in stream.getvalue()
    assert "dead 9" in line(replace(SNAPSHOT, dead=9))
    assert "dead" not in line(SNAPSHOT)


def test_without_a_terminal_there_are_plain_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    stream = io.StringIO()
    display = open_display(stream)
    assert isinstance(display, Lines)
    display.event("the leader is killed")
    display.show(SNAPSHOT)
    display.show(SNAPSHOT)  # too soon: one a second
    display.close()
    lines = stream.getvalue().splitlines()
    assert len(lines) == 2
    assert "the leader is killed" in lines[0]
    assert "\x1b" not in stream.getvalue()


def test_on_a_terminal_there_is_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = Terminal()
    display = open_display(stream)
    try:
        assert isinstance(display, Table)
        display.event("n1 is killed")
        display.show(SNAPSHOT)
    finally:
        display.close()
    assert "\x1b" in stream.getvalue()
    assert "n1 is killed" in stream.getvalue()


def test_the_table_shows_queues_leader_events_and_detections() -> None:
    stream = io.StringIO()
    console = Console(file=stream, width=100)
    table = Table(console)
    table.show(SNAPSHOT)
    table.event("n1 is killed")
    table.close()
    stream.truncate(0)
    console.print(table.render())
    text = stream.getvalue()
    for part in (
        "12.3/30 s",
        "in 60.2 fps",
        "n2 (epoch 3.17)",
        "faces-1",
        "3 waiting",
        "120 detected",
        "faces ×1 on cam3",
        "n1 is killed",
    ):
        assert part in text


def test_a_long_event_goes_on_below_its_beginning() -> None:
    stream = io.StringIO()
    console = Console(file=stream, width=40)
    table = Table(console)
    table.event("n1 of [three] is killed and " + "x" * 60)
    table.close()
    stream.truncate(0)
    console.print(table.render())
    first, *rest = stream.getvalue().split("╯\n")[-1].splitlines()
    assert "n1 of [three] is killed" in first
    indent = first.index("n1")
    assert rest
    assert all(line.startswith(" " * indent) for line in rest)


def test_the_clock_stops_with_the_cameras_and_runs_on_where_there_is_no_end() -> None:
    assert clock(Snapshot(elapsed_s=31.4, seconds=30)) == "30.0/30 s"
    assert clock(Snapshot(elapsed_s=3_600.04)) == "3600.0 s"


def test_a_rate_is_the_growth_a_second() -> None:
    rate = Rate()
    assert rate.update(100, now=10.0) == 0.0
    assert rate.update(160, now=11.0) == 60.0
    assert rate.update(160, now=11.0) == 60.0  # no time has passed
    assert rate.update(0, now=12.0) == 0.0  # the counter started anew
    assert rate.update(30, now=12.5) == 60.0
