"""A Trunkline gateway on real data, set up by one command: `trunkline demo`."""
