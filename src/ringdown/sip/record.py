"""How an INVITE is written down, so that another process can end its call; does no I/O."""

from ringdown.sip.message import Request, Response, Via, parse_message


def write_invite(invite: Request) -> str:
    """The head of an INVITE as text, without credentials and body."""
    lines = [f"{name}: {value}" for name, value in invite.headers if _is_kept(name) and name != "Content-Length"]
    return "\r\n".join([f"INVITE {invite.uri} SIP/2.0", *lines, "Content-Length: 0\r\n\r\n"])


def read_invite(text: str) -> Request:
    """The INVITE that `write_invite` wrote; raises `ValueError`."""
    message = parse_message(text.encode())
    if isinstance(message, Response) or message.method != "INVITE":
        raise ValueError("not an INVITE")
    return message


def name_attempt(branch: str, attempt: int) -> str:
    """The branch of an INVITE's n-th attempt, so that a crash between challenge and storing can be followed."""
    return f"{branch}-{attempt}"


def follow_attempt(invite: Request) -> Request:
    """The INVITE as the next attempt sent it after a challenge: next number, next branch."""
    branch, _, attempt = invite.via.branch.rpartition("-")
    if attempt != str(invite.cseq):
        raise ValueError("not an attempt of ours")
    number = invite.cseq + 1
    params = {**invite.via.params, "branch": name_attempt(branch, number)}
    replaced = {
        "Via": Via(invite.via.transport, invite.via.host, invite.via.port, params).serialize(),
        "CSeq": f"{number} INVITE",
    }
    return _rebuild(invite, [(name, replaced.get(name, value)) for name, value in invite.headers])


def _rebuild(invite: Request, fields: list[tuple[str, str]]) -> Request:
    return Request.build(invite.method, invite.uri, [item for item in fields if _is_kept(item[0])])


def _is_kept(name: str) -> bool:
    return not name.endswith("Authorization") and name != "Content-Type"
