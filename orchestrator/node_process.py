"""The process of a node: signals, what is told to the service manager, and how Python runs in it."""

import asyncio
import gc
import logging
import signal

import uvloop

from orchestrator.api_server import allow_files
from orchestrator.config import NodeConfig
from orchestrator.interpreter import settle
from orchestrator.logs import to_stderr
from orchestrator.node import Node, running
from orchestrator.put_off import Rest
from orchestrator.service_notify import ServiceNotify
from orchestrator.tasks import cancelled

log = logging.getLogger(__name__)

FIRST_S = 0.1
"""Those who have waited for the node are answered before it goes on with what was put off."""
FILES_OWN = 512
"""Beside those of clients: the log, Raft, Redis, and what is asked elsewhere."""


async def _build(node: Node, rest: Rest) -> None:
    """What was put off so that the node answers soon. Then Python looks no more through what came of it.

    Without a collection before, unlike at the start: that would hold up requests, and Raft.
    """
    try:
        await asyncio.sleep(FIRST_S)
        await asyncio.to_thread(node.trust.load)  # first, as whoever comes to lead needs it
        built = await rest.build()
    except Exception:  # whoever needs it will try again, and be told
        log.exception("what was put off while the node started could not be built")
    else:
        gc.freeze()
        log.debug("%d validators were built that the start did not wait for", built)


async def _main(config: NodeConfig, rest: Rest) -> None:
    service = ServiceNotify.from_environment()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with running(config) as node:
        loop.add_signal_handler(signal.SIGHUP, node.reload)
        to_stderr(config.node, epoch=node.leading)
        settle()
        log.info("node %s runs: API on %s", config.node.id, config.api_bind())
        # It listens. Not "it can serve": without a majority it cannot, and the second of three would never be started.
        service.ready(node.in_words())
        told = asyncio.create_task(service.keep(node.in_words), name="service")
        late = asyncio.create_task(_build(node, rest), name="put-off")
        try:
            await node.run(stop)
        finally:
            service.stopping()
            await cancelled(told)
            await cancelled(late)
    service.close()
    log.info("node %s has stopped", config.node.id)


def run(config: NodeConfig, rest: Rest) -> int:
    """Run a node until SIGTERM or SIGINT; 0 when it was told to stop. `rest` is built once it serves.

    Errors: OrchestratorError, ClusterError, FrameBufferError with what keeps it from running, or ended it.
    """
    to_stderr(config.node)
    files = allow_files()
    if files < config.api.connections_max + FILES_OWN:
        log.warning(
            "this process may open %d files: too few for api.connections_max %d; raise its hard limit (LimitNOFILE)",
            files,
            config.api.connections_max,
        )
    uvloop.run(_main(config, rest))
    return 0
