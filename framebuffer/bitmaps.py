"""Sets of sequences as the server keeps them: the first sequence is the highest bit of the first byte. Pure."""

from collections.abc import Iterator

__all__ = ["and_not", "count", "first", "sequences", "unwoven"]


def and_not(these: bytes, without: bytes) -> bytes:
    """The bits of ``these`` that are not in ``without``; a missing tail is zeros."""
    size = len(these)
    mask = int.from_bytes(without[:size].ljust(size, b"\0"))
    return (int.from_bytes(these) & ~mask).to_bytes(size)


def unwoven(words: bytes) -> tuple[bytes, bytes]:
    """A segment's two sets, which the server keeps in turn: 32 published bits, then the same 32 final ones."""
    words += bytes(-len(words) % 8)
    return (
        b"".join(words[at : at + 4] for at in range(0, len(words), 8)),
        b"".join(words[at + 4 : at + 8] for at in range(0, len(words), 8)),
    )


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
