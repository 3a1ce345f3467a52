"""`ringdown api`, or `python -m ringdown.api`: the public API alone."""

from ringdown import lifecycle
from ringdown.api import server as program


def main() -> None:
    """Run until asked to stop."""
    try:
        settings = lifecycle.load_settings()
    except lifecycle.CannotStart as error:
        lifecycle.fail(str(error))
    lifecycle.run_program(lambda stop, ready: program.serve(settings, asked=stop.asked, ready=ready))


if __name__ == "__main__":
    main()
