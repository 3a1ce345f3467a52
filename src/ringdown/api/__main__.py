"""`ringdown api`, or `python -m ringdown.api`: the public API alone."""

import uvloop

from ringdown import lifecycle
from ringdown.api import server as program

if __name__ == "__main__":
    lifecycle.run_with_settings(
        lambda settings, stop, ready: program.serve(settings, asked=stop.asked, ready=ready),
        loop_factory=uvloop.new_event_loop,
    )
