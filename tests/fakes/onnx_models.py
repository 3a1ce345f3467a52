"""Tiny speech models with random weights, written as real ONNX files that sherpa-onnx loads: protobuf by hand."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy
from numpy.typing import NDArray

FLOAT, INT64 = 1, 7
_OPSET, _IR_VERSION = 13, 8
_INTS = 7

FEATURES = 80
VOCABULARY = ["<blk>", "<sos/eos>", "<unk>", "▁yes", "▁no", "▁please", "▁call", "▁me", "▁back", "▁now"]


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def _number(field_number: int, value: int) -> bytes:
    return _varint(field_number << 3) + _varint(value & 0xFFFFFFFFFFFFFFFF)


def _bytes(field_number: int, value: bytes | str) -> bytes:
    encoded = value.encode() if isinstance(value, str) else value
    return _varint(field_number << 3 | 2) + _varint(len(encoded)) + encoded


@dataclass
class Graph:
    """A graph in the making; tensors are known by name. `None` in a shape is a dimension of any length."""

    metadata: Mapping[str, object]
    _nodes: list[bytes] = field(default_factory=list)
    _weights: list[bytes] = field(default_factory=list)
    _inputs: list[bytes] = field(default_factory=list)
    _outputs: list[bytes] = field(default_factory=list)

    def input(self, name: str, kind: int, shape: Sequence[int | None]) -> str:
        """Declare an input."""
        self._inputs.append(_bytes(11, _describe(name, kind, shape)))
        return name

    def output(self, name: str, kind: int, shape: Sequence[int | None]) -> None:
        """Declare an output."""
        self._outputs.append(_bytes(12, _describe(name, kind, shape)))

    def weight(self, name: str, values: NDArray[numpy.float32] | Sequence[int]) -> str:
        """Add a constant: floats, or 64-bit integers."""
        array = numpy.asarray(values)
        kind, array = (FLOAT, array.astype("<f4")) if array.dtype.kind == "f" else (INT64, array.astype("<i8"))
        dims = b"".join(_number(1, size) for size in array.shape)
        tensor = dims + _number(2, kind) + _bytes(8, name) + _bytes(9, array.tobytes())
        self._weights.append(_bytes(5, tensor))
        return name

    def node(self, operation: str, inputs: Sequence[str], output: str, **lists: Sequence[int] | int) -> str:
        """Add an operation; its attributes are integers or lists of them."""
        encoded = b"".join(_bytes(1, name) for name in inputs) + _bytes(2, output) + _bytes(4, operation)
        for name, value in lists.items():
            if isinstance(value, int):
                attribute = _bytes(1, name) + _number(3, value) + _number(20, 2)
            else:
                attribute = _bytes(1, name) + b"".join(_number(8, entry) for entry in value) + _number(20, _INTS)
            encoded += _bytes(5, attribute)
        self._nodes.append(_bytes(1, encoded))
        return output

    def write(self, path: Path) -> None:
        """Write the model."""
        graph = b"".join((*self._nodes, _bytes(2, "tiny"), *self._weights, *self._inputs, *self._outputs))
        model = _number(1, _IR_VERSION) + _bytes(7, graph) + _bytes(8, _bytes(1, "") + _number(2, _OPSET))
        for key, value in self.metadata.items():
            model += _bytes(14, _bytes(1, key) + _bytes(2, str(value)))
        path.write_bytes(model)


def _describe(name: str, kind: int, shape: Sequence[int | None]) -> bytes:
    sizes = b"".join(_bytes(1, _bytes(2, "N") if size is None else _number(1, size)) for size in shape)
    return _bytes(1, name) + _bytes(2, _bytes(1, _number(1, kind) + _bytes(2, sizes)))


def _random(*shape: int, seed: int = 7) -> NDArray[numpy.float32]:
    weights: NDArray[numpy.float32] = numpy.random.default_rng(seed).normal(0, 1, shape).astype(numpy.float32)
    return weights


def _write_tokens(folder: Path, tokens: Sequence[str]) -> None:
    lines = "".join(f"{token} {number}\n" for number, token in enumerate(tokens))
    (folder / "tokens.txt").write_text(lines, encoding="utf-8")


def write_online_transducer(folder: Path) -> None:
    """A streaming LSTM transducer: what it writes depends on the sound."""
    folder.mkdir(parents=True, exist_ok=True)
    size, words, chunk = 16, len(VOCABULARY), 8
    metadata = {"model_type": "lstm", "num_encoder_layers": 1, "T": chunk + 1, "decode_chunk_len": chunk}
    encoder = Graph({**metadata, "rnn_hidden_size": 4, "d_model": 4})
    encoder.input("x", FLOAT, [None, chunk + 1, FEATURES])
    for state in ("h", "c"):
        encoder.input(state, FLOAT, [1, None, 4])
    # Each fourth frame of 10 ms, as sherpa counts time.
    bounds = [encoder.weight(name, [value]) for name, value in (("from", 0), ("to", chunk), ("axis", 1), ("step", 4))]
    encoder.node("Slice", ["x", *bounds], "frames")
    encoder.node("MatMul", ["frames", encoder.weight("w", _random(FEATURES, size))], "encoder_out")
    encoder.output("encoder_out", FLOAT, [None, chunk // 4, size])
    for state in ("h", "c"):
        encoder.node("Identity", [state], f"next_{state}")
        encoder.output(f"next_{state}", FLOAT, [1, None, 4])
    encoder.write(folder / "encoder.onnx")
    decoder = Graph({"vocab_size": words, "context_size": 2})
    decoder.input("y", INT64, [None, 2])
    decoder.node("Gather", [decoder.weight("embedding", _random(words, size)), "y"], "embedded")
    decoder.node("ReduceMean", ["embedded"], "decoder_out", axes=[1], keepdims=0)
    decoder.output("decoder_out", FLOAT, [None, size])
    decoder.write(folder / "decoder.onnx")
    joiner = Graph({"joiner_dim": size})
    joiner.input("encoder_out", FLOAT, [None, size])
    joiner.input("decoder_out", FLOAT, [None, size])
    joiner.node("Add", ["encoder_out", "decoder_out"], "sum")
    joiner.node("MatMul", ["sum", joiner.weight("w", _random(size, words, seed=8))], "logit")
    joiner.output("logit", FLOAT, [None, words])
    joiner.write(folder / "joiner.onnx")
    _write_tokens(folder, VOCABULARY)


def write_offline_ctc(folder: Path) -> None:
    """A recognizer of whole utterances, as NeMo exports them."""
    folder.mkdir(parents=True, exist_ok=True)
    tokens = [*VOCABULARY[2:], "<blk>"]
    metadata = {"model_type": "EncDecCTCModelBPE", "vocab_size": len(tokens) - 1, "subsampling_factor": 1}
    graph = Graph({**metadata, "normalize_type": "per_feature", "comment": "tiny", "is_giga_am": 0})
    graph.input("audio_signal", FLOAT, [None, FEATURES, None])
    graph.input("length", INT64, [None])
    graph.node("Transpose", ["audio_signal"], "frames", perm=[0, 2, 1])
    graph.node("MatMul", ["frames", graph.weight("w", _random(FEATURES, len(tokens)))], "scores")
    graph.node("LogSoftmax", ["scores"], "logprobs", axis=2)
    graph.output("logprobs", FLOAT, [None, None, len(tokens)])
    graph.write(folder / "model.onnx")
    _write_tokens(folder, tokens)


def write_vits(folder: Path, *, sample_rate_hz: int = 16000, samples_per_token: int = 400) -> None:
    """A voice with a lexicon: each token is a piece of noise."""
    folder.mkdir(parents=True, exist_ok=True)
    tokens = ["_", *"abcdefghijklmnopqrstuvwxyz", " ", ",", ".", "!", "?"]
    metadata = {"model_type": "vits", "comment": "vits", "language": "English", "add_blank": 0, "n_speakers": 2}
    graph = Graph({**metadata, "sample_rate": sample_rate_hz, "punctuation": ", . ! ?", "speaker_id": 0})
    graph.input("x", INT64, [None, None])
    graph.input("x_length", INT64, [None])
    for name in ("noise_scale", "length_scale", "noise_scale_w"):
        graph.input(name, FLOAT, [1])
    graph.input("sid", INT64, [1])
    sounds = numpy.clip(_random(len(tokens), samples_per_token) * 0.2, -1, 1).astype(numpy.float32)
    graph.node("Gather", [graph.weight("sounds", sounds), "x"], "pieces")
    graph.node("Reshape", ["pieces", graph.weight("shape", [1, 1, -1])], "y")
    graph.output("y", FLOAT, [None, 1, None])
    graph.write(folder / "model.onnx")
    _write_tokens(folder, tokens)
    words = ("hello", "there", "yes", "no", "goodbye", "one", "two", "three", "four")
    lexicon = "".join(f"{word} {' '.join(word)}\n" for word in words)
    (folder / "lexicon.txt").write_text(lexicon, encoding="utf-8")
