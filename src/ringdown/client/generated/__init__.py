"""Generated from the OpenAPI document by `make client`; not edited by hand."""
