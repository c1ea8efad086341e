"""How long a run takes and what it costs: parts, a simulation of the DAG, estimates and plans."""
