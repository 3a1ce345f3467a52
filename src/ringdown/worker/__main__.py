"""`ringdown worker`, or `python -m ringdown.worker`: due work that belongs to no live call."""

from ringdown import lifecycle
from ringdown.worker import program

if __name__ == "__main__":
    lifecycle.run_with_settings(lambda settings, stop, ready: program.serve(settings, asked=stop.asked, ready=ready))
