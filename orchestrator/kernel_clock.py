"""Whether something keeps this host's clock, as its kernel knows it. See adjtimex(2)."""

import ctypes
import sys

__all__ = ["KernelClock", "kernel_clock"]

_STA_UNSYNC = 0x0040
_LONG = ctypes.sizeof(ctypes.c_long)
_STATUS_AT = 5 * _LONG
"""modes (an int, padded to a long), offset, freq, maxerror, esterror, then status"""
_MAXERROR_AT = 3 * _LONG


class KernelClock:
    """`synchronised`: by NTP or its like; `error_s`: by how much it may be wrong then, as the kernel believes."""

    def __init__(self, synchronised: bool, error_s: float) -> None:
        self.synchronised = synchronised
        self.error_s = error_s


def kernel_clock() -> KernelClock:
    """What the kernel says now. Raises OSError where it cannot be asked."""
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        buffer = ctypes.create_string_buffer(256)  # struct timex, all zero: only read
        if libc.adjtimex(buffer) < 0:
            raise OSError(ctypes.get_errno(), "adjtimex")
    except AttributeError:
        raise OSError("this system has no adjtimex") from None
    status = int.from_bytes(buffer.raw[_STATUS_AT : _STATUS_AT + 4], sys.byteorder)
    error_us = int.from_bytes(buffer.raw[_MAXERROR_AT : _MAXERROR_AT + _LONG], sys.byteorder, signed=True)
    return KernelClock(not status & _STA_UNSYNC, error_us / 1e6)
