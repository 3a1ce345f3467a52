"""Tries a sherpa-onnx model in another process: sherpa ends the one that loads a model it does not understand."""

import json
import re
import subprocess
import sys
from collections.abc import Mapping

from ringdown.voice.ports import ProviderError

PROVIDER = "sherpa"
_TIMEOUT_S = 300.0
# Where in its source sherpa complains.
_PLACE = re.compile(r"^\S+:\S+:\d+ ")


def try_loading(part: str, files: Mapping[str, str], parameters: Mapping[str, object]) -> None:
    """Load a model in a process of its own, `part` being `recognizer` or `voice` and the rest as in `sherpa_loading`.

    Blocks for seconds. Raises `ProviderError` when that process does not survive it.
    """
    described = json.dumps({"part": part, "files": dict(files), "parameters": dict(parameters)})
    command = [sys.executable, "-m", "ringdown.providers.sherpa_process"]
    try:
        trial = subprocess.run(command, input=described.encode(), capture_output=True, timeout=_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise ProviderError(PROVIDER, "the model takes too long to load", retryable=False) from error
    if trial.returncode:
        lines = trial.stderr.decode(errors="replace").strip().splitlines()
        reason = _PLACE.sub("", lines[-1]) if lines else f"status {trial.returncode}"
        raise ProviderError(PROVIDER, f"the model cannot be loaded: {reason}", retryable=False)
