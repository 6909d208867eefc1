"""The report of a drill and its page, from facts of a real one."""

import json
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import msgspec
import pytest

from orchestrator.drills.budget import Budget, BudgetInvalid, default
from orchestrator.drills.options import DrillOptions
from orchestrator.drills.page import page
from orchestrator.drills.recorded import Recorded
from orchestrator.drills.report import Report, ReportUnreadable, Run, build, read
from orchestrator.drills.running import draw, main, read_budgets
from orchestrator.drills.target import DrillError, Evidence, Fault
from tests.command_line import triarch

FACTS = Path(__file__).parent / "drill_facts" / "leader-kill.json"
RUN = Run("leader-kill", "local", 2, 20.0, "2026-11-28T16:16:00+00:00", "0.1.0", "abc")


def made(budget: Budget | None = None, **changes: str) -> Report:
    facts = msgspec.json.decode(FACTS.read_bytes(), type=Recorded)
    evidence = Evidence(Fault.LEADER_KILL, "n1", facts.at, changes.get("how", "SIGKILL of n1"), {"exit_status": -9})
    moments = [(facts.began, "load is on", ""), (facts.at, "SIGKILL of n1", "n1"), (facts.healed, "healed", "")]
    return build(
        RUN, budget or default(Fault.LEADER_KILL), evidence=evidence, unproven="", moments=moments, recorded=facts
    )


def svg(text: str) -> ET.Element:
    found = re.search(r"<svg.*</svg>", text, re.DOTALL)
    assert found is not None
    return ET.fromstring(found[0])  # noqa: S314 - our own


def test_a_report_is_drawn_again_from_its_json_alone() -> None:
    report = made()
    again = read(msgspec.json.encode(report), "leader-kill.json")
    assert again == report
    assert page(again) == page(report)
    assert (report.verdict, report.ok) == ("passed", True)
    assert report.ledger is not None
    assert report.ledger.confirmed == report.ledger.published == report.ledger.settled > 300


def test_the_page_needs_nothing_else() -> None:
    text = page(made())
    assert "PASSED" in text
    for forbidden in ("<script", "http:", "https:", "url(http", "<link", "@import", "src="):
        assert forbidden not in text
    assert "prefers-color-scheme: dark" in text
    assert "@media print" in text


def test_the_picture_shows_who_led_and_where_nothing_was() -> None:
    report = made()
    assert report.picture is not None
    picture = svg(page(report))
    names = [one.text for one in picture.iter("text") if one.get("class") == "name"]
    assert names == ["n1", "n2", "n3", "published", "dispatched"]
    led = {bar.epoch for bars in report.picture.nodes.values() for bar in bars if bar.state == "leads"}
    assert len(led) == 2
    titles = [one.text or "" for one in picture.iter("title")]
    for epoch in led:
        assert any(f"leads {epoch}" in title for title in titles)
    assert sum(one.get("class") == "gap" for one in picture.iter("rect")) == 2
    assert sum(one.get("class") == "number" for one in picture.iter("g")) == len(report.timeline)
    for one in picture.iter("rect"):
        if one.get("x") is not None:
            assert 0 <= float(one.get("x", "")) <= float(one.get("x", "")) + float(one.get("width", "")) <= 1001


def test_a_broken_budget_and_a_missing_proof_are_said() -> None:
    failed = made(Budget(takeover_s=0.0))
    assert (failed.verdict, failed.ok) == ("failed", False)
    assert "FAILED" in page(failed)
    assert "✗ broken" in page(failed)
    moments = [(5.0, "leader-kill is not proven: it still runs", "")]
    unproven = build(RUN, Budget(), evidence=None, unproven="n1 ended with status 0", moments=moments, recorded=None)
    assert (unproven.verdict, unproven.ok) == ("unproven", False)
    assert "UNPROVEN" in page(unproven)
    assert "n1 ended with status 0" in page(unproven)


def test_a_host_that_takes_the_primary_with_it_is_judged_by_publishing() -> None:
    facts = msgspec.json.decode(FACTS.read_bytes(), type=Recorded)
    nothing = Budget(takeover_s=0.0, dispatch_gap_s=0.0, publish_gap_s=0.0)
    run = msgspec.structs.replace(RUN, drill="host-power-off", target="lab")
    for takes_primary, broken in (
        (False, {"takeover_s", "dispatch_gap_s", "publish_gap_s"}),
        (True, {"publish_gap_s"}),
    ):
        evidence = Evidence(
            Fault.HOST_POWER_OFF, "n1", facts.at, "off", {"processes_after": 0}, takes_primary=takes_primary
        )
        report = build(run, nothing, evidence=evidence, unproven="", moments=[], recorded=facts)
        assert {one.what for one in report.verdicts if not one.ok} == broken
        assert report.takeover_s is not None
        again = read(msgspec.json.encode(report), "host-power-off.json")
        assert again.evidence is not None
        assert again.evidence.takes_primary is takes_primary


def test_what_a_plant_says_is_text_and_no_markup() -> None:
    text = page(made(how="<script>alert(1)</script>"))
    assert "<script" not in text
    assert "&lt;script&gt;" in text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"{", "is no report of a drill"),
        (b"[]", "is no report of a drill"),
        (b"\xff\xfe", "is no report of a drill"),
        (msgspec.json.encode(msgspec.structs.replace(made(), format=2)), "is of format 2; this version draws up to 1"),
        (msgspec.json.encode(msgspec.structs.replace(made(), drill="earthquake")), "'earthquake' is no drill"),
    ],
)
def test_what_is_no_report_is_refused(text: bytes, said: str) -> None:
    with pytest.raises(ReportUnreadable) as caught:
        read(text, "x.json")
    assert said in str(caught.value)


def test_a_page_is_drawn_again_beside_its_report(tmp_path: Path) -> None:
    report = tmp_path / "leader-kill.json"
    report.write_bytes(msgspec.json.encode(made()))
    assert draw(report) == report.with_suffix(".html")
    assert report.with_suffix(".html").read_text(encoding="utf-8") == page(made())
    with pytest.raises(DrillError, match="cannot be read"):
        draw(tmp_path / "none.json")


def test_budgets_are_read_from_a_file(tmp_path: Path) -> None:
    budget = tmp_path / "budget.yaml"
    budget.write_text("leader-kill: {takeover_s: 1}\n", encoding="utf-8")
    assert read_budgets(budget)[Fault.LEADER_KILL].takeover_s == 1
    for text, said in (("leader-kil: {lost: 1}", "did you mean leader-kill?"), ("a: [", "is no YAML")):
        budget.write_text(text, encoding="utf-8")
        with pytest.raises(BudgetInvalid, match=said):
            read_budgets(budget)
    with pytest.raises(BudgetInvalid, match="cannot be read"):
        read_budgets(tmp_path / "none.yaml")


def test_what_a_target_cannot_do_ends_before_anything_starts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    directory = tmp_path / "run"
    for fault, said in ((Fault.HOST_POWER_OFF, "share its power"), (Fault.CLOCK_JUMP, "share its clock")):
        assert main(DrillOptions((Fault.LEADER_KILL, fault), directory=directory)) == 2
        assert said in capsys.readouterr().err
        assert not (directory / "plant" / "nodes").exists()
    (tmp_path / "file").write_text("")
    assert main(DrillOptions((Fault.LEADER_KILL,), report=tmp_path / "file", directory=directory)) == 2
    assert "cannot be written" in capsys.readouterr().err


@pytest.mark.anyio
async def test_the_commands(tmp_path: Path) -> None:
    report = tmp_path / "leader-kill.json"
    report.write_bytes(msgspec.json.encode(made()))
    code, out, err = await triarch("drill", "report", str(report))
    assert (code, out.strip()) == (0, str(report.with_suffix(".html"))), err
    for words, said in (
        (("leader-kill", "--target", "lab"), "--target lab needs the lab.json"),
        (("leader-kill", "--cameras", "0"), "0 is not within 1..64"),
        (("all", "--operator"), "a person pulls the plug for host-power-off, with --target ansible only"),
        (("leader-isolated", "--target", "ansible", "--inventory", "hosts.yml", "--operator"), "a person pulls"),
        (("earthquake",), "is not one of"),
    ):
        code, _, err = await triarch("drill", "run", *words)
        assert code == 2
        assert said in err
    code, out, _ = await triarch("drill", "list", "-o", "json")
    rows = {row["name"]: row for row in json.loads(out)}
    assert code == 0
    assert set(rows) == {str(fault) for fault in Fault}
    assert rows["primary-kill"]["budget"]["publish_gap_s"] == 4.0
    assert "local" not in rows["clock-jump"]["targets"]
