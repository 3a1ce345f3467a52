"""PROGRAM: calls; joins sip, media and voice with the product."""
