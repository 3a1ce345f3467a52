"""ElevenLabs' API as far as voices need it: look up, clone, delete, speak."""

import math
import struct
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.vendor_server import Reply, Request, VendorServer

KEY = "eleven-key"
RATE_HZ, TONE_HZ = 24_000, 440


def make_tone(seconds: float) -> bytes:
    """What every text sounds like: a tone of 440 Hz at 24 kHz."""
    step = 2 * math.pi * TONE_HZ / RATE_HZ
    return b"".join(struct.pack("<h", int(12_000 * math.sin(step * n))) for n in range(int(seconds * RATE_HZ)))


@dataclass
class FakeElevenLabsServer(VendorServer):
    """The account with `KEY`; `voices` by id hold what `GET /v1/voices/{id}` says."""

    voices: dict[str, dict[str, Any]] = field(
        default_factory=lambda: {"rachel": {"category": "premade", "labels": {"language": "en"}}}
    )
    clones: list[bytes] = field(default_factory=list)
    spoken: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    clone_state: dict[str, Any] = field(default_factory=lambda: {"category": "cloned"})

    async def respond(self, request: Request) -> Reply:
        """The answer to a request."""
        if request.headers.get("xi-api-key") != KEY:
            return Reply(401, {"detail": {"status": "invalid_api_key", "message": "Invalid API key"}})
        identifier = request.path.rpartition("/")[2]
        if (request.method, request.path) == ("POST", "/v1/voices/add"):
            self.clones.append(request.body)
            made = f"clone{len(self.clones)}"
            self.voices[made] = self.clone_state
            return Reply(200, {"voice_id": made, "requires_verification": False})
        if request.path.startswith("/v1/text-to-speech/"):
            voice = request.path.split("/")[3]
            if voice not in self.voices:
                return Reply(404, {"detail": {"status": "voice_not_found"}})
            self.spoken.append((voice, {**request.json, **request.query}))
            return Reply(200, make_tone(0.5), "application/octet-stream")
        if identifier not in self.voices:
            return Reply(404, {"detail": {"status": "voice_not_found", "message": "no such voice"}})
        if request.method == "DELETE":
            del self.voices[identifier]
            return Reply(200, {"status": "ok"})
        return Reply(200, {"voice_id": identifier, "name": identifier, **self.voices[identifier]})
