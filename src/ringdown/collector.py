"""Has Python's garbage collector disturb live calls and requests less; knows no program."""

import gc

# Calls make few cycles and many objects that live for minutes, such as timers and dialogs: by default each 700 of them
# are gone through at once, and all of them again and again. That was 8 % of the cost of a call's set-up. A list of
# calls is hundreds of dictionaries that are gone with its answer.
_THRESHOLDS = 50_000, 20, 50


def settle() -> None:
    """To be called once by a program that has started: what exists now is there to stay."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
