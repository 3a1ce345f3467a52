"""Observations for the tests of the diagnosis: a healthy trunk, to be changed."""

from ringdown.doctor.observation import Attempt, Audio, Contact, Login, Observations, Outcome
from ringdown.sip.destination import Destination
from ringdown.telephony.models import Trunk, TrunkHost

TRUNK = Trunk(
    organization_id="org_1",
    id="trunk_1",
    name="carrier",
    hosts=(TrunkHost("203.0.113.1", 5060),),
    created_at=0,
    updated_at=0,
    username="alice",
    password="secret",
    registers=True,
    codecs=("PCMU", "PCMA"),
)
HOP = Destination("udp", "203.0.113.1", 5060)
OK = Outcome(200, "OK")
RINGING = Outcome(180, "Ringing")
SILENCE = Outcome(None, fault="timed out")
AUDIO = Audio(
    own_host="192.0.2.2",
    observed_host="192.0.2.2",
    signalling_host="203.0.113.1",
    host="203.0.113.1",
    port=4000,
    is_sent_to_us=True,
    has_dtmf=True,
    packets_received=400,
    packets_unauthenticated=0,
    foreign_sources=(),
    reports_received=2,
    is_reported=True,
    clock_drift_ppm=20.0,
)
HEALTHY = Observations(
    trunk=TRUNK,
    own_host="0.0.0.0",
    contacts=(Contact(HOP, OK, 20.0),),
    login=Login(method="REGISTER", outcome=OK, is_challenged=True),
    call=Attempt(outcome=OK, encoding="PCMU"),
    second_call=RINGING,
    audio=AUDIO,
)
