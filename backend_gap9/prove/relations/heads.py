"""Where a call that makes heads of channels is: heads lie one behind the other, each with all rows."""

from __future__ import annotations

from tmc.backend_gap9.prove.claims import CheckedCall
from tmc.backend_gap9.prove.relations.wanted import within


def row_and_channel_of_heads(call: CheckedCall, rows_total: int, width: int) -> tuple[int, int]:
    """Return the first row and the first channel that a call makes, of heads of a width.

    Raises: ValueError for more than the rows of a head, or the whole of some.
    """
    y, rows, channels = call.claim("y"), call.arguments["rows"], call.arguments["channels"]
    if channels == width:
        head, row = within(y.row, rows, rows_total, "rows")
        return row, head * width
    if rows != rows_total or y.row % rows_total or channels % width:
        raise ValueError(
            f"found {channels} channels of {rows} rows, allowed {width}, or whole heads with all rows"
        )
    return 0, y.row // rows_total * width
