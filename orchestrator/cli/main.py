"""`triarch`: the names of the commands. The module of a command is imported only when that command is run."""

import importlib
import os
import sys
from collections.abc import Mapping

import click

# httpx brings a command line of its own when it is imported, and with it rich's progress bars: a fifth of the time
# until one of these commands asks anything. It does without where the module is not to be had.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]

EPILOG = """\b
Examples:
  triarch dev                              three nodes, cameras, processors and components on this machine
  triarch demo --kill leader               the same for half a minute, with a kill in the middle and a report
  triarch cluster status -o json
  triarch component command press-1 start

\b
Environment:
  TRIARCH_CONTEXT    addresses and token by name (triarch context)
  TRIARCH_URL        addresses of the API, comma separated
  TRIARCH_TOKEN      the API's token
  TRIARCH_CA_FILE    authorities that are trusted (TRIARCH_CERT_FILE, TRIARCH_KEY_FILE: what is shown)
  TRIARCH_REDIS_URL  where `triarch frames` finds Redis
  NO_COLOR           no colours

\b
Exit codes:
  0 ok         1 failed      2 usage        3 not found                      4 refused
  5 conflict   6 no leader   7 outcome unknown or timed out   8 degraded
"""

COMPLETE = "_TRIARCH_COMPLETE"
"""Set by the shell's completion; click reads it."""

# name -> (module:attribute, what it does). The second is repeated here so that `--help` imports nothing.
COMMANDS: Mapping[str, tuple[str, str]] = {
    "node": ("orchestrator.cli.node:node", "Run one node of the cluster."),
    "dev": ("orchestrator.cli.plant:dev", "Run a whole plant on this machine until it is interrupted."),
    "demo": (
        "orchestrator.cli.plant:demo",
        "Move real frames, kill a part midway, prove that nothing was lost.",
    ),
    "drill": ("orchestrator.cli.drill:drill", "Do a fault to a plant on purpose, measure it, judge it."),
    "bench": ("orchestrator.cli.plant:bench", "Measure, side by side with the ceiling of the same run."),
    "cluster": ("orchestrator.cli.cluster:cluster", "Who leads, who is ready; hand leadership over."),
    "backup": ("orchestrator.cli.backup:backup", "Back a plant up, prove a backup, bring one back."),
    "context": ("orchestrator.cli.context:context", "Places that commands ask, by name."),
    "login": ("orchestrator.cli.context:login", "Keep a token for a context, after a look whose it is."),
    "top": ("orchestrator.cli.top:top", "The plant as it is now, live: nodes, frames, components, alerts."),
    "doctor": ("orchestrator.cli.doctor:doctor", "What is wrong with a plant or with a host, and what to do about it."),
    "debug": ("orchestrator.cli.debug:debug", "One file with what whoever helps needs to see, without secrets."),
    "watch": ("orchestrator.cli.watch:watch", "Each change of the plant as it is applied, over nodes that are lost."),
    "component": ("orchestrator.cli.component:component", "Components and their lifecycle."),
    "group": ("orchestrator.cli.group:group", "Groups of components."),
    "plan": ("orchestrator.cli.plan:plan", "In which order components would move; nothing does."),
    "alert": ("orchestrator.cli.alert:alert", "What fires, who looks after it, what is silenced, by which rules."),
    "processor": ("orchestrator.cli.processor:processor", "Processors of frames."),
    "playbook": ("orchestrator.cli.playbook:playbook", "Playbooks: what the leader does to the plant, step by step."),
    "execution": (
        "orchestrator.cli.execution:execution",
        "Executions of playbooks: follow, pause, cancel, retry, approve.",
    ),
    "event": ("orchestrator.cli.event:event", "The plant's journal of events; send one."),
    "variable": ("orchestrator.cli.variable:variable", "Values that the whole cluster agrees on."),
    "token": ("orchestrator.cli.token:token", "Tokens of people, components and processors."),
    "access": ("orchestrator.cli.access:access", "The first admin's token; who am I; which role may do what."),
    "audit": ("orchestrator.cli.audit:audit", "Who changed what: list, export, and verify that nothing was altered."),
    "frames": ("orchestrator.cli.frames:frames", "Queues, the ledger, and what became of each frame."),
    "completion": ("orchestrator.cli.completion:completion", "Have the shell complete commands, options and ids."),
}


class LazyGroup(click.Group):
    """A group that knows its commands by name and imports the one that is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        if COMPLETE in os.environ:  # the shell asks what could stand here
            from orchestrator.cli.completion import offer

            offer(command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


def _version(ctx: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    if not wanted or ctx.resilient_parsing:
        return
    import importlib.metadata  # the tables and e-mail parser that it brings are for this alone

    try:
        version = importlib.metadata.version("triarch")
    except importlib.metadata.PackageNotFoundError:
        version = "unknown (not installed)"
    click.echo(f"triarch {version}")
    ctx.exit()


@click.group(cls=LazyGroup, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--version", is_flag=True, expose_value=False, is_eager=True, callback=_version, help="Show the version.")
def main() -> None:
    """Three nodes that run as one: they keep components in order and move video frames without losing any."""


if __name__ == "__main__":
    main(prog_name="triarch")
