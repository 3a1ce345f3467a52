"""LIBRARY: Sans-I/O SIP; one file has sockets."""
