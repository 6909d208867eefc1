"""`triarch node`."""

from pathlib import Path

import click

from orchestrator.cli.output import Failure


@click.command(
    epilog="\b\nExamples:\n  triarch node --config n1.yaml\n"
    "  TRIARCH_NODE__LOG_LEVEL=debug triarch node --config n1.yaml"
)
@click.option("--config", "path", type=click.Path(dir_okay=False, path_type=Path), required=True, help="YAML settings.")
@click.option(
    "--set", "settings", multiple=True, metavar="FIELD=VALUE", help="Overrides a setting: node.log_level=debug."
)
@click.option("--check", is_flag=True, help="Only say whether the settings are good.")
def node(path: Path, settings: tuple[str, ...], check: bool) -> None:
    """Run one node of the cluster, until it is told to stop by SIGTERM or SIGINT."""
    from orchestrator.put_off import Rest, loading

    with Rest() as rest:
        with loading():
            from orchestrator.config import load_config
            from orchestrator.errors import OrchestratorError

            try:
                config = load_config(path, _overrides(settings))
            except OrchestratorError as error:
                raise Failure(error.code, error.message) from None
            if check:
                click.echo(f"{path}: the settings are good")
                return
            from cluster import ClusterError
            from framebuffer.errors import FrameBufferError
            from orchestrator.interpreter import leave
            from orchestrator.node_process import run
        try:
            code = run(config, rest)
        except OrchestratorError as error:
            raise Failure(error.code, error.message) from None
        except (ClusterError, FrameBufferError) as error:
            raise Failure(error.code, str(error)) from None
    leave(code)


def _overrides(settings: tuple[str, ...]) -> dict[str, str]:
    """`FIELD=VALUE` by dotted field."""
    found = {}
    for setting in settings:
        field, equals, value = setting.partition("=")
        if not equals or not field:
            raise click.BadParameter(f"{setting!r} is not FIELD=VALUE", param_hint="--set")
        found[field] = value
    return found
