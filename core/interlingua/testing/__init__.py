"""The conformance kit: nets, and checks that any plugin, ours or a stranger's, runs."""
