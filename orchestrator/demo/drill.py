"""One run of the demo, from nothing to its report.

prepare ▶ start ▶ cameras publish ──────────────────────────▶ drain ▶ stop ▶ verify ▶ report
                      └ half time: SIGKILL ▶ restart ▶ rejoin ┘
"""

import asyncio
import json
import shutil
import sys
import time
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any

from framebuffer import ledger
from framebuffer.errors import FrameBufferError
from framebuffer.wire import FenceRecord
from orchestrator.demo import parts, programs
from orchestrator.demo.clip import find_video
from orchestrator.demo.fault import Kill
from orchestrator.demo.live import Display, open_display
from orchestrator.demo.monitor import Monitor, in_flight
from orchestrator.demo.options import DemoOptions
from orchestrator.demo.report import Facts, build, summary
from orchestrator.demo.schedule import frames_in
from orchestrator.demo.watcher import ResultWatcher
from orchestrator.dev.directory import check_report, locked, new_run_directory
from orchestrator.dev.errors import NotReached
from orchestrator.dev.interrupt import run_interruptible
from orchestrator.dev.local import LocalPlant
from orchestrator.dev.processes import Process
from orchestrator.dev.topology import on_free_ports
from orchestrator.dev.waiting import until
from orchestrator.errors import OrchestratorError

PARTS_S = 30.0
CAMERAS_GRACE_S = 30.0  # a camera that was held up publishes what is overdue
DRAIN_S = 20.0


def main(options: DemoOptions) -> int:
    """Run the demo and return its exit code."""
    display = open_display()
    try:
        return run_interruptible(lambda: _report(options, display))
    except OrchestratorError as error:
        display.event(f"Error [{error.code}]: {error}")
        return error.exit_code
    except FrameBufferError as error:
        display.event(f"Error [{error.code}]: {error}")
        return 1
    finally:
        display.close()


async def _report(options: DemoOptions, display: Display) -> int:
    check_report(options.report)
    report = await drill(options, display)
    display.close()
    if options.report is not None and str(options.report) != "-":
        options.report.parent.mkdir(parents=True, exist_ok=True)
        options.report.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    if str(options.report) == "-":
        sys.stdout.write(json.dumps(report) + "\n")
    else:
        sys.stdout.write("\n".join(summary(report)) + "\n")
    sys.stdout.flush()
    return 0 if report["ok"] else 1


async def drill(options: DemoOptions, display: Display) -> dict[str, Any]:
    """Run once and return the report. Raises OrchestratorError, FrameBufferError when it could not be run at all."""
    began = time.monotonic()
    video = find_video(options.video)
    directory = new_run_directory("demo") if options.directory is None else options.directory.absolute()
    with locked(directory):
        display.event(f"logs and data in {directory}; video {video}")
        facts = await Run(options, display, video, directory).facts(began)
        report = build(facts)
        if report["ok"]:  # logs stay; what only a failure would make worth reading does not
            for data in ("redis", "nodes"):
                shutil.rmtree(directory / data, ignore_errors=True)
    return report


class Run:
    """The state of one run."""

    def __init__(self, options: DemoOptions, display: Display, video: Path, directory: Path) -> None:
        self._options = options
        self._display = display
        self._frames = frames_in(options.seconds, options.fps)
        self._topology = on_free_ports(directory)
        self._plans = programs.camera_plans(options.cameras, video, options.fps, self._frames)
        self._video = video
        self._plant = LocalPlant(self._topology)

    async def facts(self, began: float) -> Facts:
        """Go through all phases."""
        options, plant, display = self._options, self._plant, self._display
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(plant)
            watcher = await stack.enter_async_context(ResultWatcher(self._topology.redis_url))
            monitor = await stack.enter_async_context(Monitor(plant, watcher.tally, display, options.seconds))
            server = await self._start(monitor)
            kill = await self._play(monitor)
            drained = await self._drain(monitor)
            components = await parts.stop_components(plant, [name for name, _ in programs.COMPONENTS])
            display.event("components: " + ", ".join(f"{name} {state}" for name, state in components.items()))
            names = [name for name, _ in (*programs.PROCESSORS, *programs.COMPONENTS)]
            monitor.expected_dead.update(names)
            await plant.processes.stop(names)
            verified = await ledger.verify(monitor.streams)
            stats = await monitor.streams.stats()
            tally = await watcher.finish()
            reigns: list[FenceRecord] = [*stats.leaders, *([stats.fence] if stats.fence else [])]
            failures = list(monitor.failures)
        return Facts(
            options=options,
            ledger=verified,
            reigns=reigns,
            tally=tally,
            fault=kill.fault,
            cameras=[counters(self._plant.processes[plan.camera_id]) for plan in self._plans],
            expected=self._frames * options.cameras,
            drained=drained,
            components=components,
            run_directory=str(self._topology.directory),
            elapsed_s=time.monotonic() - began,
            server=server,
            video=str(self._video),
            failures=failures,
        )

    async def _start(self, monitor: Monitor) -> str:
        plant, display = self._plant, self._display
        components = programs.components(self._topology)
        await plant.processes.start(*programs.processors(self._topology), *components)
        leader = await plant.wait_ready()
        display.event(f"three nodes are ready, {leader} leads: {' '.join(self._topology.apis)}")
        await parts.healthy_processors(plant, [name for name, _ in programs.PROCESSORS], PARTS_S)
        names = [name for name, _ in programs.COMPONENTS]
        await parts.online_components(plant, names, PARTS_S)
        await parts.start_components(plant, names)
        display.event(f"components {', '.join(names)} are started")
        server = await monitor.streams.ready()
        return f"{server.software} {server.version}"

    async def _play(self, monitor: Monitor) -> Kill:
        plant, options = self._plant, self._options
        cameras = await plant.processes.start(*(programs.camera(self._topology, plan) for plan in self._plans))
        monitor.expected_dead.update(camera.name for camera in cameras)
        await self._first_frame(cameras, monitor)
        monitor.started = time.monotonic()
        self._display.event(f"{len(cameras)} cameras publish {options.fps:g} frames a second each")
        kill = Kill(plant, self._display.event, monitor.expected_dead, started=monitor.started, seconds=options.seconds)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._strike(kill, monitor))
            for camera in cameras:
                group.create_task(self._ended(camera, monitor))
        self._display.event("cameras are done")
        return kill

    async def _first_frame(self, cameras: list[Process], monitor: Monitor) -> None:
        """Wait until frames come: the kill in the middle is to be in the middle of them."""

        async def published() -> bool:
            for camera in cameras:
                if not camera.running and camera.returncode != 0:
                    raise camera.ended()
            stats = await monitor.stats()
            return stats is not None and any(camera.published for camera in stats.cameras.values())

        await until(published, seconds=PARTS_S, what="the first frame")

    async def _strike(self, kill: Kill, monitor: Monitor) -> None:
        try:
            if self._options.kill == "leader":
                await kill.leader()
            elif self._options.kill == "primary":
                await kill.primary()
        except (OrchestratorError, FrameBufferError) as error:  # the report tells it, with everything else it knows
            monitor.failures.append(f"the kill went wrong: {error}")

    async def _ended(self, camera: Process, monitor: Monitor) -> None:
        try:
            if await camera.wait(self._options.seconds + CAMERAS_GRACE_S) != 0:
                monitor.failures.append(str(camera.ended()))
        except NotReached as error:
            monitor.failures.append(str(error))
            await camera.stop(grace=2.0)

    async def _drain(self, monitor: Monitor) -> bool:
        async def empty() -> bool:
            stats = await monitor.stats()
            return stats is not None and in_flight(stats) == 0

        try:
            await until(empty, seconds=DRAIN_S, what="empty queues", interval=0.1)
        except NotReached as error:
            self._display.event(str(error))
            return False
        return True


def counters(camera: Process) -> dict[str, Any]:
    """Return the JSON object that a camera printed when it ended, {} where it did not."""
    with suppress(OSError, ValueError, IndexError):
        found = json.loads(camera.out.read_text(encoding="utf-8").splitlines()[-1])
        if isinstance(found, dict):
            return found
    return {"camera_id": camera.name, "published": 0}
