"""Makes source files of the product from its OpenAPI document; `make generate` runs it, a test compares."""
