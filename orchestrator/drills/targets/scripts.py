"""What is done on a host, as scripts of `sh` that run there as root. Pure: text in, text out.

Every script says what it saw as lines `name=value` (`told` reads them), and ends with another status than 0 where it
could not do what it is for; `CANNOT` says that this host cannot have the fault at all.

What a fault leaves behind is marked in `PLACE`, and `undo` takes back what is marked there and nothing else. A timer
of systemd runs `undo` after a bound: a controller that dies, or that the fault cuts off, leaves no host broken.
"""

import re
import shlex
from collections.abc import Iterable, Mapping

NODE = "triarch-node.service"
REDIS = "triarch-redis.service"
SENTINEL = "triarch-sentinel.service"
UNITS = (NODE, REDIS, SENTINEL)

DATA = "/var/lib/triarch"
SETTINGS = "/etc/triarch/node.yaml"
TABLE = "triarch_drill"
PLACE = "/run/triarch-drill"
TIMER = "triarch-drill-undo"
FILL = f"{DATA}/.triarch-drill-fill"
OFFSET = "/run/triarch-drill-clock"
DROP_IN = f"/run/systemd/system/{NODE}.d/triarch-drill.conf"

CANNOT = 71
"""Exit status: the fault is not possible on this host."""
TAKEN = 72
"""Exit status: another drill is under way there."""

_BEFORE_OTHERS = -310
"""Priority of the chains: before those of a firewall, whose counters then do not count what is dropped here."""
_NAME = re.compile(r"^[A-Za-z0-9_.-]+$")
_LINE = re.compile(r"^(?P<name>[a-z_]+)=(?P<value>.*)$")
_COUNTER = re.compile(r"counter (?P<name>\w+) \{\s*packets (?P<packets>\d+)")


def told(output: str) -> dict[str, str]:
    """The lines `name=value` of a script's output; the last of a name counts."""
    return {found["name"]: found["value"].strip() for line in output.splitlines() if (found := _LINE.match(line))}


def whole(told_by_host: Mapping[str, str], name: str) -> int:
    """A whole number that the host told. Errors: ValueError, naming it."""
    value = told_by_host.get(name, "")
    if not value.isdigit():
        raise ValueError(f"the host did not say {name} as a number: {value!r}")
    return int(value)


# -- taking back ------------------------------------------------------------------------------------------------------


def undo() -> str:
    """Takes back whatever a drill left on the host. May run any number of times, also beside itself."""
    return f"""
nft delete table inet {TABLE} 2>/dev/null || true
rm -f {FILL}
if [ -e {PLACE}/paused ]; then
  while read -r unit; do systemctl kill --kill-whom=main -s CONT "$unit" 2>/dev/null || true; done <{PLACE}/paused
fi
if [ -e {DROP_IN} ]; then
  rm -f {DROP_IN} {OFFSET}
  systemctl daemon-reload
  systemctl restart --no-block {NODE}
fi
if [ -e {PLACE}/stopped ]; then
  while read -r unit; do
    systemctl reset-failed "$unit" 2>/dev/null || true
    systemctl start --no-block "$unit" || true
  done <{PLACE}/stopped
fi
rm -rf {PLACE}
""".strip()


def arm(owner: str, bound_s: float) -> str:
    """Before a fault: `undo` will run after `bound_s` seconds, whatever becomes of the controller.

    `owner`: one word, the same for all scripts of one drill. The status is TAKEN while another drill is under way.
    """
    return f"""
set -eu
command -v systemd-run >/dev/null || {{ echo "why=there is no systemd-run"; exit {CANNOT}; }}
if [ -e {PLACE}/owner ] && [ "$(cat {PLACE}/owner)" != {_word(owner)} ]; then
  echo "owner=$(cat {PLACE}/owner)"; exit {TAKEN}
fi
install -d -m 0700 {PLACE}
echo {_word(owner)} >{PLACE}/owner
cat >{PLACE}/undo.sh <<'UNDO'
{undo()}
UNDO
systemctl stop {TIMER}.timer 2>/dev/null || true
systemd-run --quiet --collect --unit={TIMER} --on-active={bound_s:g} --timer-property=AccuracySec=100ms \
  /bin/sh {PLACE}/undo.sh
systemctl is-active --quiet {TIMER}.timer
echo armed_s={bound_s:g}
""".strip()


def heal() -> str:
    """Takes back now, and then needs the timer no more."""
    return f"({undo()})\nsystemctl stop {TIMER}.timer 2>/dev/null || true\necho healed=1"


# -- units ------------------------------------------------------------------------------------------------------------


def kill(unit: str) -> str:
    """SIGKILL of the main process; says its pid and that it is gone. What starts it again is systemd."""
    return f"""
set -eu
{_main_pid(unit)}
began=$(cut -d' ' -f22 /proc/$pid/stat)
echo "pid=$pid"
echo {_unit(unit)} >>{PLACE}/stopped
systemctl kill --kill-whom=main -s KILL {_unit(unit)}
for _ in $(seq 100); do
  now=$(cut -d' ' -f22 /proc/$pid/stat 2>/dev/null || true)
  state=$(sed -n 's/^State:\\t\\(.\\).*/\\1/p' /proc/$pid/status 2>/dev/null || true)
  if [ "$now" != "$began" ] || [ "$state" = Z ]; then echo gone=1; exit 0; fi
  sleep 0.02
done
echo gone=0
exit 1
""".strip()


def pause(unit: str) -> str:
    """SIGSTOP of the main process; says its pid and its state, `T`."""
    return f"""
set -eu
{_main_pid(unit)}
echo "pid=$pid"
echo {_unit(unit)} >>{PLACE}/paused
systemctl kill --kill-whom=main -s STOP {_unit(unit)}
for _ in $(seq 100); do
  state=$(sed -n 's/^State:\\t\\(.\\).*/\\1/p' /proc/$pid/status)
  [ "$state" = T ] && break
  sleep 0.02
done
echo "state=$state"
[ "$state" = T ]
""".strip()


def stop(units: Iterable[str]) -> str:
    """SIGKILL of the units, which stay down until `undo`; says how many are down."""
    names = " ".join(_unit(unit) for unit in units)
    return f"""
set -eu
for unit in {names}; do echo "$unit" >>{PLACE}/stopped; done
systemctl kill -s KILL {names} 2>/dev/null || true
systemctl stop {names}
down=0
for unit in {names}; do
  [ "$(systemctl show -p MainPID --value "$unit")" = 0 ] && down=$((down + 1))
done
echo "down=$down"
""".strip()


def restart(unit: str) -> str:
    """Restart as an upgrade does it; says the pids before and after."""
    return f"""
set -eu
{_main_pid(unit)}
echo "pid=$pid"
systemctl restart {_unit(unit)}
echo "pid_after=$(systemctl show -p MainPID --value {_unit(unit)})"
""".strip()


# -- network ----------------------------------------------------------------------------------------------------------


def cut(peers: Iterable[str], *, incoming: bool = True, outgoing: bool = True) -> str:
    """Drops what comes from, and what goes to, the peers: names or addresses, as the host itself resolves them.

    The ssh connection of whoever runs the script is let through. `looked_at_cut` says how much was dropped.
    """
    names = " ".join(_word(peer) for peer in peers)
    rules = []
    for wanted, chain, what in ((incoming, "input", "saddr"), (outgoing, "output", "daddr")):
        if wanted:
            side = "dport" if chain == "input" else "sport"
            rules.append(
                f"""  chain {chain} {{
    type filter hook {chain} priority {_BEFORE_OTHERS}; policy accept;
    $own_family {what} $own_address tcp {side} $own_port accept
    ip {what} @peers4 counter name {chain}_dropped drop
    ip6 {what} @peers6 counter name {chain}_dropped drop
  }}"""
            )
    chains = "\n".join(rules)
    return f"""
set -eu
command -v nft >/dev/null || {{ echo "why=there is no nft"; exit {CANNOT}; }}
set -- ${{SSH_CONNECTION:-0.0.0.0 0 0.0.0.0 0}}
own_address=$1; own_port=$4; own_family=ip
case $own_address in *:*) own_family=ip6;; esac
four=; six=
for peer in {names}; do
  found=$(getent ahosts "$peer" | cut -d' ' -f1 | sort -u)
  [ -n "$found" ] || {{ echo "why=$peer has no address here"; exit {CANNOT}; }}
  for one in $found; do case $one in *:*) six="$six$one, ";; *) four="$four$one, ";; esac; done
done
[ -z "$four" ] || four="elements = {{ ${{four%, }} }}"
[ -z "$six" ] || six="elements = {{ ${{six%, }} }}"
nft -f - <<RULES
table inet {TABLE}
delete table inet {TABLE}
table inet {TABLE} {{
  counter input_dropped {{ }}
  counter output_dropped {{ }}
  set peers4 {{ type ipv4_addr; $four }}
  set peers6 {{ type ipv6_addr; $six }}
{chains}
}}
RULES
echo cut=1
""".strip()


def look_at_cut() -> str:
    """Says what the cut has dropped; `counted` reads it."""
    return f"nft list counters table inet {TABLE}"


def counted(output: str) -> dict[str, int]:
    """Packets by counter, of the answer to `look_at_cut`."""
    return {found["name"]: int(found["packets"]) for found in _COUNTER.finditer(output)}


# -- disk, clock, power -----------------------------------------------------------------------------------------------


def fill() -> str:
    """Fills the file system of the data until a write fails; says the bytes left and whether a write fails.

    Only where that is a file system of its own: a full root file system harms more than the plant.
    """
    return f"""
set -eu
if [ "$(stat -c %d {DATA})" = "$(stat -c %d /)" ]; then
  echo "why={DATA} lies on the root file system; a drill fills only a file system of its own"; exit {CANNOT}
fi
free=$(($(stat -f -c '%a*%S' {DATA})))
fallocate -l "$free" {FILL} 2>/dev/null || true
dd if=/dev/zero of={FILL} bs=64k oflag=append conv=notrunc 2>/dev/null || true
dd if=/dev/zero of={FILL} bs=512 oflag=append conv=notrunc 2>/dev/null || true
echo "free_bytes=$(($(stat -f -c '%a*%S' {DATA})))"
if dd if=/dev/zero of={FILL} bs=4096 count=1 oflag=append conv=notrunc,fsync 2>/dev/null
then echo refused=0; exit 1; else echo refused=1; fi
""".strip()


def jump(seconds: float) -> str:
    """Moves the clock that the node sees by `seconds`, live, its monotonic one left alone.

    The first time it restarts the node under libfaketime, which looks at the offset once a second and leaves the
    times of files alone: both would slow a node down to a multiple. Says the host's own clock, in Unix seconds.
    """
    return f"""
set -eu
library=$(ls /usr/lib/*/faketime/libfaketime.so.1 2>/dev/null | head -n 1)
[ -n "$library" ] || {{ echo "why=libfaketime is not installed (Debian: apt install libfaketime)"; exit {CANNOT}; }}
if [ ! -e {DROP_IN} ]; then
  echo +0 >{OFFSET}
  chmod 0644 {OFFSET}
  install -d -m 0755 "$(dirname {DROP_IN})"
  cat >{DROP_IN} <<UNIT
[Service]
Environment=LD_PRELOAD=$library
Environment=FAKETIME_TIMESTAMP_FILE={OFFSET} FAKETIME_CACHE_DURATION=1
Environment=FAKETIME_DONT_FAKE_MONOTONIC=1 FAKETIME_DONT_RESET=1 NO_FAKE_STAT=1 FAKETIME_FORCE_MONOTONIC_FIX=0
UNIT
  systemctl daemon-reload
  systemctl restart {NODE}
fi
echo {seconds:+.0f} >{OFFSET}
pid=$(systemctl show -p MainPID --value {NODE})
grep -q libfaketime "/proc/$pid/maps" && echo loaded=1 || echo loaded=0
echo "own=$(date +%s)"
""".strip()


def reset() -> str:
    """The kernel resets the machine at once, as the button does: nothing is written, nobody is told."""
    return f"""
set -eu
[ -w /proc/sysrq-trigger ] && ! systemd-detect-virt --quiet --container || {{
  echo "why=/proc/sysrq-trigger cannot be used here; let a person pull the plug: --operator"; exit {CANNOT}
}}
echo 1 >/proc/sys/kernel/sysrq 2>/dev/null || true
echo going=1
(sleep 0.3; echo b >/proc/sysrq-trigger) >/dev/null 2>&1 &
""".strip()


def facts() -> str:
    """Says what the host has that faults need; changes nothing. `controller`: how the host sees who asks."""
    return f"""
has() {{ command -v "$1" >/dev/null && echo 1 || echo 0; }}
echo "nft=$(has nft)"
echo "systemd_run=$(has systemd-run)"
echo "faketime=$(ls /usr/lib/*/faketime/libfaketime.so.1 2>/dev/null | head -n 1)"
[ "$(stat -c %d {DATA})" != "$(stat -c %d /)" ] && echo own_disk=1 || echo own_disk=0
[ -w /proc/sysrq-trigger ] && ! systemd-detect-virt --quiet --container && echo sysrq=1 || echo sysrq=0
echo "controller=${{SSH_CONNECTION%% *}}"
{look()}
""".strip()


def read(path: str) -> str:
    """The content of a file."""
    return f"cat {shlex.quote(path)}"


def look() -> str:
    """Says which run of the kernel this is, and the main process of each unit."""
    shown = "\n".join(f'echo "{_key(unit)}=$(systemctl show -p MainPID --value {unit})"' for unit in UNITS)
    return f"echo boot=$(cat /proc/sys/kernel/random/boot_id)\n{shown}"


def _key(unit: str) -> str:
    return unit.removeprefix("triarch-").removesuffix(".service")


def _main_pid(unit: str) -> str:
    return f"""pid=$(systemctl show -p MainPID --value {_unit(unit)})
[ "$pid" != 0 ] || {{ echo "why={unit} does not run"; exit 1; }}"""


def _unit(unit: str) -> str:
    if unit not in UNITS:
        raise ValueError(f"{unit} is no unit of a plant: {', '.join(UNITS)}")
    return unit


def _word(value: str) -> str:
    if not _NAME.match(value.replace(":", "")):
        raise ValueError(f"{value!r} is neither a name nor an address")
    return shlex.quote(value)
