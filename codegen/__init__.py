"""Makes source files of the product from its OpenAPI document; `make client` runs it, a test compares."""
