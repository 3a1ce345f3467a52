"""Knows the first frame of an MP3 file that tells players how much silence the encoder put before the sound."""

import struct

# LAME's own delay in samples; a decoder adds 529 of its own, which players know by themselves.
ENCODER_DELAY = 576
_SAMPLES_PER_FRAME = {8000: 576, 16000: 576}
_FLAG_FRAMES_AND_BYTES = 3
_TAG_OFFSET = 4 + 17  # after the header and the side information of a stereo frame of MPEG 2 and 2.5


def make_info_frame(first_frame: bytes, *, sample_rate_hz: int, samples: int | None, file_bytes: int | None) -> bytes:
    """A silent frame that holds the `Info` tag with LAME's extension, to stand before `first_frame` of the encoder.

    It has the header of `first_frame` (8 or 16 kHz stereo, constant bit rate), so its size too. `samples` is the length
    of the recording and `file_bytes` the size of the file with this frame; None while they are not known, which
    players take as "until the end". Raises `ValueError` for a frame that is too small.
    """
    size = frame_bytes(first_frame, sample_rate_hz=sample_rate_hz)
    padding = frame_count = 0
    if samples is not None:
        per_frame = _SAMPLES_PER_FRAME[sample_rate_hz]
        frame_count = -(-(samples + ENCODER_DELAY + 529) // per_frame)
        padding = frame_count * per_frame - samples - ENCODER_DELAY
    is_known = samples is not None and file_bytes is not None
    tag = b"Info" + struct.pack("!I", _FLAG_FRAMES_AND_BYTES if is_known else 0)
    if is_known:
        tag += struct.pack("!II", frame_count, file_bytes)
    tag += b"LAME3.100" + bytes(12) + (ENCODER_DELAY << 12 | padding).to_bytes(3) + bytes(12)
    frame = first_frame[:4] + bytes(_TAG_OFFSET - 4) + tag
    if len(frame) > size:
        raise ValueError(f"an MP3 frame of {size} bytes is too small for the Info tag")
    return frame + bytes(size - len(frame))


def frame_bytes(frame: bytes, *, sample_rate_hz: int) -> int:
    """The size of a layer III frame of MPEG 2 or 2.5 from its header. Raises `ValueError` for any other header."""
    if len(frame) < 4 or frame[0] != 0xFF or frame[1] & 0xE6 != 0xE2:
        raise ValueError("not a layer III frame")
    kbit_per_second = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 0)[frame[2] >> 4]
    return 72 * kbit_per_second * 1000 // sample_rate_hz + (frame[2] >> 1 & 1)
