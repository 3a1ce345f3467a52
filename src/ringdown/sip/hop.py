"""What ties requests of one hop: their key, and the CANCEL and ACK that repeat an INVITE's; knows no transaction."""

from ringdown.sip.message import BRANCH_COOKIE, Request, Response


def server_key(request: Request, method: str) -> tuple[str, ...]:
    """What a request and its retransmissions have in common (§17.2.3)."""
    via = request.via
    method = "INVITE" if method == "ACK" else method
    if via.branch.startswith(BRANCH_COOKIE):
        return (via.branch, via.host, str(via.port), method)
    return (request.call_id, str(request.cseq), request.from_.tag or "", via.host, str(via.port), via.branch, method)


def build_failure_ack(request: Request, response: Response) -> Request:
    """The ACK of a 300-699 response: same branch, target and route as the INVITE (§17.1.1.3)."""
    return _same_hop(request, "ACK", to=response.headers.get("To") or "")


def build_cancel(request: Request) -> Request:
    """The CANCEL of an INVITE: same branch, number, target and route (§9.1)."""
    return _same_hop(request, "CANCEL", to=request.headers.get("To") or "")


def _same_hop(request: Request, method: str, *, to: str) -> Request:
    fields = [("Via", request.headers.get_lines("Via")[0])]
    fields += [("Route", value) for value in request.headers.get_lines("Route")]
    fields += [
        ("Max-Forwards", "70"),
        ("From", request.headers.get("From") or ""),
        ("To", to),
        ("Call-ID", request.call_id),
        ("CSeq", f"{request.cseq} {method}"),
    ]
    return Request.build(method, request.uri, fields)
