"""LIBRARY: hears, decides, speaks; knows no SIP and no database."""
