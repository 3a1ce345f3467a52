"""Cartesia's HTTP API as far as voices need it: look up, clone, delete, speak."""

from dataclasses import dataclass, field
from typing import Any

from tests.fakes.elevenlabs_server import make_tone
from tests.fakes.vendor_server import Reply, Request, VendorServer

KEY = "cartesia-key"
_TIME = "2026-11-22T10:00:00Z"


@dataclass
class FakeCartesiaStudioServer(VendorServer):
    """The account with `KEY`; `voices` are languages by id."""

    voices: dict[str, str] = field(default_factory=lambda: {"ada-1": "de"})
    clones: list[bytes] = field(default_factory=list)
    spoken: list[dict[str, Any]] = field(default_factory=list)

    async def respond(self, request: Request) -> Reply:
        """The answer to a request."""
        if request.headers.get("authorization") != f"Bearer {KEY}" and request.headers.get("x-api-key") != KEY:
            return Reply(401, {"error": "unauthorized"})
        if request.path == "/tts/bytes":
            self.spoken.append(request.json)
            return Reply(200, make_tone(0.5), "application/octet-stream")
        if request.path == "/voices/clone":
            self.clones.append(request.body)
            made = f"clone-{len(self.clones)}"
            self.voices[made] = "en"
            return Reply(200, _show(made, "en"))
        identifier = request.path.rpartition("/")[2]
        if identifier not in self.voices:
            return Reply(404, {"error": "not found"})
        if request.method == "DELETE":
            del self.voices[identifier]
            return Reply(204)
        return Reply(200, _show(identifier, self.voices[identifier]))


def _show(identifier: str, language: str) -> dict[str, Any]:
    return {
        "id": identifier, "name": identifier, "description": "", "language": language, "access": "private",
        "is_owner": True, "created_at": _TIME, "visibility": "owner", "locales": [], "tagline": "",
    }  # fmt: skip
