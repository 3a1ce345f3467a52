"""The JSON of flows as a request may write it: which fields there are; whether a flow can run is in `flow_check`."""

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema

from ringdown.agents.models import OUTCOMES
from ringdown.voice.flow_nodes import NodeEnd, TransferMode
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


class NodeToolBody(_FlowPart):
    """The tool that a node uses."""

    name: str = Field(description="What a model calls the tool.")
    arguments: dict[str, Any] | None = Field(None, description="Texts in it are templates.")
    result: str | dict[str, str] | None = Field(
        None, description="The slot of the whole result, or slots and places in a JSON result (`order.status`)."
    )


class KeywordBody(_FlowPart):
    """What may be said, or pressed, at any question."""

    phrases: list[str]
    key: str | None = None
    next: str | None = Field(None, description="The node; without one the question is asked again.")


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
    on_failure: str | None = Field(None, description="The node after too many reprompts, or when a tool fails.")
    end: NodeEnd | None = None
    transfer_to: str | None = Field(None, description="Of `transfer`: a phone number, or a name of the agent's.")
    mode: TransferMode | None = None
    tool: NodeToolBody | None = None
    by: str | None = Field(None, description="The slot whose value chooses the `next` node.")
    send_digits: str | None = Field(None, description="Keys that are sent after the words.")


class FlowBody(_FlowPart):
    """What the built-in brain says and asks, node by node."""

    start: str = Field(description="The first node.")
    nodes: dict[str, NodeBody]
    summary: str | None = Field(None, description="A template over the slots.")
    outcome: Annotated[Any, WithJsonSchema({"anyOf": [_OUTCOME, _OUTCOMES_BY_SLOT, {"type": "null"}]})] = Field(
        None, description="What the call has achieved, or that by slot and value."
    )
    keywords: dict[str, KeywordBody] | None = Field(None, description="What may be said at any question.")


def _to_document(flow: FlowBody) -> dict[str, Any]:
    return flow.model_dump(exclude_unset=True)


#: A flow as it was sent: a plain object once read.
FlowDocument = Annotated[FlowBody, AfterValidator(_to_document)]
