"""The other hosts, as this one reaches them, and what listens where the node shall: before it runs and after."""

import asyncio
import ipaddress
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from framebuffer.errors import FrameBufferError
from framebuffer.trust import trusting
from orchestrator.api.leader_link import Broken, LeaderLink, NotSent
from orchestrator.doctor.clocks import clock_finding
from orchestrator.doctor.finding import Finding, Verdict, well
from orchestrator.host_watch import measured

if TYPE_CHECKING:
    from orchestrator.config import NodeConfig, NodeMember

CONNECT_S = 1.0
ANSWER_S = 3.0
KEEP_S = 1.0


class _Alive(msgspec.Struct):
    node: str = ""


@dataclass(slots=True)
class Around:
    """What was found, and how many of the other nodes answer."""

    findings: list[Finding] = field(default_factory=list)
    answering: int = 0


def members(config: "NodeConfig") -> list[Finding]:
    """The addresses of all nodes, and whether the others can be reached."""
    findings = []
    hosts: dict[str, list[str]] = {}
    for member in config.cluster.members:
        host = urlsplit(f"//{member.raft}").hostname or ""
        addresses = _resolved(host)
        if not addresses:
            advice = "make the name resolve on this host, or give an address"
            findings.append(Finding("address", member.id, Verdict.FAIL, f"{host} does not resolve", advice))
            continue
        hosts.setdefault(addresses[0], []).append(member.id)
        if member.id != config.node.id:
            findings.append(_reachable("Raft", member.id, member.raft))
    for address, ids in hosts.items():
        if len(ids) > 1 and not ipaddress.ip_address(address).is_loopback:
            found = f"{', '.join(ids)} are all on {address}"
            findings.append(Finding("hosts", address, Verdict.WARN, found, "one host lost would take several nodes"))
    return findings


def _resolved(host: str) -> list[str]:
    try:
        return sorted({str(info[4][0]) for info in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)})
    except (OSError, UnicodeError):  # the latter: no name can be so
        return []


def _reachable(what: str, subject: str, address: str) -> Finding:
    host, port = urlsplit(f"//{address}").hostname or "", urlsplit(f"//{address}").port or 0
    try:
        socket.create_connection((host, port), timeout=CONNECT_S).close()
    except (OSError, UnicodeError) as error:
        found = f"{what} at {address}: {getattr(error, 'strerror', None) or error}"
        return Finding(
            "reachable", subject, Verdict.WARN, found, "is it started, and is the port open in the firewall?"
        )
    return well("reachable", subject, f"{what} at {address}")


async def neighbours(config: "NodeConfig") -> Around:
    """Ask every node, this host's own one too, by its API: who is there, by whose clock, and with which token."""
    own = config.member()
    token = config.api_token()
    headers = [] if token is None else [(b"authorization", f"Bearer {token}".encode())]
    around = Around()
    try:
        link = LeaderLink(keep_s=KEEP_S, tls=trusting(config.api.ca_file, public_too=True))
    except FrameBufferError as error:
        around.findings.append(Finding("API", "authorities", Verdict.FAIL, str(error), "see api.ca_file"))
        return around
    try:
        ours = await _answers(link, own.api, own.id)
        around.findings += _ports(config, ours=ours)
        others = [member for member in config.cluster.members if member.id != own.id]
        for found, answers in await asyncio.gather(*(_other(link, member, headers) for member in others)):
            around.findings += found
            around.answering += answers
    finally:
        await link.aclose()
    return around


async def _answers(link: LeaderLink, api: str, node_id: str) -> bool:
    try:
        answer = await link.ask(api, "GET", "/healthz", [], within_s=ANSWER_S)
        return msgspec.json.decode(answer.content, type=_Alive).node == node_id
    except (NotSent, Broken, msgspec.MsgspecError, UnicodeDecodeError):
        return False


async def _other(
    link: LeaderLink, member: "NodeMember", headers: list[tuple[bytes, bytes]]
) -> tuple[list[Finding], bool]:
    """What is wrong with another node, as this host sees it; and whether it answers at all."""
    offset = await measured(link, member.id, member.api)
    try:
        answer = await link.ask(member.api, "GET", "/v1/cluster", headers, within_s=ANSWER_S)
    except (NotSent, Broken) as error:
        advice = "well, where it does not run yet; else open the port of its API, both ways"
        return [Finding("reachable", member.id, Verdict.WARN, f"API at {member.api}: {error}", advice)], False
    findings = [well("reachable", member.id, f"API at {member.api}")]
    if answer.status in (401, 403):
        told = f"{member.id} does not take this host's api.token (answered {answer.status})"
        advice = "all nodes have one and the same api.token: compare the files"
        findings.append(Finding("token", member.id, Verdict.FAIL, told, advice))
    if offset is not None:
        findings.append(clock_finding(member.id, offset))
    return findings, True


def _ports(config: "NodeConfig", *, ours: bool) -> Iterator[Finding]:
    """Free, or this node's own: `ours` says that it answers."""
    for what, address in (("API", config.api_bind()), ("Raft", config.raft_bind())):
        host, port = urlsplit(f"//{address}").hostname or "", urlsplit(f"//{address}").port or 0
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        subject = f"{what} {address}"
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                if ours:
                    yield well("port", subject, f"this host's {config.node.id} listens")
                    continue
                advice = f"see what holds it (ss -ltnp 'sport = :{port}') and end that, or choose another port"
                yield Finding("port", subject, Verdict.FAIL, f"{error.strerror or error}, and not by this node", advice)
            else:
                found = "free, though the node answers: it listens elsewhere" if ours else "free"
                yield well("port", subject, found)
