"""Knowledge bases: documents an agent can search during a call."""
