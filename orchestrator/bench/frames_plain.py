"""What the server can do with plain Streams commands: the eight operations that a frame's way costs, no function.

For each frame XADD, XREADGROUP, XADD, XACK, XDEL, XREADGROUP, XACK, XDEL, the two reads shared by a batch of 256. The
commands are encoded before the clock starts and sent by one connection; replies are parsed, and counted as errors
where they are. Nothing is routed, counted, de-duplicated or fenced.
"""

import json
import socket
import sys
import time
from urllib.parse import urlsplit

import hiredis

from orchestrator.bench.frames_part import EVENT, PAYLOAD
from orchestrator.dev.errors import MeasurementFailed

BATCH = 256
ROUNDS = 20  # encoded at once; encoding is not measured
TIMEOUT_S = 10.0


def encode(*parts: bytes) -> bytes:
    """One command in the server's protocol."""
    return b"".join((b"*%d\r\n" % len(parts), *(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)))


def one_round(number: int) -> tuple[bytes, int]:
    """The pipeline of one batch, and how many replies it has. Entry ids are given, so that later commands know them."""
    ids = [b"%d-%d" % (number + 1, position + 1) for position in range(BATCH)]
    head = b"cam1-1 cam1 1 default 0 0 1764000000000 1 " + b"0" * 55
    fields = [b"frame", head, b"event", EVENT, b"payload", PAYLOAD]
    read = (b"XREADGROUP", b"GROUP", b"g", b"c", b"COUNT", b"%d" % BATCH, b"STREAMS")
    commands = [encode(b"XADD", b"ceiling:capture", one, *fields) for one in ids]
    commands.append(encode(*read, b"ceiling:capture", b">"))
    for one in ids:
        commands.append(encode(b"XADD", b"ceiling:ready", one, *fields))
        commands.append(encode(b"XACK", b"ceiling:capture", b"g", one))
        commands.append(encode(b"XDEL", b"ceiling:capture", one))
    commands.append(encode(*read, b"ceiling:ready", b">"))
    for one in ids:
        commands.append(encode(b"XACK", b"ceiling:ready", b"g", one))
        commands.append(encode(b"XDEL", b"ceiling:ready", one))
    return b"".join(commands), len(commands)


class Client:
    """A plain socket that sends a pipeline and reads its replies."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._socket = socket.create_connection((parts.hostname or "127.0.0.1", parts.port or 6379), TIMEOUT_S)
        self._reader = hiredis.Reader()

    def send(self, data: bytes, replies: int) -> None:
        """Send, and read so many replies. Raises MeasurementFailed for an error reply."""
        self._socket.sendall(data)
        while replies:
            reply = self._reader.gets()
            if reply is False:
                self._reader.feed(self._socket.recv(1 << 18))
                continue
            if isinstance(reply, hiredis.ReplyError):
                raise MeasurementFailed(str(reply))
            replies -= 1


def main() -> None:
    """Run for so many seconds of measured time; print the frames a second."""
    url, seconds = sys.argv[1], float(sys.argv[2])
    client = Client(url)
    for stream in (b"ceiling:capture", b"ceiling:ready"):
        client.send(encode(b"DEL", stream) + encode(b"XGROUP", b"CREATE", stream, b"g", b"0", b"MKSTREAM"), 2)
    frames, spent, number = 0, 0.0, 0
    while spent < seconds:
        rounds = [one_round(number + extra) for extra in range(ROUNDS)]
        number += ROUNDS
        began = time.perf_counter()
        for data, replies in rounds:
            client.send(data, replies)
        spent += time.perf_counter() - began
        frames += ROUNDS * BATCH
    sys.stdout.write(json.dumps({"fps": round(frames / spent, 1)}) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
