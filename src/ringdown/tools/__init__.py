"""Functions that an agent may call during a call: HTTP requests and MCP servers that a customer names."""
