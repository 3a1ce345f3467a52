"""PROGRAM: loads one sherpa-onnx model, described on standard input by `sherpa_trial`, and ends."""

import json
import sys

from ringdown.providers import sherpa_files, sherpa_loading
from ringdown.voice.ports import ProviderError


def main() -> None:
    """Load the model; the exit status tells whether that went well."""
    described = json.load(sys.stdin)
    files = dict(described["files"])
    model = sherpa_files.ModelFiles(files.pop("kind"), files)
    try:
        if described["part"] == "voice":
            sherpa_loading.make_voice(model, sherpa_loading.VoiceParameters(**described["parameters"]))
        else:
            sherpa_loading.make_recognizer(model, sherpa_loading.RecognizerParameters(**described["parameters"]))
    except ProviderError as error:
        sys.exit(str(error).rpartition(": the model cannot be loaded: ")[2])


if __name__ == "__main__":
    main()
