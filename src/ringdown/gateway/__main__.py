"""`ringdown gateway`, or `python -m ringdown.gateway`: one gateway alone: SIP, RTP and the conversations."""

from ringdown import lifecycle
from ringdown.gateway import program

if __name__ == "__main__":
    lifecycle.run_with_settings(
        lambda settings, stop, ready: program.serve(settings, asked=stop.asked, urgent=stop.urgent, ready=ready)
    )
