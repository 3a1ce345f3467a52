"""The Replaces header (RFC 3891): names a dialog that a new call takes over; knows no call."""

from dataclasses import dataclass
from typing import Self

from ringdown.sip.address import parse_params


@dataclass(frozen=True, slots=True)
class Replaces:
    """A dialog as its receiver knows it: `to_tag` is the receiver's own tag."""

    call_id: str
    to_tag: str
    from_tag: str
    is_early_only: bool = False

    @classmethod
    def parse(cls, value: str) -> Self:
        """Parse a header value; raises `ValueError`."""
        call_id, _, params_text = value.partition(";")
        params = parse_params(params_text)
        to_tag, from_tag = params.get("to-tag"), params.get("from-tag")
        if not call_id.strip() or not to_tag or not from_tag:
            raise ValueError("malformed Replaces")
        return cls(call_id.strip(), to_tag, from_tag, "early-only" in params)

    def serialize(self) -> str:
        """The header value."""
        suffix = ";early-only" if self.is_early_only else ""
        return f"{self.call_id};to-tag={self.to_tag};from-tag={self.from_tag}{suffix}"
