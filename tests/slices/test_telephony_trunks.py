"""Trunks over HTTP: created, listed, changed, deleted; their secrets never come out again."""

import asyncio
import datetime
import logging
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ringdown.config import Settings
from ringdown.secret import SecretBox
from ringdown.telephony import trunk_store
from ringdown.telephony.models import TrunkStatus
from ringdown.web import idempotency
from tests.slices.conftest import BASE, Tenant, on_sqlite

URL = f"{BASE}/telephony/trunks"
MINIMAL = {"name": "carrier", "hosts": ["sip.example.net"]}
UNKNOWN = "trunk_00000000000000000000000000"
SECRETS = {"username": "alice", "password": "s3cret-out", "inbound_username": "bob", "inbound_password": "s3cret-in"}


async def _create(tenant: Tenant, **fields: Any) -> dict[str, Any]:
    response = await tenant.client.post(URL, json=MINIMAL | fields)
    assert response.status_code == 201, response.text
    created: dict[str, Any] = response.json()["data"]
    return created


def _refused(response: httpx.Response) -> dict[str, str]:
    assert response.status_code == 422, response.text
    return {item["field"]: item["reason"] for item in response.json()["error"]["details"]["errors"]}


def _make_certificate() -> tuple[str, str]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "ours")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return certificate.public_bytes(serialization.Encoding.PEM).decode(), pem.decode()


async def test_a_minimal_trunk_has_the_documented_defaults(tenant: Tenant) -> None:
    trunk = await _create(tenant)
    assert trunk["id"].startswith("trunk_")
    assert trunk["hosts"] == [{"host": "sip.example.net", "port": None, "priority": 0, "weight": 1}]
    assert trunk["codecs"] == ["PCMU", "PCMA", "G722", "OPUS"]
    expected = {
        "transport": "udp", "registers": False, "registration_expires_seconds": 300, "caller_id_form": "from",
        "number_format": "e164", "number_prefix": "", "default_region": "US", "srtp": "off", "session_timer": "accept",
        "session_expires_seconds": 1800, "transfer": "auto", "dtmf": "auto", "nat": "auto", "tls_verify": True,
        "is_enabled": True, "origin": "api", "has_password": False, "max_concurrent_calls": None,
    }  # fmt: skip
    assert {name: trunk[name] for name in expected} == expected
    assert trunk["status"]["registration"] is None
    assert trunk["status"]["gateways"] == []


async def test_every_field_comes_back_as_it_was_sent(tenant: Tenant) -> None:
    sent = {
        "hosts": [
            {"host": "a.example.net", "port": 5080, "priority": 1, "weight": 3},
            {"host": "2001:db8::1", "port": None, "priority": 2, "weight": 0},
        ],
        "transport": "tls",
        "username": "alice",
        "registers": True,
        "registration_expires_seconds": 600,
        "outbound_proxy": "proxy.example.net:5061",
        "allowed_sources": ["203.0.113.0/24", "198.51.100.7", "sbc.example.net"],
        "caller_id_form": "p_asserted_identity",
        "number_format": "national",
        "number_prefix": "9",
        "default_region": "DE",
        "codecs": ["OPUS", "PCMA"],
        "srtp": "required",
        "max_calls_per_second": 2.5,
        "max_concurrent_calls": 30,
        "session_timer": "request",
        "session_expires_seconds": 90,
        "allowed_prefixes": ["+49", "+43"],
        "premium_allowed": True,
        "transfer": "bridge",
        "accepts_refer": True,
        "dtmf": "inband",
        "nat": "off",
        "tls_server_name": "sip.example.net",
        "tls_verify": False,
        "is_enabled": False,
    }
    trunk = await _create(tenant, **sent)
    assert {name: trunk[name] for name in sent} == sent
    assert (await tenant.client.get(f"{URL}/{trunk['id']}")).json()["data"] == trunk


@on_sqlite
async def test_hosts_may_be_written_short(tenant: Tenant) -> None:
    trunk = await _create(tenant, hosts=["sip.example.net:5080", "[2001:db8::1]:5060", {"host": "b.example.net"}])
    assert [(host["host"], host["port"]) for host in trunk["hosts"]] == [
        ("sip.example.net", 5080),
        ("2001:db8::1", 5060),
        ("b.example.net", None),
    ]


async def test_no_answer_log_or_table_shows_a_secret(
    tenant: Tenant, settings: Settings, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    certificate, private_key = _make_certificate()
    secrets = SECRETS | {"tls_certificate": certificate, "tls_private_key": private_key}
    created = await tenant.client.post(URL, json=MINIMAL | secrets, headers={"X-Idempotency-Key": "one"})
    trunk = created.json()["data"]
    assert (trunk["has_password"], trunk["has_inbound_password"], trunk["has_tls_private_key"]) == (True, True, True)
    shown = [
        created.text,
        (await tenant.client.get(URL)).text,
        (await tenant.client.get(f"{URL}/{trunk['id']}")).text,
        (await tenant.client.patch(f"{URL}/{trunk['id']}", json={"password": "s3cret-new"})).text,
        (await tenant.client.patch(f"{URL}/{trunk['id']}", json={"password": "s3cret\x07"})).text,
        (await tenant.client.post(URL, json=MINIMAL | {"password": "s3cret-orphan", "bad": 1})).text,
        (await tenant.client.get(f"{BASE}/openapi.json")).text,
    ]
    box = SecretBox.open(settings)
    async with tenant.database.read() as connection:
        for table in ("trunks", "idempotency_keys"):
            rows = await connection.execute(sa.text(f"SELECT * FROM {table}"))
            shown.append(repr([tuple(row) for row in rows]))
        [opened] = await trunk_store.list_enabled_trunks(connection, box)
    shown += [repr(opened), caplog.text, "".join(capsys.readouterr())]
    key_line = private_key.splitlines()[1]
    for text in shown:
        assert "s3cret" not in text
        assert key_line not in text
    assert (opened.password, opened.inbound_password) == ("s3cret-new", "s3cret-in")
    assert opened.tls_private_key == private_key


async def test_a_patch_changes_only_what_it_names_and_null_takes_away(tenant: Tenant, settings: Settings) -> None:
    created = await _create(tenant, **SECRETS, codecs=["PCMA"], number_prefix="9")
    url = f"{URL}/{created['id']}"
    renamed = (await tenant.client.patch(url, json={"name": "other"})).json()["data"]
    assert renamed | {"updated_at": ""} == created | {"name": "other", "updated_at": ""}
    changes = {"inbound_username": None, "inbound_password": None, "codecs": None, "name": None, "number_prefix": None}
    changed = (await tenant.client.put(url, json=changes)).json()["data"]
    assert (changed["has_inbound_password"], changed["has_password"]) == (False, True)
    assert (changed["name"], changed["codecs"], changed["number_prefix"]) == (
        "other",
        ["PCMU", "PCMA", "G722", "OPUS"],
        "",
    )
    async with tenant.database.read() as connection:
        [opened] = await trunk_store.list_enabled_trunks(connection, SecretBox.open(settings))
    assert (opened.password, opened.inbound_password) == ("s3cret-out", None)


async def test_trunks_are_listed_newest_first_in_pages(tenant: Tenant) -> None:
    ids = [(await _create(tenant, name=f"t{number}"))["id"] for number in range(3)]
    page = (await tenant.client.get(f"{URL}?limit=2")).json()
    assert [trunk["id"] for trunk in page["data"]] == ids[:0:-1]
    assert page["pagination"] == {"total": 3, "limit": 2, "offset": 0, "has_more": True}
    rest = (await tenant.client.get(f"{URL}?limit=2&offset=2")).json()
    assert [trunk["id"] for trunk in rest["data"]] == ids[:1]


async def test_a_deleted_trunk_is_gone_with_its_state(tenant: Tenant) -> None:
    trunk_id = (await _create(tenant))["id"]
    status = TrunkStatus(organization_id=tenant.organization_id, trunk_id=trunk_id, gateway_id="a", checked_at=1)
    async with tenant.database.write() as connection:
        assert await trunk_store.put_status(connection, status)
    deleted = await tenant.client.delete(f"{URL}/{trunk_id}")
    assert deleted.json()["data"] == {"id": trunk_id, "deleted": True}
    async with tenant.database.write() as connection:
        assert not await trunk_store.put_status(connection, status)
        assert await trunk_store.list_statuses(connection, tenant.organization_id) == []
    assert (await tenant.client.delete(f"{URL}/{trunk_id}")).status_code == 404


async def test_a_trunk_with_numbers_is_not_deleted_and_they_are_named(tenant: Tenant) -> None:
    trunk_id = (await _create(tenant))["id"]
    for digit in range(12):
        await tenant.add_number(f"+120255501{digit:02}", trunk_id=trunk_id)
    reason = _refused(await tenant.client.delete(f"{URL}/{trunk_id}"))["trunk_id"]
    assert "+12025550100, " in reason
    assert reason.endswith("+12025550109 and more")
    assert (await tenant.client.get(f"{URL}/{trunk_id}")).status_code == 200


async def test_a_name_is_taken_once_in_an_organization(tenant: Tenant, stranger: Tenant) -> None:
    await _create(tenant)
    other = await _create(tenant, name="other")
    await _create(stranger)
    for response in (
        await tenant.client.post(URL, json=MINIMAL),
        await tenant.client.patch(f"{URL}/{other['id']}", json={"name": "carrier"}),
    ):
        assert response.status_code == 409
        assert response.json()["error"]["details"] == {"name": "carrier"}
    assert (await tenant.client.patch(f"{URL}/{other['id']}", json={"name": "other"})).status_code == 200


async def test_the_same_request_twice_makes_one_trunk(tenant: Tenant) -> None:
    headers = {"X-Idempotency-Key": "once"}
    first, second = [await tenant.client.post(URL, json=MINIMAL, headers=headers) for _ in range(2)]
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    assert (await tenant.client.get(URL)).json()["pagination"]["total"] == 1


@on_sqlite
async def test_without_a_key_nothing_is_answered(anonymous: httpx.AsyncClient) -> None:
    for method, url in [("GET", URL), ("POST", URL), ("GET", f"{URL}/x"), ("PATCH", f"{URL}/x"), ("PUT", f"{URL}/x"),
                        ("DELETE", f"{URL}/x")]:  # fmt: skip
        assert (await anonymous.request(method, url, json=MINIMAL)).status_code == 401


async def test_another_organizations_trunk_does_not_exist(tenant: Tenant, stranger: Tenant) -> None:
    trunk_id = (await _create(tenant))["id"]
    for identifier in (trunk_id, UNKNOWN):
        for method in ("GET", "PATCH", "PUT", "DELETE"):
            response = await stranger.client.request(method, f"{URL}/{identifier}", json={})
            assert response.status_code == 404, method
    assert (await stranger.client.get(URL)).json()["data"] == []
    assert (await tenant.client.get(f"{URL}/{trunk_id}")).status_code == 200


@on_sqlite
@pytest.mark.parametrize(
    ("fields", "field", "reason"),
    [
        ({"name": " "}, "name", "must be printable text and not blank"),
        ({"name": "a\r\nb"}, "name", "must be printable text and not blank"),
        ({"hosts": []}, "hosts", "must have at least 1 entries"),
        ({"hosts": ["a b"]}, "hosts.0", "must be a host name or an address"),
        ({"hosts": [{"host": "x", "port": 0}]}, "hosts.0.port", "must be at least 1"),
        ({"hosts": [{"host": "x", "prio": 0}]}, "hosts.0.prio", "is not a known field"),
        ({"transport": "sctp"}, "transport", "must be one of: udp, tcp, tls"),
        ({"registers": True}, "username", "is required with registers"),
        ({"password": "x"}, "username", "is required with password"),
        ({"inbound_username": "x"}, "inbound_password", "and inbound_username must be set together"),
        ({"username": "a\nb"}, "username", "must be printable text and not blank"),
        ({"outbound_proxy": "sip:x"}, "outbound_proxy", "must have a port from 1 to 65535 after the colon"),
        ({"allowed_sources": ["0.0.0.0/0"]}, "allowed_sources.0", None),
        ({"number_format": "e.164"}, "number_format", None),
        ({"number_prefix": "+1a"}, "number_prefix", None),
        (
            {"default_region": "XX"},
            "default_region",
            "must be a two-letter region with phone numbers, such as US or DE",
        ),
        ({"codecs": []}, "codecs", "must have at least 1 entries"),
        ({"codecs": ["GSM"]}, "codecs.0", "must be one of: PCMU, PCMA, G722, OPUS"),
        ({"allowed_prefixes": ["49"]}, "allowed_prefixes.0", None),
        ({"session_expires_seconds": 89}, "session_expires_seconds", "must be at least 90"),
        ({"max_calls_per_second": 0}, "max_calls_per_second", "must be greater than 0.0"),
        ({"tls_ca": "nonsense"}, "tls_ca", None),
        ({"tls_private_key": "nonsense"}, "tls_private_key", "must be a private key in PEM form without passphrase"),
        ({"has_password": True}, "has_password", "is not a known field"),
    ],
)
async def test_a_bad_value_is_refused_by_name(
    tenant: Tenant, fields: dict[str, Any], field: str, reason: str | None
) -> None:
    refused = _refused(await tenant.client.post(URL, json=MINIMAL | fields))
    assert list(refused) == [field]
    if reason is not None:
        assert refused[field] == reason
    assert (await tenant.client.get(URL)).json()["data"] == []


@on_sqlite
@pytest.mark.parametrize(
    ("sent", "shown"),
    [("Proxy.example:5061", "proxy.example:5061"), ("2001:db8::1", "[2001:db8::1]"), ("192.0.2.1", "192.0.2.1")],
)
async def test_a_proxy_is_shown_as_a_sip_uri_writes_it(tenant: Tenant, sent: str, shown: str) -> None:
    assert (await _create(tenant, outbound_proxy=sent))["outbound_proxy"] == shown


async def test_name_and_hosts_are_required(tenant: Tenant) -> None:
    assert _refused(await tenant.client.post(URL, json={})) == {"name": "is required", "hosts": "is required"}


@on_sqlite
async def test_a_certificate_needs_its_own_key(tenant: Tenant) -> None:
    (certificate, private_key), (_, other_key) = _make_certificate(), _make_certificate()
    alone = await tenant.client.post(URL, json=MINIMAL | {"tls_certificate": certificate})
    assert "together" in str(_refused(alone))
    pair = MINIMAL | {"tls_certificate": certificate, "tls_private_key": other_key}
    assert "must be the key of tls_certificate" in str(_refused(await tenant.client.post(URL, json=pair)))
    trunk = await _create(tenant, tls_certificate=certificate, tls_private_key=private_key)
    assert (trunk["tls_certificate"], trunk["has_tls_private_key"]) == (certificate, True)
    half = await tenant.client.patch(f"{URL}/{trunk['id']}", json={"tls_private_key": None})
    assert _refused(half) == {"tls_private_key": "and tls_certificate must be set together"}


@on_sqlite
async def test_fields_that_do_not_fit_what_is_stored_are_refused(tenant: Tenant) -> None:
    trunk = await _create(tenant, username="alice", registers=True)
    refused = _refused(await tenant.client.patch(f"{URL}/{trunk['id']}", json={"username": None}))
    assert refused == {"username": "is required with registers"}


async def test_trunks_that_want_one_name_at_once_do_not_share_it(tenant: Tenant) -> None:
    ids = [(await _create(tenant, name=f"t{number}"))["id"] for number in range(3)]
    answers = await asyncio.gather(
        *(tenant.client.patch(f"{URL}/{trunk_id}", json={"name": "wanted"}) for trunk_id in ids),
        tenant.client.post(URL, json=MINIMAL | {"name": "wanted"}),
    )
    assert sorted(answer.is_success for answer in answers) == [False, False, False, True]
    assert {answer.status_code for answer in answers} <= {200, 201, 409}
    names = [trunk["name"] for trunk in (await tenant.client.get(URL)).json()["data"]]
    assert names.count("wanted") == 1


async def test_an_answer_that_was_lost_after_the_commit_is_told_and_creates_nothing_again(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers = {"X-Idempotency-Key": "once"}

    async def die(*_: object) -> None:
        raise ConnectionError("the process is gone")

    with monkeypatch.context() as patched:
        patched.setattr(idempotency, "finish", die)
        assert (await tenant.client.post(URL, json=MINIMAL, headers=headers)).status_code == 500
    monkeypatch.setattr(idempotency, "IN_FLIGHT_MS", 0)
    await asyncio.sleep(0.01)
    again = await tenant.client.post(URL, json=MINIMAL, headers=headers)
    [trunk] = (await tenant.client.get(URL)).json()["data"]
    assert again.status_code == 409
    assert again.json()["error"]["details"]["resource_id"] == trunk["id"]
