"""The flows that come with the product: the receptionist, and the sample agent's appointment reminder."""

from typing import Any

from ringdown.voice.flow import Flow

RECEPTIONIST_GREETING = "Hello, thank you for calling."


def receptionist(greeting_text: str | None) -> Flow:
    """What an agent without a flow does: greets, takes a message, confirms it by its length, thanks, hangs up."""
    greeting = greeting_text or RECEPTIONIST_GREETING
    return Flow.parse(
        {
            "start": "greet",
            "nodes": {
                "greet": {"say": greeting, "next": "take_message"},
                "take_message": {
                    "say": "Please leave your message now, and stop speaking when you are done.",
                    "listen": {"kind": "message", "max_seconds": 120},
                    "slot": "message",
                    "confirm": "I recorded a message of {{message}}. Shall I keep it?",
                    "reprompt": "Please leave your message now.",
                    "next": "thank",
                    "on_failure": "no_message",
                },
                "thank": {"say": "Thank you. I will pass your message on. Goodbye.", "end": "hang_up"},
                "no_message": {"say": "I have no message from you. Please call again. Goodbye.", "end": "hang_up"},
            },
            "summary": "The caller left a message of {{message}}.",
            "outcome": "contacted",
        }
    )


def sample_flow() -> dict[str, Any]:
    """The sample agent's flow as JSON: reminds of an appointment, asks whether and how many will come."""
    return {
        "start": "confirm",
        "nodes": {
            "confirm": {
                "say": "Hello {{first_name}}, this is Ringdown with a reminder of your appointment tomorrow at ten. "
                "Will you come?",
                "listen": {"kind": "yes_no"},
                "slot": "coming",
                "confirm": "I heard {{coming}}. Is that right?",
                "keypad": {"1": "yes", "2": "no"},
                "reprompt": "Please say yes or no, or press one for yes and two for no.",
                "max_reprompts": 2,
                "next": {"yes": "people", "no": "cancelled"},
                "on_failure": "bye",
            },
            "people": {
                "say": "How many people will come?",
                "listen": {"kind": "digits", "min": 1, "max": 2},
                "slot": "people",
                "confirm": "I heard {{people}}. Is that right?",
                "reprompt": "Please say the number of people, or enter it on your keypad.",
                "max_reprompts": 2,
                "next": "thanks",
                "on_failure": "bye",
            },
            "thanks": {"say": "Thank you. We look forward to seeing you. Goodbye.", "end": "hang_up"},
            "cancelled": {"say": "Thank you for telling us. Goodbye.", "end": "hang_up"},
            "bye": {"say": "We will try again another time. Goodbye.", "end": "hang_up"},
        },
        "summary": "Appointment confirmed: {{coming}}. People coming: {{people}}.",
        "outcome": {"coming": {"yes": "interested", "no": "not_interested"}},
    }
