"""`ringdown gateway`, or `python -m ringdown.gateway`: one gateway alone: SIP, RTP and the conversations."""

from ringdown import lifecycle
from ringdown.gateway import program


def main() -> None:
    """Run until asked to stop."""
    try:
        settings = lifecycle.load_settings()
    except lifecycle.CannotStart as error:
        lifecycle.fail(str(error))
    lifecycle.run_program(
        lambda stop, ready: program.serve(settings, asked=stop.asked, urgent=stop.urgent, ready=ready)
    )


if __name__ == "__main__":
    main()
