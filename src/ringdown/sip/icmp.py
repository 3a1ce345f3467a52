"""What Linux tells of datagrams that a peer's host refused: the refused bytes themselves; knows no SIP."""

import contextlib
import errno
import socket
import struct
import sys

# linux/in.h, linux/in6.h and linux/errqueue.h; Python has no names for them.
_IP_RECVERR = 11
_IPV6_RECVERR = 25
_FROM_THIS_HOST = 1
_EXTENDED_ERROR = struct.Struct("=IB")  # ee_errno, ee_origin
_MAX_READ = 64  # per visit; while more wait, the system tells of the next
_QUOTE_BYTES = 2048


def enable(datagram: socket.socket) -> None:
    """Have refusals queued for `read_refusals`; does nothing where the system has no such queue.

    From now on any call on the socket may fail with the error of an earlier datagram. Whoever sees such an error
    must call `read_refusals`, or the socket stays readable for ever.
    """
    if sys.platform != "linux":
        return
    for level, option in ((socket.IPPROTO_IP, _IP_RECVERR), (socket.IPPROTO_IPV6, _IPV6_RECVERR)):
        with contextlib.suppress(OSError):  # the option of the other family
            datagram.setsockopt(level, option, 1)


def read_refusals(datagram: socket.socket) -> tuple[int, list[bytes]]:
    """How many errors of earlier datagrams were queued, and the beginnings of those whose port nobody listens on.

    A router quotes at least 8 bytes of the datagram, Linux some 500. Anyone may forge such a message: what it quotes
    must hold a secret of ours before it is believed.
    """
    count, refused = 0, []
    while sys.platform == "linux" and count < _MAX_READ:
        try:
            quote, ancillary, _, _ = datagram.recvmsg(_QUOTE_BYTES, 512, socket.MSG_ERRQUEUE)
        except OSError:  # the queue is empty
            break
        for level, kind, value in ancillary:
            if (level, kind) not in ((socket.IPPROTO_IP, _IP_RECVERR), (socket.IPPROTO_IPV6, _IPV6_RECVERR)):
                continue
            number, origin = _EXTENDED_ERROR.unpack_from(value)
            count += origin != _FROM_THIS_HOST
            if number == errno.ECONNREFUSED and origin != _FROM_THIS_HOST:
                refused.append(quote)
    return count, refused
