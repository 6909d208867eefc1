"""`triarch dev`: a plant that stays up until it is interrupted. A process that dies is started again."""

import asyncio
import shutil
from contextlib import AsyncExitStack
from pathlib import Path

import httpx

from framebuffer.errors import FrameBufferError
from orchestrator.demo import parts, programs
from orchestrator.demo.clip import find_video
from orchestrator.demo.live import Display, open_display
from orchestrator.demo.monitor import Monitor
from orchestrator.demo.watcher import ResultWatcher
from orchestrator.dev.directory import HOME, locked
from orchestrator.dev.errors import PlantError
from orchestrator.dev.interrupt import run_interruptible
from orchestrator.dev.local import LocalPlant
from orchestrator.dev.options import DevOptions
from orchestrator.dev.processes import Process
from orchestrator.dev.shipped import put_shipped
from orchestrator.dev.topology import Topology, on_ports
from orchestrator.errors import OrchestratorError

PARTS_S = 30.0
LOOK_S = 1.0
RESTART_S = 3.0  # long enough to watch the others take over


def main(options: DevOptions) -> int:
    """Run the plant and return its exit code; an interruption is its normal end."""
    display = open_display()
    try:
        code = run_interruptible(lambda: supervise(options, display))
        return 0 if code > 128 else code
    except OrchestratorError as error:
        display.event(f"Error [{error.code}]: {error}")
        return error.exit_code
    except FrameBufferError as error:
        display.event(f"Error [{error.code}]: {error}")
        return 1
    finally:
        display.close()


async def supervise(options: DevOptions, display: Display) -> int:
    """Start everything, say where it is, keep it up until cancelled."""
    directory = (options.directory or HOME / "dev").absolute()
    video = await asyncio.to_thread(find_video, options.video) if options.frames and options.cameras else None
    topology = on_ports(
        directory, api_port=options.api_port, raft_port=options.raft_port, redis_port=options.redis_port
    )
    with locked(directory):
        if options.fresh:
            await asyncio.to_thread(_forget, topology)
        async with AsyncExitStack() as stack:
            plant = await stack.enter_async_context(LocalPlant(topology))
            watcher = await stack.enter_async_context(ResultWatcher(topology.redis_url))
            monitor = await stack.enter_async_context(Monitor(plant, watcher.tally, display, 0.0))
            leader = await plant.wait_ready()
            display.event(f"nodes {' '.join(topology.apis)}; {leader} leads")
            display.event(f"frames {topology.redis_url}; logs and data in {directory}; Ctrl-C ends it all")
            if options.frames:
                check_open(await plant.call("GET", "/v1/whoami"))
                await _start_parts(plant, options, video, display)
            await _put_playbooks(plant, display)
            monitor.started = asyncio.get_running_loop().time()
            await _keep_up(plant, display)
    return 0


def check_open(answer: httpx.Response) -> None:
    """Raises PlantError where nodes ask for tokens: cameras, processors and components of a plant have none."""
    if answer.status_code == httpx.codes.UNAUTHORIZED:
        raise PlantError(
            "the nodes ask for tokens since the first admin's was made, and the processors and components of this "
            "plant have none; --no-frames runs the nodes without them, --fresh forgets all and begins anew"
        )


async def _start_parts(plant: LocalPlant, options: DevOptions, video: Path | None, display: Display) -> None:
    topology = plant.topology
    await plant.processes.start(*programs.processors(topology), *programs.components(topology))
    await parts.healthy_processors(plant, [name for name, _ in programs.PROCESSORS], PARTS_S)
    names = [name for name, _ in programs.COMPONENTS]
    await parts.online_components(plant, names, PARTS_S)
    await parts.start_components(plant, names)
    display.event(f"components {', '.join(names)} are started")
    if video is not None:
        plans = programs.camera_plans(options.cameras, video, options.fps, frames=0)
        await plant.processes.start(*(programs.camera(topology, plan) for plan in plans))
        display.event(f"{len(plans)} cameras play {video}")


async def _put_playbooks(plant: LocalPlant, display: Display) -> None:
    """After the parts: nothing of their start shall set one off. Without them the plant is still worth having."""
    try:
        put = await put_shipped(plant, PARTS_S)
    except (OrchestratorError, httpx.HTTPError) as error:
        display.event(f"the shipped playbooks are not put: {error}; triarch playbook apply playbooks/")
        return
    if put:
        display.event(f"playbooks {', '.join(put)} are there: triarch playbook list")


async def _keep_up(plant: LocalPlant, display: Display) -> None:
    """Start again what has died, and the server too, some seconds after its end. Runs until cancelled."""
    waiting: dict[str, float] = {}
    now = asyncio.get_running_loop().time
    while True:
        for process in plant.processes.dead():
            due = waiting.setdefault(process.name, now() + RESTART_S)
            if now() >= due:
                del waiting[process.name]
                await _restart(process, display)
        if plant.server.pid is None:
            due = waiting.setdefault("server", now() + RESTART_S)
            if now() >= due:
                del waiting["server"]
                display.event("the server has ended and is started again")
                try:
                    await plant.server.restart()
                except FrameBufferError as error:
                    display.event(f"the server does not start: {error}")
        await asyncio.sleep(LOOK_S)


async def _restart(process: Process, display: Display) -> None:
    try:
        await process.start()
        display.event(f"{process.name} is started again")
    except OSError as error:
        display.event(str(PlantError(f"{process.name} cannot be started: {error}")))


def _forget(topology: Topology) -> None:
    for directory in (topology.redis_directory, topology.directory / "nodes", topology.logs):
        shutil.rmtree(directory, ignore_errors=True)
