"""Generated from the OpenAPI document by `make generate`; not edited by hand."""
