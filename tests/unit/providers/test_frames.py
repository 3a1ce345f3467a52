"""Frames between a parent and its children."""

import asyncio
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringdown.providers import frames


@given(header=st.dictionaries(st.text(max_size=5), st.text(max_size=9), max_size=3), payload=st.binary(max_size=99))
def test_a_frame_comes_back_as_it_was(header: dict[str, str], payload: bytes) -> None:
    assert frames.read_blocking(io.BytesIO(frames.serialize(header, payload))) == (header, payload)


@settings(max_examples=200)
@given(noise=st.binary(max_size=60))
def test_noise_is_the_end_or_a_value_error(noise: bytes) -> None:
    with pytest.raises((EOFError, ValueError)):
        while True:
            frames.read_blocking(io.BytesIO(noise))


async def test_a_stream_reads_frames_one_by_one() -> None:
    reader = asyncio.StreamReader()
    reader.feed_data(frames.serialize({"id": 1}, b"abc") + frames.serialize({"id": 2}))
    reader.feed_eof()
    assert [await frames.read(reader), await frames.read(reader)] == [({"id": 1}, b"abc"), ({"id": 2}, b"")]
    with pytest.raises(asyncio.IncompleteReadError):
        await frames.read(reader)
