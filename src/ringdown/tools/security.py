"""How a tool's server is told who asks: security requirements and authentication, as secret headers; pure."""

import base64
import dataclasses
from collections.abc import Iterable, Mapping, Sequence

from ringdown import errors
from ringdown.tools.models import MASK, StaticParameter
from ringdown.tools.schemas import AuthenticationBody, DefinitionBody, RequirementBody, SecurityOptionBody

NO_AUTHENTICATION = AuthenticationBody(type="none")
_AUTHENTICATION = "authentication"
_DEFAULT_KEY_HEADER = "X-API-Key"


def read_security(
    definition: DefinitionBody, *, authentication: AuthenticationBody | None, present: Sequence[StaticParameter]
) -> list[StaticParameter]:
    """The secret headers that the request asks for; those of `present` where it says nothing of them.

    A requirement without a token keeps the present one. Raises `ValidationFailed`.
    """
    tokens = dict(definition.authTokens or {})
    kept = {one.requirement: one for one in present}
    wanted: list[StaticParameter]
    if "requirements" in definition.model_fields_set:
        options = definition.requirements and definition.requirements.httpSecurityOptions
        wanted = list(_read_options(options.options if options else [], field="definition.requirements"))
    else:
        wanted = [one for one in present if one.requirement != _AUTHENTICATION]
    if authentication is None:
        wanted += [one for one in present if one.requirement == _AUTHENTICATION]
    else:
        wanted += _read_authentication(authentication)
    unknown = tokens.keys() - {one.requirement for one in wanted}
    if unknown:
        raise errors.invalid(f"definition.authTokens.{min(unknown)}", "is not the name of a security requirement")
    return [_give_value(one, tokens, kept) for one in wanted]


def _give_value(
    one: StaticParameter, tokens: Mapping[str, str], kept: Mapping[str | None, StaticParameter]
) -> StaticParameter:
    if one.requirement is not None and one.requirement in tokens:
        return dataclasses.replace(one, value=tokens[one.requirement])
    before = kept.get(one.requirement)
    if one.value is None and before is not None and before.key == one.key:
        return dataclasses.replace(one, value=before.value)
    return one


def _read_options(options: Sequence[SecurityOptionBody], *, field: str) -> Iterable[StaticParameter]:
    # Each option is enough by itself.
    for option in options[:1]:
        for name, requirement in option.requirements.items():
            yield _read_requirement(name, requirement, field=f"{field}.{name}")


def _read_requirement(name: str, requirement: RequirementBody, *, field: str) -> StaticParameter:
    if requirement.queryApiKey is not None:
        raise errors.invalid(field, "must not put a secret into the URL; use headerApiKey")
    if requirement.headerApiKey is not None:
        key = requirement.headerApiKey
        return _make_secret(key.name, key.value, requirement=name)
    if requirement.httpAuth is not None:
        return _make_secret(
            "Authorization", requirement.httpAuth.value, prefix=f"{requirement.httpAuth.scheme} ", requirement=name
        )
    raise errors.invalid(field, "must hold headerApiKey or httpAuth")


def _read_authentication(body: AuthenticationBody) -> list[StaticParameter]:
    if body.options is not None:
        return list(_read_options(body.options, field=_AUTHENTICATION))
    match body.type:
        case "bearer":
            return [_make_secret("Authorization", body.token or body.value, prefix="Bearer ")]
        case "api_key":
            return [_make_secret(body.header or _DEFAULT_KEY_HEADER, body.value or body.token)]
        case "basic":
            if body.username is None or body.password is None:
                raise errors.invalid(_AUTHENTICATION, "of type basic needs username and password")
            pair = base64.b64encode(f"{body.username}:{body.password}".encode()).decode()
            return [_make_secret("Authorization", MASK if body.password == MASK else pair, prefix="Basic ")]
        case _:
            if body.token or body.value or body.password:
                raise errors.invalid(f"{_AUTHENTICATION}.type", "is required: bearer, api_key or basic")
            return []


def _make_secret(
    header: str, value: str | None, *, prefix: str = "", requirement: str = _AUTHENTICATION
) -> StaticParameter:
    if prefix and value is not None:
        value = value.removeprefix(prefix)
    return StaticParameter(
        name=header,
        location="header",
        value=value,
        is_secret=True,
        origin="security",
        prefix=prefix,
        requirement=requirement,
    )
