"""What the dashboard's buttons ask stands in the table of rights: what does not is for nobody."""

import re

from orchestrator.access.rights import RIGHTS
from tests.dashboard_actions import SOURCES, Action, actions, unnamed

ROWS = {Action(right.method, unnamed(right.path)) for right in RIGHTS}


def test_every_action_stands_in_the_table_of_rights() -> None:
    found = actions()
    assert not {asked: files for asked, files in found.items() if asked not in ROWS}
    assert sum(len(files) for files in found.values()) == _elements(), "one of them was not read"
    assert all(asked.method != "GET" for asked in found), "what changes nothing needs no action"


def test_what_pages_need_stands_there_too() -> None:
    text = (SOURCES / "pages.ts").read_text("utf-8")
    needed = [Action(*each) for each in re.findall(r'needs: \["(\w+)", "([^"]+)"\]', text)]
    assert len(needed) == text.count("needs: [")
    assert set(needed) <= ROWS


def test_what_is_sent_stands_there_too() -> None:
    """Of requests whose address is written out."""
    sent = re.compile(r"\b(post|put|remove)(?:<[^(`]*>)?\((?:`(/v1/[^`]*)`|\"(/v1/[^\"]*)\")")
    methods = {"post": "POST", "put": "PUT", "remove": "DELETE"}
    found = set()
    for path in SOURCES.rglob("*.ts"):
        for verb, template, text in sent.findall(path.read_text("utf-8")):
            # A verb at the end is one of several that are written out where it is asked for.
            address = re.sub(r"\$\{verb\}$", "replay", template or text)
            found.add(Action(methods[verb], re.sub(r"\$\{[^}]*\}", "{}", address)))
    assert len(found) >= 9
    assert not found - ROWS


def _elements() -> int:
    texts = (path.read_text("utf-8") for path in SOURCES.rglob("*.ts") if path.name != "action.ts")
    return sum(text.count("<tri-action") for text in texts)
