"""The reference networks, by name: `FAMILY-CHANNELSxSAMPLES`. TinyissimoMyo is TinyMyo with 4 layers."""

from dataclasses import dataclass

from examples.tinymyo.errors import TinyMyoError
from examples.tinymyo.model import Config


@dataclass(frozen=True, slots=True)
class ReferenceNetwork:
    """Pair a configuration with the seed of its initial parameters."""

    config: Config
    seed: int


NETWORKS = {
    "tinymyo-8x1000": ReferenceNetwork(Config(channels=8, samples=1000, layers=8, classes=6), seed=1),
    "tinymyo-16x1000": ReferenceNetwork(Config(channels=16, samples=1000, layers=8, classes=53), seed=2),
    "tinyissimo-8x1000": ReferenceNetwork(Config(channels=8, samples=1000, layers=4, classes=6), seed=3),
    "tinyissimo-8x200": ReferenceNetwork(Config(channels=8, samples=200, layers=4, classes=6), seed=4),
}


def reference_network(name: str) -> ReferenceNetwork:
    """Look up a reference network.

    Raises:
        TinyMyoError: no such name.
    """
    if name not in NETWORKS:
        raise TinyMyoError(f"--network: found {name}, allowed {', '.join(NETWORKS)}", "choose one of these")
    return NETWORKS[name]
