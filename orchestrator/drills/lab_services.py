"""What is done to one service of a lab's host, by ssh: a signal, and a wall clock that jumps.

The clock of a service is libfaketime's, preloaded by a drop-in below /run, which the next boot forgets. It shifts the
wall clock alone; the monotonic clock goes on as it does when a time server steps a real host. Arming restarts the
service, so it is done before the load begins; from then on the clock jumps while the service runs, within a second:
looking at the file each time the clock is read takes 14 us instead of 0.7, and a node reads it often.
"""

from email.utils import parsedate_to_datetime

from orchestrator.drills.lab_commands import LabCommandFailed, on_host
from orchestrator.drills.lab_file import LabFile

NODE_UNIT = "triarch-node.service"
UNITS = ("triarch-node.service", "triarch-redis.service", "triarch-sentinel.service")
API_PORT = 8101
DROP_IN = "90-drill-clock.conf"

_ARM = """\
set -eu
unit={unit}
library=$(ls /usr/lib/*/faketime/libfaketime.so.1 2>/dev/null | head -1)
[ -n "$library" ] || {{ echo "libfaketime is not installed: apt-get install faketime" >&2; exit 1; }}
place=/run/systemd/system/$unit.d
if [ ! -e "$place/{drop_in}" ]; then
  mkdir -p "$place"
  echo +0 >"/run/drill-clock-$unit"
  chmod 644 "/run/drill-clock-$unit"
  {{
    echo "[Service]"
    echo "Environment=LD_PRELOAD=$library FAKETIME_TIMESTAMP_FILE=/run/drill-clock-$unit"
    echo "Environment=FAKETIME_CACHE_DURATION=1 FAKETIME_DONT_FAKE_MONOTONIC=1 FAKETIME_DONT_RESET=1"
    echo "Environment=FAKETIME_FORCE_MONOTONIC_FIX=0"
  }} >"$place/{drop_in}"
  systemctl daemon-reload
  systemctl restart "$unit"
fi
grep -q libfaketime "/proc/$(systemctl show -p MainPID --value "$unit")/maps"
"""

_JUMP = """\
set -eu
printf '%s\\n' {offset} >/run/drill-clock-{unit}.new
chmod 644 /run/drill-clock-{unit}.new
mv /run/drill-clock-{unit}.new /run/drill-clock-{unit}
"""

_RESET = """\
set -eu
for file in /run/systemd/system/*.d/{drop_in}; do
  [ -e "$file" ] || continue
  unit=$(basename "$(dirname "$file")" .d)
  rm -f "$file" "/run/drill-clock-$unit"
  rmdir "$(dirname "$file")" 2>/dev/null || true
  systemctl daemon-reload
  systemctl restart "$unit"
  echo "$unit has the clock of its host"
done
"""

_CONTINUE = """\
for unit in {units}; do
  pid=$(systemctl show -p MainPID --value "$unit")
  [ "$pid" -gt 0 ] && grep -q '^State:.T' "/proc/$pid/status" || continue
  kill -CONT "$pid" && echo "$unit goes on"
done
"""

_DATE = """\
date +%s
for scheme in http https; do
  curl --silent --insecure --max-time 5 --output /dev/null --dump-header - "$scheme://{address}:{port}/healthz" && exit
done
exit 1
"""


async def send_signal(lab: LabFile, host: str, unit: str, signal: str) -> int:
    """Send it to the unit's main process; its pid on the host. Raises LabCommandFailed when it does not run."""
    script = (
        f'pid=$(systemctl show -p MainPID --value {unit}); [ "$pid" -gt 0 ] && kill -{signal} "$pid" && echo "$pid"'
    )
    try:
        return int(await on_host(lab, host, script))
    except LabCommandFailed as error:
        raise LabCommandFailed(
            f"{host}: {unit} has no main process to send SIG{signal} to ({error.message})"
        ) from error


async def state_of(lab: LabFile, host: str, pid: int) -> str:
    """State of a process as /proc says it ("S (sleeping)", "T (stopped)"); "gone" when there is none."""
    said = await on_host(lab, host, f"sed -n 's/^State:.//p' /proc/{pid}/status 2>/dev/null || true")
    return said.strip() or "gone"


async def heal_services(lab: LabFile, host: str) -> list[str]:
    """Continue what of Triarch is stopped and give all the host's clock again; a line for each that needed it."""
    script = _CONTINUE.format(units=" ".join(UNITS)) + _RESET.format(drop_in=DROP_IN)
    return (await on_host(lab, host, script, limit_s=90.0)).splitlines()


async def arm_clock(lab: LabFile, host: str, unit: str) -> None:
    """Give a service a clock that can be set; restarts it, unless it has one. Raises LabCommandFailed."""
    await on_host(lab, host, _ARM.format(unit=unit, drop_in=DROP_IN), limit_s=90.0)


async def set_clock(lab: LabFile, host: str, unit: str, offset_s: int) -> None:
    """Let the wall clock of an armed service be `offset_s` seconds ahead of the host's; negative: behind."""
    await on_host(lab, host, _JUMP.format(unit=unit, offset=f"{offset_s:+d}s"))


async def reset_clocks(lab: LabFile, host: str) -> list[str]:
    """Take the clocks of all armed services away and restart these; a line for each."""
    return (await on_host(lab, host, _RESET.format(drop_in=DROP_IN), limit_s=90.0)).splitlines()


async def seen_skew(lab: LabFile, host: str, port: int = API_PORT) -> int:
    """Seconds that the clock of a service is ahead of its own host's, by the Date of its answers, to about a second."""
    said = await on_host(lab, host, _DATE.format(address=lab.hosts[host].address, port=port))
    now, *headers = said.splitlines()
    for line in headers:
        name, _, value = line.partition(":")
        if name.lower() == "date":
            return round(parsedate_to_datetime(value.strip()).timestamp()) - int(now)
    raise LabCommandFailed(f"{host}: the answer on port {port} carries no Date")
