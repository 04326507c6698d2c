"""What no plan can hold, whatever it chooses: said of shapes alone, before there are numbers or tiles."""

from __future__ import annotations

from tmc.backend_gap9.plan.planning import check_live_bytes, place_in_l3
from tmc.backend_gap9.plan.tiling import check_smallest_tiles
from tmc.backend_gap9.stages.cut_linears import cut_linears
from tmc.backend_gap9.stages.offload import offload
from tmc.backend_gap9.stages.stage_graph import stage_graph
from tmc.backend_gap9.target.target import Target
from tmc.ir.graph import Graph


def check_fits(graph: Graph, target: Target) -> None:
    """Refuse an integer graph that no kernel takes, or that no plan fits into L1, L3 and L2.

    These are checks that `make_plan` makes on its way too, in its order, without the search for tiles: what
    passes here may still not fit.
    Raises: PlanError, naming ONNX nodes, tensors and bytes.
    """
    staged = stage_graph(offload(cut_linears(graph, target), target), target)
    for stage in staged.stages:
        check_smallest_tiles(staged, stage, target)
    place_in_l3(staged, target)
    check_live_bytes(staged, target)
