"""The JSON of flows as a request may write it: which fields there are; whether a flow can run is in `flow_check`."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema

from ringdown.agents.models import OUTCOMES
from ringdown.voice.ports import ExpectationKind

_OUTCOME = {"type": "string", "enum": list(OUTCOMES)}
_OUTCOMES_BY_SLOT = {
    "type": "object",
    "additionalProperties": {"type": "object", "additionalProperties": _OUTCOME},
}


class _FlowPart(BaseModel):
    # Unknown fields are left for the flow's own check, which names what is known.
    model_config = ConfigDict(extra="allow", strict=True, json_schema_extra={"additionalProperties": False})


class ListenBody(_FlowPart):
    """What a node takes for an answer. `free` needs a language model."""

    kind: ExpectationKind
    options: dict[str, list[str]] | None = Field(None, description="Of a `choice`: the phrases of each answer.")
    min: int | None = Field(None, description="Of `digits`: the fewest.")
    max: int | None = Field(None, description="Of `digits`: the most.")
    max_seconds: int | None = Field(None, description="Of a `message`: the longest.")


class NodeBody(_FlowPart):
    """One step; texts are templates."""

    say: str | None = None
    listen: ListenBody | None = None
    slot: str | None = Field(None, description="Where the answer is kept.")
    confirm: str | None = Field(None, description="Asked about the answer before it counts.")
    keypad: dict[str, str] | None = Field(None, description="The answer of each key.")
    reprompt: str | None = None
    max_reprompts: int | None = None
    next: str | dict[str, str] | None = Field(None, description="A node, or the node of each answer (`*`: any other).")
    on_failure: str | None = Field(None, description="The node after too many reprompts.")
    end: Literal["hang_up"] | None = None


class FlowBody(_FlowPart):
    """What the built-in brain says and asks, node by node."""

    start: str = Field(description="The first node.")
    nodes: dict[str, NodeBody]
    summary: str | None = Field(None, description="A template over the slots.")
    outcome: Annotated[Any, WithJsonSchema({"anyOf": [_OUTCOME, _OUTCOMES_BY_SLOT, {"type": "null"}]})] = Field(
        None, description="What the call has achieved, or that by slot and value."
    )


def _to_document(flow: FlowBody) -> dict[str, Any]:
    return flow.model_dump(exclude_unset=True)


#: A flow as it was sent: a plain object once read.
FlowDocument = Annotated[FlowBody, AfterValidator(_to_document)]
