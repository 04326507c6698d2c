"""The passes that turn whatever an exporter wrote into the canonical float form."""

from __future__ import annotations

from functools import partial

from tmc.passes.canonical.drop_shared_rotation import drop_shared_rotation
from tmc.passes.canonical.fold_bias import fold_bias
from tmc.passes.canonical.fold_constants import fold_constants
from tmc.passes.canonical.fold_factors import fold_factors
from tmc.passes.canonical.fold_gather import fold_gather
from tmc.passes.canonical.fuse_attention import fuse_attention
from tmc.passes.canonical.fuse_function import fuse_function
from tmc.passes.canonical.fuse_gelu import fuse_gelu
from tmc.passes.canonical.fuse_interpolation import fuse_interpolation
from tmc.passes.canonical.fuse_layernorm import fuse_layernorm
from tmc.passes.canonical.fuse_pooling import fuse_pooling
from tmc.passes.canonical.fuse_reductions import fuse_reductions
from tmc.passes.canonical.fuse_rope import fuse_rope
from tmc.passes.canonical.fuse_silu import fuse_silu
from tmc.passes.canonical.gather_heads import gather_heads
from tmc.passes.canonical.hold_constants import hold_constants
from tmc.passes.canonical.lower_conv import lower_conv
from tmc.passes.canonical.lower_depthwise import lower_depthwise
from tmc.passes.canonical.lower_factors import lower_factors
from tmc.passes.canonical.lower_gather import lower_gather
from tmc.passes.canonical.lower_linear import lower_linear
from tmc.passes.canonical.lower_products import lower_products
from tmc.passes.canonical.lower_quotients import lower_quotients
from tmc.passes.canonical.name_values import name_values
from tmc.passes.canonical.order_ops import order_ops
from tmc.passes.canonical.pad_heads import pad_heads
from tmc.passes.canonical.pick_rows import pick_rows
from tmc.passes.canonical.relu_as_clip import relu_as_clip
from tmc.passes.canonical.repeat_operands import repeat_operands
from tmc.passes.canonical.require_canonical import require_canonical
from tmc.passes.canonical.scale_quotients import scale_quotients
from tmc.passes.canonical.sink_clips import sink_clips
from tmc.passes.canonical.sink_concats import sink_concats
from tmc.passes.canonical.sink_factors import sink_factors
from tmc.passes.canonical.sink_views import sink_views
from tmc.passes.pipeline import NamedPass, Pass, recogniser
from tmc.passes.scales.choose_forms import choose_forms
from tmc.passes.scales.split_biases import split_biases
from tmc.passes.scales.split_norms import split_norms

_RECOGNISE: tuple[Pass | NamedPass, ...] = (
    fold_constants,  # what follows tells constants from computed values
    recogniser(fuse_layernorm),  # before anything else takes its sums and products for its own
    recogniser(lower_linear),  # the sources at which the analysis of views ends
    recogniser(lower_depthwise),
    recogniser(lower_conv),  # after lower_depthwise, which computes less
    sink_concats,  # lets positions through to the linear behind the tokens beside a class token
    sink_clips,  # lets the sums behind clips through to their linears
    recogniser(fold_bias),  # so that a linear is the whole affine map
    recogniser(fuse_gelu),
    recogniser(fuse_silu),
    recogniser(fold_factors),  # activations are recognised with their factors, attention without
    fuse_pooling,  # before its scores, of one query, are looked for as a product
    recogniser(fuse_attention),  # gives q, k and v as views, token by token
    recogniser(drop_shared_rotation),  # before fuse_rope, which cannot express one that depends on the head
    recogniser(fuse_rope),
    recogniser(gather_heads),  # the plumbing of q, k and v becomes one gather of columns each
    scale_quotients,  # before its products are those of rows
    lower_products,  # what is no attention
    fuse_reductions,
    recogniser(fuse_interpolation),  # late: the sums inside rotations, seen in vain, are gone
    fuse_function,  # what is left of functions of one element, once all with names are recognised
    lower_quotients,  # what is no function of one element
    NamedPass("fuse_inverses", fuse_function),  # 1 over a root, as of a norm, is one function
    recogniser(sink_factors),  # what no op before it took in
    NamedPass("fold_lowered", fold_constants),  # what was made of constants on the way, as of learned queries
    sink_views,  # leaves reshapes and gathers only
    fold_gather,  # a linear for each of q, k and v
    hold_constants,  # what no weights took in
    lower_gather,  # what no linear took in
    pick_rows,  # once all moves of rows are gathers or permute_rows
    recogniser(lower_factors),  # on matrices; what no weights took in
    repeat_operands,  # behind pick_rows, which would pick what it repeats
    order_ops,
    name_values,
)
CANONICALISE: tuple[Pass | NamedPass, ...] = (
    *_RECOGNISE,
    NamedPass("require_canonical", partial(require_canonical, passes=_RECOGNISE)),
    relu_as_clip,
    split_biases,  # what no kernel takes as a bias
    split_norms,  # what each reader needs is known, and values have their names
    choose_forms,
    pad_heads,  # once linears write what attention reads
)
