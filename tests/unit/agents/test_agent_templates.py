"""The templates: each runs as a flow from its start to its end."""

import pytest

from ringdown.agents.templates import TEMPLATES
from ringdown.voice.brain import Heard
from ringdown.voice.flow import Flow
from ringdown.voice.flow_brain import FlowBrain
from ringdown.voice.sentences import find_variables

VARIABLES = {
    "first_name": "Ana", "company": "Acme", "appointment": "tomorrow at ten", "product": "telephones",
    "opening_hours": "from nine to five", "amount": "twenty dollars", "due_date": "last Monday",
}  # fmt: skip


def walk(template_id: str, *answers: str) -> FlowBrain:
    """What is left of a template's flow after these answers."""
    brain = FlowBrain(flow=Flow.parse(TEMPLATES[template_id].flow), variables=VARIABLES)
    brain.open(None, None).commit()
    for answer in answers:
        brain.consider(Heard(answer, duration_ms=7000)).commit()
    return brain


@pytest.mark.parametrize(
    ("template_id", "answers", "summary", "outcome"),
    [
        ("tpl_appointment_reminder", ("yes", "yes"), "Coming to the appointment: yes.", "interested"),
        ("tpl_appointment_reminder", ("no", "yes", "next monday", "yes"),
         "Coming to the appointment: no. A better day: monday.", "not_interested"),
        ("tpl_survey", ("yes", "it was great", "no", "your coffee is cold"),
         "Rating: great. Would recommend: no. Left a comment of 7 seconds.", "contacted"),
        ("tpl_survey", ("no",), None, "not_interested"),
        ("tpl_lead_qualification", ("yes", "yes", "this month", "twelve", "yes", "tomorrow"),
         "Interested: yes. Begins: now. For 12 people. Call back: tomorrow.", "interested"),
        ("tpl_receptionist", ("opening hours", "yes", "call me"),
         "The caller wanted: hours. Left a message of 7 seconds.", "contacted"),
        ("tpl_payment_reminder", ("yes", "no", "yes", "may third", "yes"),
         "Right person: yes. Paid already: no. Will pay on may 3.", "contacted"),
        ("tpl_payment_reminder", ("no",), "Right person: no.", "failed"),
    ],
)  # fmt: skip
def test_a_template_leads_to_its_end(
    template_id: str, answers: tuple[str, ...], summary: str | None, outcome: str
) -> None:
    brain = walk(template_id, *answers)
    report = brain.report()
    assert (report.summary, report.outcome) == (summary, outcome)
    assert brain.listening().answer_timeout_ms is None  # nothing is asked any more


@pytest.mark.parametrize("template_id", list(TEMPLATES))
def test_a_templates_description_names_its_variables(template_id: str) -> None:
    template = TEMPLATES[template_id]
    flow = Flow.parse(template.flow)
    texts = [template.system_prompt, *(node.say for node in flow.nodes.values())]
    slots = {slot for node in flow.nodes.values() for slot in node.slots}
    used = {name for text in texts for name in find_variables(text)} - slots
    assert used == {name for name in VARIABLES if name in template.description}
