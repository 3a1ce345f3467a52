"""Whether the credentials of a trunk are right, by how wrong ones are answered; pure."""

from ringdown.doctor.finding import Finding
from ringdown.doctor.observation import Login, Observations

_AUTHENTICATE = (401, 407)


def find_faults(seen: Observations) -> list[Finding]:
    """At most one finding about the REGISTER, or about the INVITE when the trunk does not register."""
    login, trunk = seen.login, seen.trunk
    if login is None or login.outcome.is_accepted or not login.outcome.is_heard:
        return []
    if not trunk.username and login.outcome.status in _AUTHENTICATE:
        return [
            Finding(
                "credentials_missing",
                f"The peer asks for a user and a password ({login.outcome}), and the trunk has none.",
                "Set `username` and `password`, or have the peer accept this machine by its address.",
            )
        ]
    finding = _judge(login, trunk.username or "", is_right_elsewhere=_is_right_elsewhere(seen))
    return [] if finding is None else [finding]


def is_to_blame(seen: Observations) -> bool:
    """Whether the credentials are wrong or missing, so that a refused call says nothing more."""
    return any(finding.code != "registration_refused" for finding in find_faults(seen))


def _is_right_elsewhere(seen: Observations) -> bool:
    """Whether a call with the same credentials was taken."""
    return seen.call is not None and seen.call.outcome.is_accepted


def _judge(login: Login, user: str, *, is_right_elsewhere: bool) -> Finding | None:
    outcome = login.outcome
    if not login.is_challenged:
        return _explain_user(login, user) if outcome.status == 404 else _explain_refusal(login)
    is_like_user = outcome.is_like(login.with_unknown_user)
    is_like_password = outcome.is_like(login.with_wrong_password)
    if not is_like_user and not is_like_password:
        # Wrong credentials are answered in another way, so that these are right.
        return _explain_refusal(login)
    if is_right_elsewhere:
        return _explain_refusal(login)
    if not is_like_user:
        return _explain_password(login, user)
    if not is_like_password or outcome.status == 404:
        return _explain_user(login, user)
    if outcome.status in _AUTHENTICATE or login.method == "REGISTER":
        return _explain_either(login, user)
    return None  # a call refused alike whoever asks: not because of the credentials


def _explain_user(login: Login, user: str) -> Finding:
    return Finding(
        "user_wrong",
        f"The peer does not know the user {user!r}: {login.method} is refused with {login.outcome}.",
        "Correct `username`.",
    )


def _explain_password(login: Login, user: str) -> Finding:
    return Finding(
        "password_wrong",
        f"The password is wrong: the peer knows the user {user!r} and refuses {login.method} with {login.outcome}, "
        "as it does with any wrong password.",
        "Correct `password`.",
    )


def _explain_either(login: Login, user: str) -> Finding:
    return Finding(
        "credentials_wrong",
        f"The user {user!r} or the password is wrong: the peer refuses {login.method} with {login.outcome} and does "
        "not tell which.",
        "Correct `username` and `password`.",
    )


def _explain_refusal(login: Login) -> Finding | None:
    if login.method == "INVITE":
        return None
    return Finding(
        "registration_refused",
        f"The peer refuses the registration with {login.outcome}, though not because of the credentials.",
        "Set `registers` to false if the peer knows this machine by its address, or have the peer allow this "
        "user to register.",
    )
