"""Connections and waiting, as a node's one thread sees them: byte streams to other addresses, and one place to wait.

Everything is called in that thread but `wake`. A stream delivers its bytes in order or closes; what was on its way when
it closed is lost. Callbacks run inside `wait`.
"""

from typing import Protocol


class Receiver(Protocol):
    """Who hears of one stream."""

    def opened(self) -> None:
        """The stream was dialled and stands: it can be sent to."""
        ...

    def received(self, data: bytes) -> None:
        """Some bytes came."""
        ...

    def closed(self, reason: str) -> None:
        """The stream is gone, for another reason than that `close` was called here. Called once, and last."""
        ...


class Stream(Protocol):
    """One connection."""

    @property
    def remote(self) -> str:
        """The other side's address, for people; of an accepted stream not the one that it listens on."""
        ...

    @property
    def unsent(self) -> int:
        """How many bytes wait here because the other side does not read them."""
        ...

    def send(self, data: bytes) -> None:
        """Queue bytes. Never blocks, never raises: a broken stream says so by `closed`, in a later `wait`."""
        ...

    def close(self) -> None:
        """Drop it. Its receiver hears nothing any more."""
        ...


class Acceptor(Protocol):
    """Who hears of streams that others dial."""

    def accepted(self, stream: Stream) -> Receiver:
        """Take a stream; the answer hears of it from now on (`opened` is not called)."""
        ...


class Reactor(Protocol):
    """The network as this node sees it."""

    def listen(self, address: str, acceptor: Acceptor) -> None:
        """Accept streams at `host:port`. PortInUse, AddressUnusable."""
        ...

    @property
    def listening(self) -> bool:
        """Whether others can dial: False for as long as descriptors or the address are missing."""
        ...

    def dial(self, address: str, receiver: Receiver) -> Stream:
        """Begin to connect; ends in `opened` or `closed`. Never blocks, also not to look a name up."""
        ...

    def wait(self, timeout_s: float) -> None:
        """Run the callbacks of what happened; wait for up to `timeout_s` for something when nothing did."""
        ...

    def wake(self) -> None:
        """From any thread: end the wait under way, or the next one at once."""
        ...

    def close(self) -> None:
        """Close everything."""
        ...
