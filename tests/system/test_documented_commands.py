"""Every command line that a document shows is one: its words, its options, and as many arguments as it takes.

`tests/chaos/test_documented_commands.py` runs them on a plant.
"""

import ast
import re
import urllib.parse
from pathlib import Path

import click
import pytest
import yaml

from orchestrator.access import rights
from tests.chaos.test_documented_commands import NOT_RUN
from tests.command_line import REPO
from tests.system.documented import Documented, asked, documented, played, resolved, typed

COMMANDS = list(documented())
ROLES = REPO / "deploy/ansible/roles"
OF_THE_SYSTEM = {"systemd-timesyncd"}
"""Units that Debian brings."""


def test_the_documents_show_commands() -> None:
    assert len(COMMANDS) > 150
    pages = [command.page for command in COMMANDS]
    assert set(pages) >= {"docs/cli.md", "docs/frames.md", "docs/access.md"}
    assert pages.count("README.md") > 10
    assert pages.count("docs/quick-start.md") > 10


@pytest.mark.parametrize("page", sorted({command.page for command in COMMANDS}))
def test_what_a_page_shows_are_commands(page: str) -> None:
    for shown in COMMANDS:
        if shown.page == page:
            check(shown)


def test_what_curl_is_shown_to_ask_are_endpoints() -> None:
    shown = list(asked())
    assert {each.page for each in shown} >= {"docs/api.md", "docs/watch.md"}
    for each in shown:
        path = urllib.parse.urlsplit(each.url).path
        assert rights.find(each.method, path) is not None, f"{each.page}: {each.method} {path}"


def test_the_playbooks_of_the_deployment_that_are_shown_are_there() -> None:
    """And each variable that a document sets is one of a role, or of that playbook. tests/deploy runs them."""
    ansible = REPO / "deploy" / "ansible"
    specified = {
        name
        for path in ansible.glob("roles/*/meta/argument_specs.yml")
        for entry in yaml.safe_load(path.read_text(encoding="utf-8"))["argument_specs"].values()
        for name in entry.get("options", {})
    }
    shown = list(played())
    assert {each.page for each in shown} >= {"docs/deployment.md", "docs/upgrade.md", "docs/runbooks/lost-hosts.md"}
    for each in shown:
        assert (ansible / each.playbook).is_file(), each
        own = set(re.findall(r"\btriarch_\w+", (ansible / each.playbook).read_text(encoding="utf-8")))
        assert set(each.variables) <= specified | own, each


@pytest.mark.parametrize("left_out", NOT_RUN, ids=" ".join)
def test_what_is_not_run_with_the_others_is_run_where_it_is_said(left_out: tuple[str, ...]) -> None:
    why, _, places = NOT_RUN[left_out].partition("; ")
    assert why
    assert places
    for place in places.split(", "):
        assert (REPO / place).is_file(), place
        assert calls(REPO / place, left_out), f"{place} does not run triarch {' '.join(left_out)}"


def test_a_file_that_only_names_a_command_does_not_run_it(tmp_path: Path) -> None:
    file = tmp_path / "test_x.py"
    for text, found in (
        ('await triarch("cluster", "remove", "n2")', True),
        ('await ask(nodes, "cluster", "remove", "n2", "-o", "json")', True),
        ('run(*(sys.executable, "-m", "orchestrator.cli.main", "cluster", "remove"))', True),
        ('def cluster(*words): invoke(main, ["cluster", *words])\ncluster("remove", "n2")', True),
        ('"""triarch cluster remove"""', False),
        ('cluster("remove", "n2")', False),
        ('await triarch("cluster", "removed", "n2")', False),
        ('await triarch("-v", "cluster", "remove")', False),
    ):
        file.write_text(text)
        assert calls(file, ("cluster", "remove")) is found, text


def calls(file: Path, words: tuple[str, ...]) -> bool:
    """Whether `words` begin the texts of a call, a tuple or a list there, or stand behind the name of the module.

    Or the last of them do, where the first begin those of a list: then a function of that file puts them in front.
    """
    begun: set[tuple[str, ...]] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        given = node.args if isinstance(node, ast.Call) else node.elts if isinstance(node, ast.Tuple | ast.List) else []
        texts = [each.value for each in given if isinstance(each, ast.Constant) and isinstance(each.value, str)]
        if "orchestrator.cli.main" in texts:
            texts = texts[texts.index("orchestrator.cli.main") + 1 :]
        begun.update(tuple(texts[:count]) for count in range(1, len(words) + 1))
    return words in begun or any(words[:at] in begun and words[at:] in begun for at in range(1, len(words)))


def test_redis_is_asked_with_its_password() -> None:
    """Else it answers NOAUTH. The sentinels ask for none, and say so of one that is given."""
    defaults = yaml.safe_load((ROLES / "triarch/defaults/main.yml").read_text(encoding="utf-8"))
    template = (ROLES / "triarch_redis/templates/sentinel.conf.j2").read_text(encoding="utf-8")
    assert "requirepass" not in template
    installed = (ROLES / "triarch_node/tasks/configure.yml").read_text(encoding="utf-8")
    assert "dest: /etc/triarch/secrets/{{ item.name }}" in installed
    assert "{name: redis.password, value:" in installed
    shown = list(typed("redis-cli"))
    assert {each.page for each in shown} >= {"docs/runbooks/alerts.md", "docs/runbooks/members.md"}
    for each in shown:
        asks_a_sentinel = each.words[:2] == ("-p", str(defaults["triarch_sentinel_port"]))
        wanted = "" if asks_a_sentinel else "REDISCLI_AUTH=$(sudo cat /etc/triarch/secrets/redis.password) "
        assert each.before == wanted, each


def test_units_that_are_shown_are_installed() -> None:
    ours = {path.name.removesuffix(".service.j2") for path in ROLES.glob("*/templates/*.service.j2")}
    assert "triarch-node" in ours
    shown = 0
    for each in typed("systemctl"):
        _, *units = [word for word in each.words if not word.startswith("-")]
        shown += len(units)
        assert {unit.removesuffix(".service") for unit in units} <= ours | OF_THE_SYSTEM, each
    for each in typed("journalctl"):
        assert "-u" in each.words, each
        shown += 1
        assert each.words[each.words.index("-u") + 1].removesuffix(".service") in ours | OF_THE_SYSTEM, each
    assert shown > 10


def check(shown: Documented) -> None:
    """AssertionError, LookupError: it is none."""
    command, path, rest = resolved(shown.words)
    options = {name: option for option in command.params if isinstance(option, click.Option) for name in option.opts}
    options |= {
        name: option for option in command.params if isinstance(option, click.Option) for name in option.secondary_opts
    }
    known = {*options, "-h", "--help"}
    given = [word.partition("=")[0] for word in rest if word.startswith("-") and word not in ("-", "--")]
    assert set(given) <= known, f"triarch {' '.join(path)} has no {set(given) - known}"
    arguments, values, skipped = [], iter(rest), False
    for word in values:
        if word.startswith("-") and word not in ("-", "--"):
            option = options.get(word.partition("=")[0])
            skipped = option is not None and not option.is_flag and "=" not in word
            if skipped:
                next(values, None)
        elif word != "--":
            arguments.append(word)
    takes = [parameter for parameter in command.params if isinstance(parameter, click.Argument)]
    if not any(parameter.nargs == -1 for parameter in takes):
        assert len(arguments) <= len(takes), f"triarch {' '.join(path)} takes {len(takes)} arguments"
