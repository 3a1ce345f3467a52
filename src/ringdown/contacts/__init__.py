"""People to call: contacts, their folders, imports, exports and the do-not-call list."""
