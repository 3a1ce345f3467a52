"""How a command becomes a program of its own."""

import os
import sys
from collections.abc import Sequence


def become(program: str, arguments: Sequence[str]) -> None:
    """Let this process be another program: it needs none of what the command line has loaded."""
    os.execv(sys.executable, [sys.executable, "-m", f"ringdown.{program}", *arguments])
