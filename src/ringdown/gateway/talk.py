"""The answered part of a call: conversation, hold, transfers, and whatever ends it."""

import asyncio
import re
from dataclasses import replace
from typing import Any, cast

import structlog

from ringdown.calls.models import CallCommand, ClaimedCall, Ending, Transfer
from ringdown.gateway import builtin_tools, dialogue, endings, referral, transfer
from ringdown.gateway.hold_music import HoldMusic
from ringdown.gateway.leg import Leg
from ringdown.gateway.record import CallRecord
from ringdown.gateway.routes import Route
from ringdown.gateway.services import Services
from ringdown.gateway.speech import Speech
from ringdown.gateway.toolbox import MAX_NOTED, CallToolBox
from ringdown.gateway.transfer import TRANSFERRED, OtherPerson, ReferRefused, TransferFailed
from ringdown.sip.call import IncomingCall
from ringdown.sip.events import DigitPressed, Ended, Referred, ReferResult, ReofferFailed
from ringdown.telephony.models import Trunk
from ringdown.voice.conversation import Conversation
from ringdown.voice.events import ConversationEnd
from ringdown.voice.ports import ToolRequest, ToolResult

log = structlog.get_logger(__name__)

_MEDIA_CHECK_S = 1.0
_DIGIT_PAUSE_S = 0.5
_DIGIT_CHECK_S = 0.05
_TRANSFER_FAILED = "I'm sorry, I could not connect you: {reason}."


class Talk:
    """From the answer to the end of the conversation, whoever ends it. `run` once; `request` at any time."""

    def __init__(
        self,
        services: Services,
        claimed: ClaimedCall,
        leg: Leg,
        *,
        record: CallRecord,
        speech: Speech,
        toolbox: CallToolBox,
        trunk: Trunk | None,
        hang_up: asyncio.Event,
    ) -> None:
        self.leg = leg
        self.is_over = False
        self._services = services
        self._claimed = claimed
        self._record = record
        self._speech = speech
        self._toolbox = toolbox
        self._trunk = trunk
        self._hang_up = hang_up
        self._commands: asyncio.Queue[CallCommand] = asyncio.Queue()
        # Ways of the far end to another peer for this call.
        self._successions: asyncio.Queue[Referred | IncomingCall] = asyncio.Queue()
        # Set while the far party waits: on hold, or for somebody else.
        self._music: HoldMusic | None = None
        self._is_resting = False
        # What is said when the far party returns to the agent.
        self._announcement: str | None = None
        # What the agent's model asked for last, after its words.
        self._asked: ToolRequest | None = None
        # Another person has the far party now, or the far end was asked to call one.
        self._is_handed_over = False
        self._referring: asyncio.Task[ReferResult] | None = None
        # The far end has asked us to call somebody else, and hung up.
        self._is_alone = False
        # Fails with what the media clock's tick raised.
        self._fault: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._log = log.bind(call_id=claimed.call.id)
        self.conversation = dialogue.build_conversation(
            agent=claimed.agent,
            call=claimed.call,
            speech=speech,
            toolbox=toolbox,
            detector=services.detector,
            on_event=record.hear,
            act=self._act,
            sample_rate_hz=leg.sample_rate_hz,
        )

    def request(self, wish: CallCommand | IncomingCall) -> None:
        """Take a command of the API, or a call that replaces the far end's (RFC 3891)."""
        if isinstance(wish, CallCommand):
            self._commands.put_nowait(wish)
        else:
            self._successions.put_nowait(wish)

    def dismiss(self) -> bool:
        """Let the agent say its last words; False when it cannot now: on hold, or after a transfer."""
        return not self._is_handed_over and self.conversation.dismiss()

    async def run(self) -> Ending:
        """Talk until somebody ends it; the far end is told, and the media closed."""
        self._record.begin(self.leg.sample_rate_hz)
        if isinstance(self.conversation, Conversation):
            self.conversation.attach(self.leg.media)
        self.leg.start(self._exchange, self.conversation.press)
        course = asyncio.create_task(self.conversation.run())
        far_end = asyncio.create_task(self._until_far_end())
        hang_up = asyncio.create_task(self._hang_up.wait())
        silence = asyncio.create_task(self._until_no_media())
        saving = asyncio.create_task(self._save())
        obeying = asyncio.create_task(self._obey())
        following = asyncio.create_task(self._follow())
        tasks: set[asyncio.Future[Any]] = {course, far_end, hang_up, silence, saving, obeying, following, self._fault}
        try:
            while True:
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                if far_end in done:
                    return await self._judge_far_end(far_end.result())
                if obeying in done:
                    return obeying.result()
                for broken in done & {saving, following, self._fault}:
                    broken.result()  # raises what broke it
                if hang_up in done:
                    return endings.HUNG_UP_BY_US
                if silence in done:
                    return endings.NO_MEDIA
                if not self._is_handed_over:
                    return self._judge_conversation(course.result())
                tasks.discard(course)  # the others go on without the agent
        finally:
            self.is_over = True
            if not far_end.done() and self.leg.call is not None:
                await self.leg.call.bye()
            for wishing in (obeying, following):
                wishing.cancel()  # a second leg is hung up before the media closes
            await asyncio.gather(obeying, following, return_exceptions=True)
            await self._leave_wishes()
            self._record.note_media(self.leg)
            await self.leg.media.close()  # the call is as long as its media: recognising the last words takes a while
            await self.conversation.finish()
            await self._toolbox.honour(self._record.turns)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _leave_wishes(self) -> None:
        """Nobody waits for an answer, nor on a leg that came at the very end."""
        while not self._successions.empty():
            wish = self._successions.get_nowait()
            if isinstance(wish, IncomingCall):
                await wish.reject(481)
        if self.leg.call is not None:
            await self.leg.call.bye()

    async def _judge_far_end(self, ended: Ended) -> Ending:
        # Who does as a REFER says may hang up before it has told us so; with the dialog the REFER is over, too.
        is_following = self._referring is not None and transfer.is_accepted(await self._referring)
        return TRANSFERRED if self._is_handed_over or is_following else endings.from_dialog(ended.cause)

    def _judge_conversation(self, end: ConversationEnd) -> Ending:
        if end.detail:
            self._log.warning("conversation ended", reason=end.reason, detail=end.detail)
        return endings.from_conversation(end.reason)

    async def _save(self) -> None:
        if await self._record.store_answer():
            await self._record.save_progress()

    async def _until_far_end(self) -> Ended:
        """The end of the dialog that the call has at that time: transfers replace it."""
        while True:
            call = self.leg.call
            assert call is not None
            ended = Ended("local")
            async for event in call.events():
                if isinstance(event, DigitPressed):
                    self.leg.media.press(event.digit)
                elif isinstance(event, Referred):
                    self._successions.put_nowait(event)
                elif isinstance(event, Ended):
                    ended = event
            if call is self.leg.call:
                # Many hang up as soon as they have asked us to call somebody else, or are replaced.
                self._is_alone = True
                await self._successions.join()
                self._is_alone = False
            if call is self.leg.call:
                return ended

    async def _until_no_media(self) -> None:
        limit_ms = self._services.settings.no_media_seconds * 1000
        while self._is_alone or self.leg.media.silent_ms <= limit_ms:  # noqa: ASYNC110 - nobody signals silence
            await asyncio.sleep(_MEDIA_CHECK_S)

    # --- each tick ---------------------------------------------------------------------------------------------------

    def _exchange(self, far_pcm: bytes, at_ms: int) -> bytes | None:
        try:
            near_pcm = self._make_near(far_pcm, at_ms)
            self._record.record(far_pcm, near_pcm, at_ms)
        except Exception as error:  # noqa: BLE001 - the clock would drop us in silence: the call shall end by it
            if not self._fault.done():
                self._fault.set_exception(error)
            return None
        return near_pcm

    def _make_near(self, far_pcm: bytes, at_ms: int) -> bytes | None:
        is_resting = self._music is not None or self.leg.is_held or self._is_alone
        if is_resting is not self._is_resting:
            if is_resting:
                self._rest()
            else:
                self._is_resting = False
                announcement, self._announcement = self._announcement, None
                self.conversation.resume(announcement)
        near_pcm = self.conversation.tick(far_pcm, at_ms)
        return near_pcm if self._music is None else self._music.next()

    def _rest(self) -> None:
        self._is_resting = True
        self.conversation.pause()

    def _act(self, request: ToolRequest) -> None:
        """The agent's words have been played: do what it asked for after them."""
        self._asked = request
        self._note("tool.started", name=request.name, arguments=request.arguments[:MAX_NOTED])
        try:
            if request.name == builtin_tools.LEAVE_VOICEMAIL:
                self.conversation.leave_message(builtin_tools.read_message(builtin_tools.read_arguments(request)))
                return
            self._commands.put_nowait(builtin_tools.to_command(self._claimed.agent, self._claimed.call, request))
        except ValueError as error:
            self._log.warning("tool not carried out", tool=request.name)
            self._settle(ToolResult(str(error), is_error=True))

    # --- wishes ------------------------------------------------------------------------------------------------------

    async def _obey(self) -> Ending:
        """Carry out one command after the other; returns when one of them ends the call."""
        while True:
            if (ending := await self._carry_out(await self._commands.get())) is not None:
                return ending

    async def _carry_out(self, command: CallCommand) -> Ending | None:
        match command.kind:
            case "hold" | "resume":
                await self._hold(command.kind == "hold")
            case "send_digits":
                await self._send_digits(str(command.arguments["digits"]))
            case "transfer":
                return await self._transfer(Transfer(**cast("dict[str, Any]", dict(command.arguments))))
        return None

    async def _hold(self, is_held: bool) -> None:
        self._music = HoldMusic(self.leg.media.sample_rate_hz) if is_held else None
        await self._tell_hold(is_held)

    async def _tell_hold(self, is_held: bool) -> None:
        try:
            await self.leg.hold(is_held)
        except (ReofferFailed, ValueError) as error:  # it hears the music all the same
            self._log.info("far end takes no hold", error=str(error))

    async def _send_digits(self, digits: str) -> None:
        media = self.leg.media
        for part in re.split("[W,]", digits):
            try:
                media.send_digits(part)
            except ValueError as error:
                self._log.warning("digits not sent", error=str(error))
                return
            while media.is_sending_digits:  # noqa: ASYNC110 - the media clock signals nobody
                await asyncio.sleep(_DIGIT_CHECK_S)
            await asyncio.sleep(_DIGIT_PAUSE_S)

    async def _transfer(self, asked: Transfer) -> Ending | None:
        """Hand the far party over; None when it stays with the agent."""
        self._music = HoldMusic(self.leg.media.sample_rate_hz)
        self._rest()  # before the next tick, or what fails at once would never be told
        try:
            await self._tell_hold(False)  # or it could not talk with the other person
            route = transfer.find_route(self._services, self._claimed.call, self._trunk, asked.to)
            if asked.mode == "attended" or not await self._refer(route, asked):
                await self._join(route, asked)
            self._record.note_transfer(replace(asked, status="connected"))
            return TRANSFERRED
        except TransferFailed as failure:
            self._log.info("transfer failed", reason=str(failure))
            self._record.note_transfer(replace(asked, status="failed", reason=str(failure)))
            self._announcement = _TRANSFER_FAILED.format(reason=failure)
            self._settle(ToolResult(f"The transfer failed: {failure}.", is_error=True))
            return None
        finally:
            self._music = None

    def _settle(self, result: ToolResult) -> None:
        asked, self._asked = self._asked, None
        if asked is None:
            return
        self._note("tool.finished", name=asked.name, is_error=result.is_error, result=result.content)
        if isinstance(self.conversation, Conversation):
            self.conversation.settle(asked, result)

    def _note(self, kind: str, **details: object) -> None:
        self._record.note(kind, at_ms=self.leg.media.media_ms, details=details)

    async def _refer(self, route: Route, asked: Transfer) -> bool:
        """Whether the far end calls the other person itself; False when we have to."""
        way = self._trunk.transfer if self._trunk is not None else "auto"
        assert self.leg.call is not None
        if way == "bridge" or (way == "auto" and not self.leg.call.allows("REFER")):
            return False
        self._referring = asyncio.create_task(self.leg.call.refer(route.target, timeout_s=asked.timeout_ms / 1000))
        try:
            transfer.judge_refer(await asyncio.shield(self._referring))
            self._is_handed_over = True
        except ReferRefused:
            if way == "refer":
                raise
            return False
        finally:
            self._referring.cancel()
            await asyncio.gather(self._referring, return_exceptions=True)
            self._referring = None
        return True

    async def _join(self, route: Route, asked: Transfer) -> None:
        other = OtherPerson(self._services, self._claimed, self._record, stop=self._hang_up)
        try:
            self._record.note_transfer(replace(asked, status="ringing"))
            await other.reach(route, timeout_ms=asked.timeout_ms)
            if asked.mode == "attended":
                self._record.note_transfer(replace(asked, status="talking"))
                await other.ask(self._speech, asked.introduction or "I have a caller on the line for you.")
            self._is_handed_over = True
            await self.conversation.finish()
            self._record.note_transfer(replace(asked, status="connected"))
            limit_ms = self._claimed.call.settings.max_duration_ms or self._claimed.agent.max_duration_ms
            await other.join(self.leg.media, on_frames=self._record.record, limit_ms=limit_ms)
        finally:
            await other.close()

    async def _follow(self) -> None:
        """Go on with whom the far end names or is replaced by, whatever else goes on; never returns."""
        while True:
            wish = await self._successions.get()
            try:
                leg = await self._find_successor(wish)
                if leg is not None:
                    await self._go_on_with(leg)
            finally:
                self._successions.task_done()

    async def _find_successor(self, wish: Referred | IncomingCall) -> Leg | None:
        if isinstance(wish, IncomingCall):
            return await referral.accept(self._services, self.leg, wish, record=self._record)
        return await referral.follow(
            self._services, self._claimed.call, self._trunk, self.leg, wish, record=self._record, stop=self._hang_up
        )

    async def _go_on_with(self, leg: Leg) -> None:
        """The call has another peer now; the old dialog ends."""
        before, self.leg = self.leg, leg
        leg.take_over()
        assert before.call is not None
        await before.call.bye()
