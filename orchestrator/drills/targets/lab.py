"""Drills in a lab, three hosts on this machine: network and power are harmed from outside, the rest over ssh."""

import os
from collections.abc import Sequence

from orchestrator.drills.lab_commands import LabCommandFailed
from orchestrator.drills.lab_faults import FaultUnseen, LabFaults
from orchestrator.drills.lab_file import LabFile, LabFileInvalid, read_lab
from orchestrator.drills.target import Evidence, Fault, FaultUnproven, TargetOptions, TargetUnusable
from orchestrator.drills.targets.access import HostAccess
from orchestrator.drills.targets.inside import InsideTarget


def open_target(options: TargetOptions) -> "LabTarget":
    """The target of `--lab`. TargetUnusable: none is given, or it cannot be used."""
    if options.lab is None:
        raise TargetUnusable("--target lab needs --lab FILE: the lab.json that python -m tests.lab.hosts up names")
    if os.geteuid() != 0:
        raise TargetUnusable("the faults of a lab are done by root: run this as root")
    try:
        return LabTarget(read_lab(options.lab), options)
    except LabFileInvalid as error:
        raise TargetUnusable(str(error)) from None


class LabTarget(InsideTarget):
    """A host that is cut off here does not know of it; one that loses its power loses it between two instructions."""

    name = "lab"

    def __init__(self, lab: LabFile, options: TargetOptions) -> None:
        super().__init__(options.directory, options.faults)
        self._lab = lab
        self._faults = LabFaults(lab)
        self._harmed = False

    async def reach(self) -> Sequence[HostAccess]:
        """As the file says."""
        arguments = ("-F", self._lab.ssh_config)
        return [
            HostAccess(name, host.address, user="root", key=self._lab.key, arguments=arguments)
            for name, host in self._lab.hosts.items()
        ]

    def check_cut(self, fault: Fault) -> None:
        """Always possible."""

    def check_power_off(self, fault: Fault) -> None:
        """Always possible."""

    async def cut_off(self, fault: Fault, victim: str, *, incoming: bool, outgoing: bool) -> Evidence:
        """Drop on the bridge what goes to the victim, what comes from it, or both."""
        others = [name for name in self._lab.hosts if name != victim]
        ways = [(other, victim) for other in others if incoming] + [(victim, other) for other in others if outgoing]
        self._harmed = True
        try:
            done = await self._faults.cut(ways, one_way=True)
        except (FaultUnseen, LabCommandFailed) as error:
            raise FaultUnproven(fault, str(error)) from None
        what = "hears nothing of" if not outgoing else "is not heard by" if not incoming else "is cut off from"
        return Evidence(fault, victim, done.at, f"{victim} {what} {', '.join(others)} (on the bridge)", done.proof)

    async def power_off(self, fault: Fault, victim: str) -> Evidence:
        """Pull the plug. FaultUnproven."""
        self._harmed = True
        try:
            done = await self._faults.power_off(victim)
        except (FaultUnseen, LabCommandFailed) as error:
            raise FaultUnproven(fault, str(error)) from None
        return Evidence(fault, victim, done.at, done.how, done.proof)

    async def heal(self) -> None:
        """From outside first: a host that is off or cut off cannot take back what was done inside. TargetUnusable."""
        if self._harmed:
            try:
                await self._faults.heal()
            except LabCommandFailed as error:
                raise TargetUnusable(f"the lab is not healed: {error}") from None
            self._harmed = False
        await super().heal()
