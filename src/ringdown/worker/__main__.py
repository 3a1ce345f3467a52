"""`ringdown worker`, or `python -m ringdown.worker`: due work that belongs to no live call."""

from ringdown import lifecycle
from ringdown.worker import program


def main() -> None:
    """Run until asked to stop."""
    try:
        settings = lifecycle.load_settings()
    except lifecycle.CannotStart as error:
        lifecycle.fail(str(error))
    lifecycle.run_program(lambda stop, ready: program.serve(settings, asked=stop.asked, ready=ready))


if __name__ == "__main__":
    main()
