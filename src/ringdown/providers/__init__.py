"""Speech and language-model adapters behind the ports of `voice`."""
