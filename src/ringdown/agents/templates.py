"""Agents to begin with: each a prompt for a model and a flow that runs with and without one; pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_YES_NO = {"kind": "yes_no"}
_BYE = {"say": "Thank you for your time. Goodbye.", "end": "hang_up"}
_RATINGS = {
    "great": ["great", "very good", "excellent"],
    "fine": ["fine", "good", "okay"],
    "poor": ["poor", "bad", "not good"],
}


@dataclass(frozen=True, slots=True)
class AgentTemplate:
    """What an agent can be made from; `greeting` None: the flow says it."""

    id: str
    name: str
    description: str
    category: str
    system_prompt: str
    flow: Mapping[str, Any]
    greeting: str | None = None


_APPOINTMENT_REMINDER = AgentTemplate(
    id="tpl_appointment_reminder",
    name="Appointment reminder",
    description="Reminds of an appointment, asks whether the person comes, and for a better day if not. Variables: "
    "first_name, company, appointment.",
    category="Administrative",
    system_prompt="You call for {{company}} to remind {{first_name}} of an appointment {{appointment}}. Be brief and "
    "friendly. You cannot book another time yourself: note the day that suits, and say that somebody will call back.",
    flow={
        "start": "remind",
        "nodes": {
            "remind": {
                "say": "Hello {{first_name}}, this is {{company}} with a reminder of your appointment {{appointment}}. "
                "Will you come?",
                "listen": _YES_NO,
                "slot": "coming",
                "confirm": "I heard {{coming}}. Is that right?",
                "reprompt": "Will you come to your appointment? Please say yes or no, or press one for yes and two "
                "for no.",
                "next": {"yes": "thanks", "no": "other_day"},
                "on_failure": "later",
            },
            "other_day": {
                "say": "Thank you for telling us. Which day would suit you better?",
                "listen": {"kind": "date"},
                "slot": "better_day",
                "confirm": "I heard {{better_day}}. Is that right?",
                "next": "call_back",
                "on_failure": "call_back",
            },
            "call_back": {"say": "We will call you back to find another time. Goodbye.", "end": "hang_up"},
            "thanks": {"say": "Thank you, we look forward to seeing you. Goodbye.", "end": "hang_up"},
            "later": {"say": "We will try again another time. Goodbye.", "end": "hang_up"},
        },
        "keywords": {"repeat": {"phrases": ["repeat", "say that again"], "key": "9"}},
        "summary": "Coming to the appointment: {{coming}}. A better day: {{better_day}}.",
        "outcome": {"coming": {"yes": "interested", "no": "not_interested"}},
    },
)

_SURVEY = AgentTemplate(
    id="tpl_survey",
    name="Survey",
    description="Asks how somebody liked a service, whether they would recommend it, and for a comment. Variables: "
    "first_name, company.",
    category="Research",
    system_prompt="You ask {{first_name}} for {{company}} three short questions about their last visit. Never argue "
    "with an answer, never sell anything, and thank the person at the end.",
    flow={
        "start": "consent",
        "nodes": {
            "consent": {
                "say": "Hello {{first_name}}, this is {{company}}. May I ask you three short questions?",
                "listen": _YES_NO,
                "slot": "takes_part",
                "next": {"yes": "rating", "no": "bye"},
                "on_failure": "bye",
            },
            "rating": {
                "say": "How was your last visit: great, fine, or poor?",
                "listen": {"kind": "choice", "options": _RATINGS},
                "slot": "rating",
                "keypad": {"1": "great", "2": "fine", "3": "poor"},
                "reprompt": "Was it great, fine, or poor? You can also press one for great, two for fine, or three for "
                "poor.",
                "next": "recommend",
                "on_failure": "recommend",
            },
            "recommend": {
                "say": "Would you recommend us to a friend?",
                "listen": _YES_NO,
                "slot": "recommends",
                "next": "comment",
                "on_failure": "comment",
            },
            "comment": {
                "say": "Is there anything you would like to tell us? Please speak now, and stop when you are done.",
                "listen": {"kind": "message", "max_seconds": 90},
                "slot": "comment",
                "max_reprompts": 0,
                "next": "bye",
                "on_failure": "bye",
            },
            "bye": _BYE,
        },
        "summary": "Rating: {{rating}}. Would recommend: {{recommends}}. Left a comment of {{comment}}.",
        "outcome": {"takes_part": {"yes": "contacted", "no": "not_interested"}},
    },
)

_LEAD_QUALIFICATION = AgentTemplate(
    id="tpl_lead_qualification",
    name="Lead qualification",
    description="Finds out whether somebody is interested, when they want to begin, for how many people, and when to "
    "call them back. Variables: first_name, company, product.",
    category="Sales",
    system_prompt="You call {{first_name}} for {{company}}, because they asked about {{product}}. Find out whether "
    "they are still interested and what they need. Answer questions briefly; leave prices and promises to a colleague.",
    flow={
        "start": "interest",
        "nodes": {
            "interest": {
                "say": "Hello {{first_name}}, this is {{company}}. You asked us about {{product}}. Are you still "
                "interested?",
                "listen": _YES_NO,
                "slot": "interested",
                "confirm": "I heard {{interested}}. Is that right?",
                "next": {"yes": "start", "no": "bye"},
                "on_failure": "bye",
            },
            "start": {
                "say": "Wonderful. Would you like to begin this month, or later?",
                "listen": {
                    "kind": "choice",
                    "options": {"now": ["this month", "now", "soon"], "later": ["later", "next year"]},
                },
                "slot": "begins",
                "keypad": {"1": "now", "2": "later"},
                "reprompt": "Please say this month, or later. You can also press one for this month, or two for later.",
                "next": "people",
                "on_failure": "people",
            },
            "people": {
                "say": "For how many people do you need it?",
                "listen": {"kind": "digits", "min": 1, "max": 5},
                "slot": "people",
                "confirm": "I heard {{people}}. Is that right?",
                "reprompt": "Please say the number of people, or enter it on your keypad.",
                "next": "call_back",
                "on_failure": "call_back",
            },
            "call_back": {
                "say": "A colleague will call you. Which day suits you best?",
                "listen": {"kind": "date"},
                "slot": "call_back_day",
                "next": "thanks",
                "on_failure": "thanks",
            },
            "thanks": {"say": "Thank you, you will hear from us. Goodbye.", "end": "hang_up"},
            "bye": _BYE,
        },
        "summary": "Interested: {{interested}}. Begins: {{begins}}. For {{people}} people. Call back: "
        "{{call_back_day}}.",
        "outcome": {"interested": {"yes": "interested", "no": "not_interested"}},
    },
)

_RECEPTIONIST = AgentTemplate(
    id="tpl_receptionist",
    name="Receptionist",
    description="Answers the phone, tells the opening hours, and takes messages. Variables: company, opening_hours, "
    "which are best written into the texts. To connect callers, add transfer_numbers and a node that transfers.",
    category="Customer service",
    system_prompt="You answer the phone of {{company}}. Be warm and brief. You can tell the opening hours "
    "({{opening_hours}}) and take messages. What you do not know, you offer to pass on.",
    flow={
        "start": "wish",
        "nodes": {
            "wish": {
                "say": "Hello, thank you for calling {{company}}. Would you like to hear our opening hours, or leave a "
                "message?",
                "listen": {
                    "kind": "choice",
                    "options": {"hours": ["opening hours", "hours", "when are you open"],
                                "message": ["message", "leave a message"]},
                },
                "slot": "wish",
                "keypad": {"1": "hours", "2": "message"},
                "reprompt": "Please say opening hours, or message. You can also press one for our opening hours, or "
                "two to leave a message.",
                "next": {"hours": "hours", "message": "message"},
                "on_failure": "message",
            },
            "hours": {
                "say": "We are open {{opening_hours}}. Is there anything you would like us to know?",
                "listen": _YES_NO,
                "slot": "has_message",
                "next": {"yes": "message", "no": "bye"},
                "on_failure": "bye",
            },
            "message": {
                "say": "Please leave your message with your name and number after this sentence, and stop speaking "
                "when you are done.",
                "end": "take_message",
            },
            "bye": {"say": "Thank you for calling. Goodbye.", "end": "hang_up"},
        },
        "keywords": {"repeat": {"phrases": ["repeat", "say that again"], "key": "9"}},
        "summary": "The caller wanted: {{wish}}. Left a message of {{message}}.",
        "outcome": "contacted",
    },
)  # fmt: skip

_PAYMENT_REMINDER = AgentTemplate(
    id="tpl_payment_reminder",
    name="Payment reminder",
    description="Makes sure to speak to the right person, reminds of an open invoice, and notes when it will be paid. "
    "Variables: first_name, company, amount, due_date.",
    category="Finance",
    system_prompt="You call {{first_name}} for {{company}} about an invoice of {{amount}} that was due {{due_date}}. "
    "Be polite and never threaten. Speak of the invoice only with {{first_name}}. Take no card or account numbers.",
    flow={
        "start": "person",
        "nodes": {
            "person": {
                "say": "Hello, this is {{company}}. Am I speaking to {{first_name}}?",
                "listen": _YES_NO,
                "slot": "is_person",
                "next": {"yes": "remind", "no": "wrong_person"},
                "on_failure": "wrong_person",
            },
            "remind": {
                "say": "Our invoice of {{amount}} was due {{due_date}}. Has it been paid?",
                "listen": _YES_NO,
                "slot": "is_paid",
                "confirm": "I heard {{is_paid}}. Is that right?",
                "next": {"yes": "paid", "no": "when"},
                "on_failure": "later",
            },
            "when": {
                "say": "On which day will you be able to pay it?",
                "listen": {"kind": "date"},
                "slot": "pays_on",
                "confirm": "I heard {{pays_on}}. Is that right?",
                "next": "noted",
                "on_failure": "later",
            },
            "noted": {"say": "Thank you, I have noted {{pays_on}}. Goodbye.", "end": "hang_up"},
            "paid": {"say": "Thank you, then please forget this call. Goodbye.", "end": "hang_up"},
            "wrong_person": {"say": "I am sorry to have disturbed you. Goodbye.", "end": "hang_up"},
            "later": {"say": "Thank you, we will write to you. Goodbye.", "end": "hang_up"},
        },
        "summary": "Right person: {{is_person}}. Paid already: {{is_paid}}. Will pay on {{pays_on}}.",
        "outcome": {"is_person": {"yes": "contacted", "no": "failed"}},
    },
)

TEMPLATES: Mapping[str, AgentTemplate] = {
    template.id: template
    for template in (_APPOINTMENT_REMINDER, _SURVEY, _LEAD_QUALIFICATION, _RECEPTIONIST, _PAYMENT_REMINDER)
}
