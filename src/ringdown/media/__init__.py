"""LIBRARY: RTP, jitter, codecs, DTMF, recording."""
