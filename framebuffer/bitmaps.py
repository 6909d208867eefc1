"""Sets of sequences as the server keeps them: the first sequence is the highest bit of the first byte. Pure."""

from collections.abc import Iterator

__all__ = ["and_not", "count", "first", "sequences", "union", "whole"]


def and_not(these: bytes, without: bytes) -> bytes:
    """The bits of ``these`` that are not in ``without``; a missing tail is zeros."""
    size = len(these)
    mask = int.from_bytes(without[:size].ljust(size, b"\0"))
    return (int.from_bytes(these) & ~mask).to_bytes(size)


def union(these: bytes, those: bytes) -> bytes:
    """The bits of both."""
    size = max(len(these), len(those))
    return (int.from_bytes(these.ljust(size, b"\0")) | int.from_bytes(those.ljust(size, b"\0"))).to_bytes(size)


def whole(segment: int, size: int, up_to: int, beyond: bytes) -> bytes:
    """A segment of ``size`` sequences as the server keeps it: all up to sequence ``up_to``, and the bits of others."""
    return union(first(max(0, min(size, up_to + 1 - segment * size))), beyond)


def first(number: int) -> bytes:
    """The first ``number`` bits set."""
    whole, rest = divmod(number, 8)
    return b"\xff" * whole + (bytes([0xFF << (8 - rest) & 0xFF]) if rest else b"")


def count(bits: bytes) -> int:
    """How many bits are set."""
    return int.from_bytes(bits).bit_count()


def sequences(bits: bytes, offset: int = 0) -> Iterator[int]:
    """The positions of the set bits in order, each plus ``offset``."""
    for at, byte in enumerate(bits):
        if byte:
            for bit in range(8):
                if byte & (0x80 >> bit):
                    yield offset + at * 8 + bit
