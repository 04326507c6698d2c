"""GAP9: target data, cost model, plan, program and emission."""
