"""Playbooks in virtual time: the real engine and registry, over simulated components that fail by script.

`Simulator` runs them (`docs/playbook-simulator.md`); `triarch playbook simulate` prints what happened.
"""

from orchestrator.playbooks.simulation.comparison import Verification
from orchestrator.playbooks.simulation.faults import Fault, FaultKind, parse_fault
from orchestrator.playbooks.simulation.plant import SimulatedPlant, plant_for
from orchestrator.playbooks.simulation.simulator import Run, Simulator

__all__ = ["Fault", "FaultKind", "Run", "SimulatedPlant", "Simulator", "Verification", "parse_fault", "plant_for"]
