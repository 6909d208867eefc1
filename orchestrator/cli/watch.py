"""`triarch watch`: the plant's changes as they are applied, over the deaths of nodes and leaders."""

import json
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

import click

from orchestrator.cli.following import Follower, TimeOver, Told
from orchestrator.cli.http import api_options
from orchestrator.cli.output import note, printable

PATH = "/v1/watch"
SUBJECTS = (
    *("cluster", "components", "groups", "policies", "playbooks", "executions", "processors", "variables"),
    *("alerts", "silences", "alert_rules", "journal", "tokens", "audit", "figures"),
)
"""As the API has them; which of them a token may see, the node says."""
DEFAULT = ",".join(each for each in SUBJECTS if each not in ("tokens", "audit", "figures"))
_TELLING = (
    "state",
    "presence",
    "health",
    "status",
    "leader",
    "role",
    "severity",
    "version",
    "value",
    "message",
    "gap_s",
)
"""Members of rows that say in a line what became of them."""


@click.command(
    epilog="\b\nExamples:\n  triarch watch\n  triarch watch components alerts\n"
    "  triarch watch variables -o json | jq -c '.changes[].row'\n  triarch watch figures -o json --count 1"
)
@click.argument("subjects", nargs=-1, type=click.Choice(SUBJECTS), metavar="[SUBJECT]...")
@click.option("--from", "last", default="", metavar="INDEX", help="Begin behind this index.  [default: from now on]")
@click.option("--for", "seconds", type=click.FloatRange(0.1), metavar="SECONDS", help="End after so long.")
@click.option("--count", type=click.IntRange(1), metavar="N", help="End after N changes.")
@api_options
@click.option("-o", "--output", type=click.Choice(["table", "json"]), default="table", show_default=True,
              help="Lines for people, or a JSON document for each change.")  # fmt: skip
def watch(
    subjects: Sequence[str],
    last: str,
    seconds: float | None,
    count: int | None,
    urls: str,
    timeout_s: float,  # noqa: ARG001 - streams have times of their own
    output: str,
) -> None:
    """Show each change of the plant as it is applied, until interrupted.

    SUBJECT is one or more of cluster, components, groups, policies, playbooks, executions, processors, variables,
    alerts, silences, alert_rules, journal (all of these without one), tokens, audit, figures. Goes on at the next node
    when one is lost, without a gap.
    """
    follower = Follower(urls, PATH, params={"subjects": ",".join(subjects) or DEFAULT}, last=last)
    left = count
    try:
        for told in follower.events(None if seconds is None else time.monotonic() + seconds):
            if told.kind == "lost":
                note(_LOST.get(told.data["reason"], f"the node ended the watch: {told.data['reason']}"))
            if told.kind not in ("change", "figures"):
                continue
            _show(told, output)
            if left is not None and (left := left - 1) == 0:
                return
    except TimeOver:
        return


_LOST = {
    "slow": "changes were not taken fast enough; going on where it broke off",
    "restored": "the plant was restored from a backup: all of it may have changed",
    "token": "the token does not count any more",
    "no_leader": "the node knows no leader; going on where it broke off, at another one",
}


def _show(told: Told, output: str) -> None:
    if output == "json":
        click.echo(json.dumps(told.data, ensure_ascii=False))
    elif told.kind == "figures":
        click.echo(printable(_figures(told.data)))
    else:
        for each in told.data["changes"]:
            told_of = "gone" if each["row"] is None else _short(each["row"])
            line = f"{told.index:>8}  {each['subject']}/{each['id']}  {each['kind']}  {told_of}"
            click.echo(printable(line).rstrip())
    sys.stdout.flush()


def _short(row: Mapping[str, Any]) -> str:
    parts = []
    for name in _TELLING:
        value = row.get(name)
        if value not in (None, "", "OK", "ONLINE"):
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            parts.append(f"{name}={text if len(text) <= 60 else text[:59] + '…'}")
    return " ".join(parts)


def _figures(data: Mapping[str, Any]) -> str:
    frames = data["frames"] or {}
    rates = " ".join(f"{name.removesuffix('_s')} {frames.get(name) or 0:g}/s" for name in _RATES)
    return f"leader {data['leader'] or 'none'}  index {data['index']}  age {data['staleness_s'] or 0:.1f} s  {rates}"


_RATES = ("published_s", "dispatched_s", "settled_s")
