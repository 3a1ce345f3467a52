"""The gateway program: opens its ports and providers, runs the switchboard, drains when asked to stop."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable

from ringdown import collector
from ringdown.batch_calls import following as _following  # noqa: F401, registers what follows the end of a call
from ringdown.calls import clocks, service
from ringdown.calls.pacing import Pacer
from ringdown.calls.recording import RecordingStore
from ringdown.calls.spool import Spool
from ringdown.config import Settings
from ringdown.db.engine import Database, open_database
from ringdown.gateway import recovery, routes
from ringdown.gateway.guard import Guard
from ringdown.gateway.nat import PublicAddress
from ringdown.gateway.services import Services
from ringdown.gateway.speech import SpeechProviders
from ringdown.gateway.switchboard import Switchboard
from ringdown.gateway.trunks import TrunkBook
from ringdown.gateway.webrtc_server import JoinServer
from ringdown.lifecycle import CannotStart
from ringdown.media.clock import MediaClock
from ringdown.outbound import OutboundClient
from ringdown.providers.embedding import open_embedder
from ringdown.providers.registry import read_providers
from ringdown.secret import SecretBox
from ringdown.sip.admission import Admission, Admit
from ringdown.sip.call import IncomingCall
from ringdown.sip.destination import Destination
from ringdown.sip.endpoint import Endpoint
from ringdown.sip.message import Request
from ringdown.sip.tls import TlsServer
from ringdown.telephony import service as telephony
from ringdown.telephony.models import Trunk
from ringdown.tools.runner import ToolRunner
from ringdown.voice.detector import SpeechDetector
from ringdown.voice.ports import ProviderError

_USER_AGENT = "Ringdown/0.1"


def make_gateway_id(host: str, port: int) -> str:
    """The name under which a gateway claims calls: the same again after a restart on this machine and SIP address."""
    return f"{socket.gethostname()}/{host}:{port}"


async def serve(settings: Settings, *, asked: asyncio.Event, urgent: asyncio.Event, ready: Callable[[], None]) -> None:
    """Carry calls until `asked` is set and the live calls have ended; `urgent` ends them at once.

    Raises `CannotStart` when its ports cannot be had, or a trunk, certificate or secret cannot be read.
    """
    peer = _read_peer(settings)
    async with contextlib.AsyncExitStack() as stack:
        database = open_database(settings.sqlalchemy_url)
        stack.push_async_callback(database.close)
        speech, detector, clock = SpeechProviders(settings), SpeechDetector(), MediaClock()
        for part in (speech, detector, clock):
            stack.push_async_callback(part.close)
            try:
                await part.start()
            except ProviderError as error:
                raise CannotStart(f"The gateway cannot start its speech ({error}).") from error
        box = SecretBox.open(settings)
        outbound = OutboundClient(private_allowed=settings.private_urls_allowed)
        stack.push_async_callback(outbound.close)
        if (embedder := open_embedder(read_providers(settings))) is not None:
            stack.push_async_callback(embedder.close)
        ringing: asyncio.Queue[IncomingCall] = asyncio.Queue()
        doorkeeper = _Doorkeeper()
        endpoint = await _listen(settings, ringing, doorkeeper.admit)
        stack.push_async_callback(endpoint.close)
        gateway_id = make_gateway_id(settings.sip_host, endpoint.port)
        book = TrunkBook(database, box, endpoint, gateway_id=gateway_id, peer=peer)
        stack.push_async_callback(book.close)
        await _open_trunks(settings, database, book)
        doorkeeper.guard = Guard(
            book, requests_per_second=settings.sip_requests_per_second, ban_s=settings.sip_ban_seconds
        )
        public_address = PublicAddress(settings)
        await public_address.refresh(endpoint)
        services = Services(
            settings=settings,
            database=database,
            endpoint=endpoint,
            clock=clock,
            detector=detector,
            speech=speech,
            tools=ToolRunner(outbound, box),
            embedder=embedder,
            trunks=book,
            public_address=public_address,
            spool=Spool(settings.data_dir / "spool", RecordingStore.open(settings)),
            pacer=Pacer(gateway_id),
        )
        reporting = asyncio.create_task(doorkeeper.guard.report())
        stack.callback(reporting.cancel)
        await _carry_calls(services, ringing, gateway_id=gateway_id, asked=asked, urgent=urgent, ready=ready)


class _Doorkeeper:
    """Nothing is heard before the trunks are known."""

    def __init__(self) -> None:
        self.guard: Guard | None = None

    def admit(self, source: Destination, request: Request) -> Admission:
        return "drop" if self.guard is None else self.guard.admit(source, request)


def _read_peer(settings: Settings) -> Trunk | None:
    if settings.outbound_peer is None:
        return None
    try:
        return routes.parse_peer(settings.outbound_peer.get_secret_value())
    except ValueError as error:
        raise CannotStart(f"{error}.") from error


async def _open_trunks(settings: Settings, database: Database, book: TrunkBook) -> None:
    try:
        await telephony.sync_trunks(database, settings)
    except ValueError as error:
        raise CannotStart(f"{error}.") from error
    await book.open()


async def _listen(settings: Settings, ringing: "asyncio.Queue[IncomingCall]", admit: Admit) -> Endpoint:
    try:
        return await Endpoint.start(
            host=settings.sip_host,
            port=settings.sip_port,
            user_agent=_USER_AGENT,
            on_invite=ringing.put_nowait,
            admit=admit,
            tls=_read_tls(settings),
            public_host=None if settings.public_host == "stun" else settings.public_host,
        )
    except ssl.SSLError as error:
        raise CannotStart(f"The gateway cannot use its TLS certificate ({error.reason or error}).") from error
    except OSError as error:
        where = f"{settings.sip_host} port {settings.sip_port}"
        raise CannotStart(f"The gateway cannot listen on {where} ({error.strerror}).") from error


def _read_tls(settings: Settings) -> TlsServer | None:
    certificate, private_key = settings.sip_tls_certificate, settings.sip_tls_private_key
    if not settings.sip_tls_port or certificate is None or private_key is None:
        return None
    return TlsServer(
        port=settings.sip_tls_port,
        certificate=certificate,
        private_key=private_key,
        client_ca=settings.sip_tls_client_ca,
    )


async def _carry_calls(
    services: Services,
    ringing: "asyncio.Queue[IncomingCall]",
    *,
    gateway_id: str,
    asked: asyncio.Event,
    urgent: asyncio.Event,
    ready: Callable[[], None],
) -> None:
    left = await service.list_unfinished(services.database, gateway_id=gateway_id)
    left = clocks.advance(services.settings.data_dir, left)
    switchboard = Switchboard(services, gateway_id=gateway_id)
    async with JoinServer(switchboard, services.settings), asyncio.TaskGroup() as group:
        endless = [
            group.create_task(switchboard.claim_calls()),
            group.create_task(switchboard.take_calls(ringing)),
            group.create_task(switchboard.renew_leases()),
            group.create_task(switchboard.keep_clocks(left)),
            group.create_task(switchboard.extend_holds()),
            group.create_task(switchboard.obey_commands()),
            group.create_task(switchboard.end_lost_calls()),
            group.create_task(services.trunks.watch()),
            group.create_task(services.public_address.watch(services.endpoint)),
        ]
        recovering = group.create_task(recovery.recover_calls(services, left))
        collector.settle()
        ready()
        await asked.wait()
        await switchboard.drain(urgent, timeout_s=services.settings.drain_seconds)
        await recovering
        for task in endless:
            task.cancel()
