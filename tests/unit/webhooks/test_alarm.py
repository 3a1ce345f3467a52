"""An operator is told of parked deliveries once per endpoint and burst."""

from structlog.testing import capture_logs

from ringdown.webhooks.alarm import QUIET_MS, ParkingAlarm


def test_a_burst_is_told_once_and_the_next_one_again() -> None:
    alarm, ours, theirs = ParkingAlarm(), ("org_1", "whe_1"), ("org_2", "whe_2")
    with capture_logs() as lines:
        for now_ms in (0, QUIET_MS - 1, 2 * QUIET_MS - 2):
            alarm.tell(ours, count=3, reason="No.", now_ms=now_ms)
        alarm.tell(theirs, count=1, reason=None, now_ms=QUIET_MS)
        alarm.tell(ours, count=2, reason="Gone.", now_ms=3 * QUIET_MS - 2)
    assert [(line["log_level"], line["endpoint_id"], line["count"], line["reason"]) for line in lines] == [
        ("error", "whe_1", 3, "No."),
        ("error", "whe_2", 1, None),
        ("error", "whe_1", 2, "Gone."),
    ]
    assert {line["event"] for line in lines} == {"webhook deliveries parked"}
