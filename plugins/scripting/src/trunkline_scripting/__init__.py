"""Scripts: beside calls, and as services; always in a process of their own, within limits."""
