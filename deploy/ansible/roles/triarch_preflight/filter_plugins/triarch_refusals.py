"""What a deployment would break on: decided from what was read, before anything changes.

Pure but for ``triarch_wheelhouse``, which reads the wheelhouse on this machine. Each refusal is one line: which host,
what is wrong, what to do.
"""

import hashlib
import ipaddress
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import combinations
from pathlib import Path
from typing import Any

# Ansible itself stands on it.
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

HOSTS = 3
NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
DEBIAN_MIN = 12
PYTHON_MIN = (3, 11)
LIMITS = ("free_mb_min", "root_free_mb_min", "sync_ms_max", "clock_s_max")
SECRETS = {"cluster.secret": "cluster_secret", "api.token": "api_token", "redis.password": "redis_password"}

Report = Mapping[str, Any]
Settings = Mapping[str, Any]


def triarch_inventory_refusals(addresses: Mapping[str, str]) -> list[str]:
    """Of the inventory alone: address by host name. Nothing is asked of any host for it."""
    return list(_inventory(addresses))


def _inventory(addresses: Mapping[str, str]) -> Iterator[str]:
    if len(addresses) != HOSTS:
        why = "two agree on nothing when one is gone" if len(addresses) == 2 else "a cluster is made of three"
        yield (
            f"the group triarch has {len(addresses)} hosts ({', '.join(addresses) or 'none'}), not {HOSTS}: {why}. "
            "List three hosts; members beyond three are added to a running cluster with `triarch cluster add`."
        )
    for host, address in addresses.items():
        if not NAME.fullmatch(host):
            yield (
                f"{host}: the name is the node's id: 1 to 64 letters, digits, '.', '_', '-'. Rename it in the "
                f"inventory."
            )
        try:
            place = ipaddress.ip_address(address)
        except ValueError:
            yield (
                f"{host}: {address!r} is no IP address. Set triarch_address of this host to the address at which the "
                "other hosts and the clients reach it."
            )
            continue
        if place.is_loopback or place.is_unspecified:
            yield f"{host}: the others cannot reach {address}. Set triarch_address to an address of its network."
    for one, other in combinations(addresses, 2):
        if addresses[one] == addresses[other]:
            yield (
                f"{one} and {other} have the same address {addresses[one]}. Correct ansible_host or triarch_address: "
                "each of the three must be a machine of its own."
            )


def triarch_proxy_refusals(addresses: Mapping[str, str]) -> list[str]:
    """Of the hosts of HAProxy, address by name: the nodes would not know whose word about clients they may take."""
    return list(_proxies(addresses))


def _proxies(addresses: Mapping[str, str]) -> Iterator[str]:
    for host, address in addresses.items():
        try:
            place = ipaddress.ip_address(address)
        except ValueError:
            place = None
        if place is None or place.is_loopback or place.is_unspecified:
            yield (
                f"{host}: {address!r} is no IP address from which HAProxy there could ask the nodes, so they would "
                "take all of its clients for one. Set triarch_address of this host."
            )


def triarch_refusals(reports: Mapping[str, Report], settings: Settings, wheelhouse: Mapping[str, Any]) -> list[str]:
    """Of what the hosts reported.

    Args:
        reports: by host, of triarch_host_report.
        settings: version, cluster, upgrading, rotating, scheme, together, secrets (values or None), free_mb_min,
            root_free_mb_min, sync_ms_max, clock_s_max.
        wheelhouse: of ``triarch_wheelhouse``.
    """
    # What a person gives by `-e name=value` is text.
    settings = {**settings, **{name: float(settings[name]) for name in LIMITS}}
    found = [*wheelhouse["faults"], *_machines(reports), *_clocks(reports, settings["clock_s_max"])]
    if not settings["rotating"]:
        found += _secrets(reports, settings["secrets"])
    found += _old_cluster(reports)
    for host, report in reports.items():
        checks = (
            _system(report),
            _wheels(report, wheelhouse),
            _network(report),
            _disks(report, settings),
            _redis(report),
            _cluster(report, settings),
            _release(report, settings),
            _scheme(report, settings),
        )
        found += [f"{host}: {said}" for check in checks for said in check]
    return found


def _machines(reports: Mapping[str, Report]) -> Iterator[str]:
    for one, other in combinations(reports, 2):
        if reports[one]["boot_id"] and reports[one]["boot_id"] == reports[other]["boot_id"]:
            yield (
                f"{one} and {other} are the same machine (boot id {reports[one]['boot_id']}): it would count twice, "
                f"and "
                "take two of three nodes with it. Correct ansible_host."
            )


def triarch_clock_offset(report: Report) -> tuple[float, float]:
    """Bounds of a host's clock against this machine's monotonic one, seconds: it was read between asking and answer."""
    return report["clock_end"] - report["answered"], report["clock_start"] - report["asked"]


def _clocks(reports: Mapping[str, Report], limit_s: float) -> Iterator[str]:
    for one, other in combinations(reports, 2):
        (low, high), (other_low, other_high) = (triarch_clock_offset(reports[host]) for host in (one, other))
        apart = max(low - other_high, other_low - high)
        if apart > limit_s:
            ahead = one if low > other_high else other
            yield (
                f"the clocks of {one} and {other} are at least {apart:.1f} s apart ({ahead} is ahead; at most "
                f"{limit_s:g} s "
                "are allowed): events and certificates are judged by them. Install chrony or systemd-timesyncd on "
                "all hosts "
                "(apt install chrony), wait until `timedatectl` says that the clock is synchronized, and run this "
                "again."
            )


def _secrets(reports: Mapping[str, Report], ours: Mapping[str, str] | None) -> Iterator[str]:
    for name, member in SECRETS.items():
        held = {host: report["secrets"].get(name) for host, report in reports.items()}
        there = {host: digest for host, digest in held.items() if digest}
        if not there:
            continue
        if len(set(there.values())) > 1:
            counts = list(there.values())
            common = max(set(counts), key=counts.count)
            odd = (
                [host for host, digest in there.items() if digest != common]
                if counts.count(common) > 1
                else list(there)
            )
            yield (
                f"{', '.join(odd)}: /etc/triarch/secrets/{name} is another one than on the other hosts: they would "
                f"refuse "
                "each other. Is this host of another cluster? Put the right secret there, or remove the file and "
                "deploy again."
            )
        elif ours is None:
            yield (
                f"{', '.join(there)}: there is a {name} already, but this machine has no secrets file: a new one "
                f"would lock "
                "the running nodes out. Bring the secrets file of the first deployment here (triarch_secrets_file)."
            )
        elif hashlib.sha256(str(ours[member]).encode()).hexdigest() not in there.values():
            yield (
                f"{', '.join(there)}: {name} is another one than in triarch_secrets_file. Bring the right secrets "
                f"file, or "
                "change secrets with rotate-secrets.yml. A rotation that is not finished (.new beside that file) ends "
                "when it is run again."
            )


def _system(report: Report) -> Iterator[str]:
    system = report["system"]
    if system["id"] != "debian":
        yield (
            f"{system['name'] or 'an unknown system'} is not Debian. Debian {DEBIAN_MIN} is what these roles are "
            f"tested on."
        )
    else:
        number = re.match(r"\d+", system["version"])
        if number and int(number[0]) < DEBIAN_MIN:
            yield f"{system['name']} is too old: Debian {DEBIAN_MIN} or newer is needed. Upgrade the host first."
    if not report["systemd"]:
        yield "systemd is not its first process: nothing would start or watch the node. Boot it with systemd."
    python = tuple(report["python"])
    if python[:2] < PYTHON_MIN:
        shown = ".".join(map(str, python)) or "absent, or without venv"
        yield f"its Python is {shown}: 3.11 or newer with venv is needed (apt install python3 python3-venv)."


def _wheels(report: Report, wheelhouse: Mapping[str, Any]) -> Iterator[str]:
    manifest = wheelhouse["manifest"]
    if not manifest:
        return
    python = ".".join(map(str, report["python"][:2]))
    # One that is too old is refused by itself.
    if tuple(report["python"][:2]) >= PYTHON_MIN and python != manifest["python"]:
        yield (
            f"the wheelhouse is for Python {manifest['python']}, this host has {python}. "
            f"Make one of the same release with tools/wheelhouse.sh OUT REF --python {python}, or use Debian 12."
        )
    if report["arch"] != manifest["platform"]:
        yield (
            f"the wheelhouse is for {manifest['platform']}, this host is {report['arch']}. "
            f"Make one with tools/wheelhouse.sh OUT REF --arch {report['arch']}."
        )


def _network(report: Report) -> Iterator[str]:
    if report["foreign_address"]:
        yield (
            f"its address in the inventory is not one of its own ({report['foreign_address']}). Set triarch_address "
            f"to the "
            "address that `ip addr` shows."
        )
    for port, owner in report["ports"].items():
        who = f"{owner['name']} (pid {owner['pid']}{', ' + owner['unit'] if owner['unit'] else ''})"
        yield (
            f"port {port} is taken by {who}. Stop it (systemctl disable --now …), or choose another port in the "
            f"inventory."
        )


def _disks(report: Report, settings: Settings) -> Iterator[str]:
    for disk in report["disks"]:
        free = disk["free_bytes"] / 1e6
        if disk["error"] or free < settings["free_mb_min"]:
            detail = f" ({disk['error']})" if disk["error"] else ""
            yield (
                f"{disk['path']} has {free:.0f} MB free, {settings['free_mb_min']:g} MB are needed{detail}. Make room, "
                f"or lower "
                "triarch_preflight_free_mb_min if this plant needs less."
            )
        if disk["sync_median_ms"] is not None and disk["sync_median_ms"] > settings["sync_ms_max"]:
            yield (
                f"{disk['path']} needs {disk['sync_median_ms']} ms to have a small write on the disk (at most "
                f"{settings['sync_ms_max']:g} ms are allowed): every agreement waits for that. Use a faster disk for "
                "/var/lib/triarch, or raise triarch_preflight_sync_ms_max and accept slower agreement."
            )
    room = report["root_free_bytes"] / 1e6
    if room < settings["root_free_mb_min"] and settings["version"] not in report["installed"]:
        yield (
            f"/opt has {room:.0f} MB free, a release needs {settings['root_free_mb_min']:g} MB. Make room, or lower "
            f"triarch_preflight_root_free_mb_min."
        )


def _redis(report: Report) -> Iterator[str]:
    data, running = report["redis"], report["running_redis"]
    if data["data"] and not data["ours"]:
        yield (
            f"/var/lib/triarch/redis holds data that this deployment did not write ({', '.join(data['data'])}): it "
            f"would be "
            "served as frames. Move it away (mv /var/lib/triarch/redis /var/backups/redis.foreign), or restore it with "
            "restore.yml."
        )
    elif report["stopped_redis"].get("foreign_keys"):
        yield (
            "Redis is stopped, and would be started on data of something else: /var/lib/triarch/redis has the keys "
            f"{', '.join(report['stopped_redis']['foreign_keys'])}. Move it away (mv /var/lib/triarch/redis "
            "/var/backups/redis.foreign); if Triarch's frames are among it, start Redis (systemctl start "
            "triarch-redis), take out the other keys, and run this again."
        )
    if running.get("error"):
        yield f"Redis answers, but not to us ({running['error']}). Is its password another one? See its log."
        return
    if running and not running["append_only"]:
        yield (
            "Redis runs without its append-only file: frames would be gone with its process. Set `appendonly yes` "
            "(CONFIG SET appendonly yes), and take out whatever turned it off."
        )
    if running.get("foreign_keys"):
        yield (
            f"Redis holds keys of something else ({', '.join(running['foreign_keys'])}). It must belong to Triarch "
            f"alone: "
            "move the other data to a server of its own."
        )


def _old_cluster(reports: Mapping[str, Report]) -> Iterator[str]:
    """A Redis that obeys a leader of another cluster: a new one would be refused there, or take that one's frames.

    The cluster is new where no host has anything of a node. With --limit the others may have: nothing is said then. A
    first run that broke off has had no leader, a replaced or recovered host has a neighbour with data, and what
    restore.yml lays down comes after this.
    """
    if len(reports) < HOSTS or any(report["node_data"] for report in reports.values()):
        return
    for host, report in reports.items():
        fence = report["running_redis"].get("fence")
        if report["stopped_redis"].get("fence"):
            yield (
                f"{host}: Redis is stopped, and would be started on frames of another cluster: /var/lib/triarch/redis "
                "has its leader's record (frames:fence), and no host has data of a node. Are these the right hosts? If "
                "the frames are not wanted, move them away (mv /var/lib/triarch/redis /var/backups/redis.foreign); if "
                "they are to stay, build the cluster anew over them (docs/runbooks/members.md says how: remove the "
                "fence from a Redis that runs)."
            )
        if fence:
            yield (
                f"{host}: Redis obeys {fence.get('node', '?')}, a leader of another cluster (frames:fence, term "
                f"{fence.get('term', '?')}), and no host has data of a node: its frames would become this plant's. "
                "Are these the right hosts? If the frames are to stay, build the cluster anew over them "
                "(docs/runbooks/members.md says how: remove the fence); if not, remove.yml takes them away."
            )


def _cluster(report: Report, settings: Settings) -> Iterator[str]:
    """A node does not start on another cluster's data (`data_dir_foreign`); Redis beside it would have by then."""
    said = {"node": report["node_cluster"], "redis": report["redis"]["cluster"]}
    cluster = str(settings["cluster"])
    for there in sorted(set(said.values()) - {"", cluster, cluster.strip()}):
        places = " and ".join(f"/var/lib/triarch/{name}" for name, found in said.items() if found == there)
        yield (
            f"{places} {'hold' if ' and ' in places else 'holds'} data of the cluster {there}, and this one is "
            f"{cluster}: Redis would be started on that one's frames. Is this the right host? If the data "
            "are not wanted, stop what runs on them (systemctl stop triarch-node triarch-sentinel triarch-redis) and "
            "move them away (mkdir /var/backups/triarch.foreign; mv /var/lib/triarch/* /var/backups/triarch.foreign/). "
            "If no node ever ran here, as after a first run that broke off: rm /var/lib/triarch/redis/cluster. A plant "
            "that goes on keeps its triarch_cluster_name; under another one it goes on by backup.yml and restore.yml "
            "(triarch_restore_adopt)."
        )


def _release(report: Report, settings: Settings) -> Iterator[str]:
    there, wanted = report["release"], settings["version"]
    if there and there != wanted and not settings["upgrading"]:
        yield (
            f"release {there} runs here, {wanted} was asked for. Only upgrade.yml changes releases, one host at a "
            f"time, and refuses to skip any: use it, and write its triarch_wheelhouse into the inventory after it; or "
            f"give the wheelhouse of {there}."
        )


def _scheme(report: Report, settings: Settings) -> Iterator[str]:
    """A node that speaks TLS and one that does not never find each other ready: a restart in turn protects nobody."""
    there, wanted = report["scheme"], settings["scheme"]
    if not there or there == wanted:
        return
    if settings["upgrading"]:
        yield (
            f"the nodes are asked by {there}, and triarch_api_scheme says {wanted}: an upgrade does not change that. "
            f"Upgrade with what the nodes have, then change it with site.yml."
        )
    elif not settings["together"]:
        yield (
            f"the nodes are asked by {there}, and triarch_api_scheme says {wanted}: nodes that differ in that do not "
            f"find each other ready. If it is to be changed, restart all of them at once, this once: "
            f"-e triarch_node_restart_together=true (dispatch pauses for some seconds). Else give "
            f"triarch_api_certificates, or triarch_api_scheme, as before."
        )


def triarch_wheelhouse(folder: str, version: str) -> dict[str, Any]:
    """Manifest of the wheelhouse on this machine, and what is wrong with it: each file is held against its hash."""
    again = "Make it again: tools/wheelhouse.sh OUT [GIT_REF]."
    path = Path(folder)
    try:
        manifest = json.loads((path / "wheelhouse.json").read_text())
        files = dict(manifest["files"])
        absent = {"version", "python", "platform"} - manifest.keys()
        if absent:
            raise KeyError(", ".join(sorted(absent)))
    except FileNotFoundError:
        return {"manifest": None, "faults": [f"there is no wheelhouse in {folder}. {again}"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        return {"manifest": None, "faults": [f"the wheelhouse in {folder} cannot be read: {error}. {again}"]}
    faults = []
    for name, digest in files.items():
        try:
            with (path / name).open("rb") as file:
                same = hashlib.file_digest(file, "sha256").hexdigest() == digest
        except OSError as error:
            faults.append(f"the wheelhouse in {folder} is not complete: {name}: {error.strerror}. {again}")
            continue
        if not same:
            faults.append(f"the wheelhouse in {folder} is damaged: {name} is not what the manifest says. {again}")
    if manifest["version"] != version:
        faults.append(
            f"the wheelhouse in {folder} is of version {manifest['version']}, and triarch_version says {version}: "
            "take triarch_version out of the inventory, as the wheelhouse says which release it is, or name "
            "another one."
        )
    return {"manifest": manifest, "faults": faults}


def triarch_tls_refusals(asked: tuple[str, str, Mapping[str, Any]], hosts: Sequence[str]) -> list[str]:
    """What keeps the API from being served, or asked, by TLS.

    Args:
        asked: `triarch_api_certificates`, `triarch_api_scheme`, and the section `api` of `triarch_node_settings`.
        hosts: names of the hosts.
    """
    folder, scheme, settings = asked
    return list(_tls(folder, scheme, settings.get("tls") or {}, hosts))


def _tls(folder: str, scheme: str, own: Mapping[str, Any], hosts: Sequence[str]) -> Iterator[str]:
    place = Path(folder).expanduser()
    if folder and not place.is_absolute():
        yield (
            f"triarch_api_certificates is {folder}: it is looked for in more than one place. Give the whole path, from "
            "/ or ~ on."
        )
    elif folder:
        wanted = ["ca.crt", *(f"{host}.{end}" for host in hosts for end in ("crt", "key"))]
        absent = [name for name in wanted if not (place / name).is_file()]
        if absent:
            yield (
                f"{folder} has no {', '.join(absent)}: triarch_api_certificates is a folder of this machine with "
                "HOST.crt and HOST.key of each host, and ca.crt (docs/tls.md says how to make them)."
            )
    served = bool(folder or own)
    if served and scheme != "https":
        yield (
            "the API is served by TLS, and triarch_api_scheme says http: the nodes would never be found ready. Set "
            "triarch_api_scheme to https, and triarch_api_ca_file to the file on the hosts with whose certificates "
            "they have; or give the certificates in triarch_api_certificates, which does both."
        )
    if not served and scheme == "https":
        yield (
            "triarch_api_scheme says https, and no certificates are given. Give them in triarch_api_certificates, or "
            "in triarch_node_settings (api.tls)."
        )
    if own.get("require_client_certificate"):
        yield (
            "api.tls.require_client_certificate is set: these playbooks show none, so they would find no node ready. "
            "Leave it out here."
        )


def triarch_certificate_refusals(
    given: tuple[str, Sequence[str], Sequence[str]], addresses: Mapping[str, str], now: datetime | None = None
) -> list[str]:
    """What whoever asks a node would not accept of its certificate.

    Args:
        given: what stands in ca.crt, and in HOST.crt and HOST.key of each host.
        addresses: address by host name, in the order of those.
        now: on this machine, if not given.
    """
    authorities, certificates, keys = given
    try:
        trusted = x509.load_pem_x509_certificates(authorities.encode())
    except ValueError as error:
        return [f"ca.crt holds no certificate: {error}. It is the authority's (docs/tls.md)."]
    return [
        f"{host}.crt {said}"
        for (host, address), certificate, key in zip(addresses.items(), certificates, keys, strict=True)
        for said in _certificate((certificate, key), trusted, address, now or datetime.now(UTC))
    ]


def _certificate(pair: tuple[str, str], trusted: list[x509.Certificate], address: str, now: datetime) -> Iterator[str]:
    try:
        leaf, *between = x509.load_pem_x509_certificates(pair[0].encode())
        names = _names(leaf)
    except ValueError as error:
        yield f"holds no certificate that can be read: {error}. Make it again (docs/tls.md)."
        return
    if str(ipaddress.ip_address(address)) not in names:
        yield (
            f"is for {', '.join(names) or 'no name'}, and the host is asked at {address}: nobody would accept it. Make "
            f"it with subjectAltName=IP:{address} (docs/tls.md)."
        )
    if not leaf.not_valid_before_utc <= now <= leaf.not_valid_after_utc:
        yield (
            f"is valid from {leaf.not_valid_before_utc:%Y-%m-%d %H:%M} to {leaf.not_valid_after_utc:%Y-%m-%d %H:%M} "
            f"UTC, and it is {now:%Y-%m-%d %H:%M}: make a new one, or set the clock of this machine."
        )
    if not _signed(leaf, between, trusted):
        yield (
            "is not signed by whoever stands in ca.crt, nor by those below it in its file: give the authority's "
            "certificate, and put those of the authorities in between below the host's."
        )
    try:
        key = load_pem_private_key(pair[1].encode(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        yield f"has a key beside it that no node can read: {error}. It has no passphrase of its own (openssl -nodes)."
        return
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if key.public_key().public_bytes(*form) != leaf.public_key().public_bytes(*form):
        yield "and the key beside it do not belong together: the two files come from one request."


def _names(leaf: x509.Certificate) -> list[str]:
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return [*map(str, names.get_values_for_type(x509.IPAddress)), *names.get_values_for_type(x509.DNSName)]


def _signed(leaf: x509.Certificate, between: list[x509.Certificate], trusted: list[x509.Certificate]) -> bool:
    """Whether a way leads from `leaf` to one that is trusted."""
    at, left = leaf, list(between)
    while not any(at == one or _issued(at, one) for one in trusted):
        above = next((one for one in left if _issued(at, one)), None)
        if above is None:
            return False
        left.remove(above)
        at = above
    return True


def _issued(certificate: x509.Certificate, by: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(by)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def triarch_primary(reports: Sequence[Report], first: str) -> str:
    """Address of the primary: what the newest configuration of a sentinel says; `first` where none ever ran."""
    known = [report["sentinel"] for report in reports if report.get("sentinel")]
    if not known:
        return first
    return str(max(known, key=lambda view: view["epoch"])["address"])


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "triarch_certificate_refusals": triarch_certificate_refusals,
            "triarch_inventory_refusals": triarch_inventory_refusals,
            "triarch_primary": triarch_primary,
            "triarch_proxy_refusals": triarch_proxy_refusals,
            "triarch_refusals": triarch_refusals,
            "triarch_tls_refusals": triarch_tls_refusals,
            "triarch_wheelhouse": triarch_wheelhouse,
        }
