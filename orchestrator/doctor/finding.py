"""What the doctor says of one thing it looked at. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Verdict(StrEnum):
    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """`check`: what was looked at; `subject`: where; `found`: what is there; `advice`: what to do, "" when well."""

    check: str
    subject: str
    verdict: Verdict
    found: str
    advice: str = ""

    def shown(self) -> dict[str, Any]:
        return {
            "check": self.check,
            "subject": self.subject,
            "verdict": str(self.verdict),
            "found": self.found,
            "advice": self.advice,
        }


def well(check: str, subject: str, found: str) -> Finding:
    return Finding(check, subject, Verdict.OK, found)


def worst(findings: Iterable[Finding]) -> Verdict:
    """The gravest of all; OK for none."""
    order = (Verdict.OK, Verdict.WARN, Verdict.FAIL)
    return max((finding.verdict for finding in findings), key=order.index, default=Verdict.OK)


def limits(check: str, subject: str, value: float, *, warn: float, fail: float, found: str, advice: str) -> Finding:
    """Judge a figure by two bounds: the verdict is WARN above `warn` and FAIL above `fail`."""
    verdict = Verdict.FAIL if value > fail else Verdict.WARN if value > warn else Verdict.OK
    return Finding(check, subject, verdict, found, advice if verdict is not Verdict.OK else "")


def same(check: str, values: Mapping[str, Any], *, advice: str) -> Finding:
    """Whether all nodes say the same; `values` by node."""
    distinct = {str(value) for value in values.values()}
    told = ", ".join(f"{node}: {value}" for node, value in sorted(values.items()))
    if len(distinct) <= 1:
        return well(check, "all nodes", next(iter(distinct), "-"))
    return Finding(check, "all nodes", Verdict.FAIL, told, advice)
