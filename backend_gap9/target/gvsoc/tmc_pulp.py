"""GVSoC target `tmc_pulp`: a PULP cluster of any size, with the memories and clocks of a target of tmc.

    gvsoc --target-dir THIS_FOLDER --target tmc_pulp --target-property cores=8,l1_bytes=131072,... \\
        --binary network.elf run

`tmc run DIR --on gvsoc` gives all properties, from what DIR was compiled for; there are no defaults here.
GVSoC imports this file, with its own Python and its own packages on the path; nothing of tmc is used. No
description of the GAP9 chip is public: this is GVSoC's pulp-open with other numbers. Nothing is compiled
again.

Sources
  [PULP]   github.com/gvsoc/gvsoc-pulp, pulp/chips/pulp_open: what stays as it is there
  [RAM]    datasheet of S27KS0641, the HyperRAM that GVSoC models: 333 MB/s at 166 MHz
"""

# Those packages have no types, and are not there where this file is checked.
# mypy: disable-error-code="import-not-found, misc"

import json
import math
import os
import sys
import tempfile
from typing import Any

import gvsoc.runner
import gvsoc.systree
from devices.hyperbus.hyperflash import Hyperflash
from devices.hyperbus.hyperram import Hyperram
from devices.uart.uart_checker import Uart_checker
from interco.router import Router
from pulp.chips.pulp_open.pulp_open import Pulp_open, PulpOpenAttr
from pulp.cluster.l1_interleaver import L1_interleaver
from vp.clock_domain import Clock_domain

CHIP = "pulp/chips/pulp_open"

L1_BANK_WIDTH_LOG2 = 2  # a bank serves one access of 4 bytes a cycle: others wait
# L2 shared by all is cut into regions of this size, where that is possible [PULP: 12 of them]; 64 KiB are
# private.
L2_REGION_BYTES = 128 * 1024

# Properties, all to be given. The RAM's timing is [RAM], whatever its size. Fabric controller and L2 run at
# the cluster's clock. The HyperBus moves one byte per peripheral clock.
PROPERTIES = {
    "cores": "cores of the cluster that work; one more orchestrates them",
    "l1_bytes": "bytes of L1",
    "l2_bytes": "bytes of the shared banks of L2",
    "l3_bytes": "bytes of the external memory",
    "cluster_hz": "clock of the cluster",
    "periph_hz": "bytes per second of the external memory",
}

# Where GAP9's accelerator is, and the event at the end of a job [PULP: cluster.json, ne16 and acc_0].
NE16_ADDRESS, NE16_BYTES = 0x10201000, 0x400
NE16_EVENT = 12

# With free transfers the clocks of L3 and of the DMA are so many times as fast as the cluster's: 64 bytes a
# cycle and more.
FREE_RATIO = 64
DMA_PORTS = 4


def oscillator_hz(code: int) -> float:
    """Return the frequency of a clock generator's oscillator, as GVSoC has it (pulp/fll/fll_v1_impl.cpp)."""
    if code < 512:
        return (21.897 - 33.1341 - 0.752 * code + 0.003674 * code**2) * 1e6
    return (-642.570 + 2.590 * code - 0.000445 * code**2) * 1e6


def clock_register(hz: float) -> int:
    """Return the register value of the nearest clock: oscillator code from bit 16, divider from bit 26."""
    settings = ((code, divider) for divider in range(16) for code in range(219, 1024))
    code, divider = min(settings, key=lambda each: abs(oscillator_hz(each[0]) / 2 ** each[1] - hz))
    return code << 16 | divider << 26


def stock_config(name: str) -> Any:
    """Return a configuration of pulp-open."""
    path = f"{CHIP}/{name}"
    folder = next(each for each in sys.path if os.path.isfile(os.path.join(each, path)))
    with open(os.path.join(folder, path)) as stock:
        return json.load(stock)


def cluster_config(cores: int, l1_bytes: int) -> Any:
    """Return the stock cluster's configuration with another number of cores and size of L1."""
    config = stock_config("cluster.json")
    for window in ("mapping", "ts_mapping"):
        config["l1"][window]["size"] = hex(l1_bytes)
    config["nb_pe"] = config["icache"]["config"]["nb_cores"] = cores + 1
    config["peripherals"]["event_unit"]["config"]["nb_core"] = cores + 1
    return config


def soc_config(l2_bytes: int, regions: int) -> Any:
    """Return the stock configuration of what is around the cluster, with another size of L2."""
    config = stock_config("soc.json")
    shared = config["l2"]["shared"]
    grown = l2_bytes - int(shared["mapping"]["size"], 0)
    config["l2"]["size"] = hex(int(config["l2"]["size"], 0) + grown)
    shared["mapping"]["size"] = hex(l2_bytes)
    shared["nb_regions"] = regions
    return config


def set_l2(attributes: Any, l2_bytes: int, regions: int) -> None:
    """Set the size of L2 in the chip's attributes, from which its banks are built."""
    # To name an attribute gives its value.
    shared = attributes.soc.l2.shared
    object.__getattribute__(shared, "nb_regions").value = regions
    object.__getattribute__(shared.range, "size").value = l2_bytes


class Board(gvsoc.systree.Component):
    """The chip with its HyperRAM and HyperFlash."""

    def __init__(self, parent: Any, name: str, parser: Any, options: Any) -> None:
        super().__init__(parent, name, options=options)
        self.set_target_name("tmc_pulp")
        given = {
            name: self.declare_user_property(name, None, text, cast=int) for name, text in PROPERTIES.items()
        }
        free = self.declare_user_property(
            "free_transfers", 0, "1: transfers take no time; shows what waiting for them costs", cast=int
        )
        ne16 = self.declare_user_property(
            "ne16", "", "models of the accelerator NE16, a component's name such as tmc.ne16; none", cast=str
        )
        missing = [name for name, value in given.items() if value is None]
        if missing:
            raise RuntimeError(f"tmc_pulp: properties not given: {', '.join(missing)}")
        l2_bytes = given["l2_bytes"]
        regions = l2_bytes // L2_REGION_BYTES if l2_bytes % L2_REGION_BYTES == 0 else 1
        attributes = PulpOpenAttr(self)
        set_l2(attributes, l2_bytes, regions)
        self.set_attributes(attributes)
        configs = {
            "cluster": cluster_config(given["cores"], given["l1_bytes"]),
            "soc": soc_config(l2_bytes, regions),
        }
        # pulp-open takes files, and reads them while it is built.
        with tempfile.TemporaryDirectory() as folder:
            files = {}
            for name, config in configs.items():
                files[f"{name}_config_file"] = os.path.join(folder, f"{name}.json")
                with open(files[f"{name}_config_file"], "w") as file:
                    json.dump(config, file)
            chip = Pulp_open(self, "chip", attributes, parser, **files)
        self.bind(chip, "hyper0_cs0_data", Hyperram(self, "ram", size=given["l3_bytes"]), "input")
        self.bind(chip, "hyper0_cs1_data", Hyperflash(self, "hyperflash"), "input")
        self.bind(chip, "uart0", Uart_checker(self, "uart_checker"), "input")

        soc, cluster = chip.get_component("soc"), chip.get_component("cluster")
        cluster_hz = given["cluster_hz"]
        clocks: dict[str, float] = {"cluster": cluster_hz, "soc": cluster_hz, "periph": given["periph_hz"]}
        if free:
            # Only ratios matter, and the oscillator has an upper limit.
            fast = oscillator_hz(1023)
            clocks = {"cluster": fast / FREE_RATIO, "soc": fast, "periph": fast}
        for clock, hz in clocks.items():
            generator = soc.get_component(f"fll_{clock}")
            generator.add_property("regmap/conf1/reset", f"0x{clock_register(hz):08x}")
        l1 = cluster.get_component("l1")
        banks = 1 << int(math.log2(2 * (given["cores"] + 1)))  # [PULP: twice as many as cores, rounded down]
        if ne16:
            add_ne16(cluster, l1, ne16, given["cores"] + 1, parser)
        if free:
            free_dma(cluster, l1, clocks["cluster"], banks)
        else:
            for number in range(banks):
                l1.get_component(f"bank{number}").add_property("width_bits", L1_BANK_WIDTH_LOG2)


def add_ne16(cluster: Any, l1: Any, model: str, cores: int, parser: Any) -> None:
    """Add the accelerator: registers, way to L1, event of all cores.

    Raises: RuntimeError if this GVSoC does not have the component.
    """
    file = f"{model.replace('.', '/')}.so"
    folders = parser.parse_known_args()[0].install_dirs
    if not any(os.path.isfile(os.path.join(folder, file)) for folder in folders):
        build = os.path.join(os.path.dirname(os.path.abspath(__file__)), "gvsoc.mk")
        raise RuntimeError(
            f"tmc_pulp: found no component {model} in this GVSoC; build it: make -f {build} GVSOC=CHECKOUT"
        )
    ne16 = gvsoc.systree.Component(cluster, "ne16")
    ne16.set_component(model)
    registers, event_unit = cluster.get_component("periph_ico"), cluster.get_component("event_unit")
    registers.add_mapping("ne16", base=NE16_ADDRESS, remove_offset=NE16_ADDRESS, size=NE16_BYTES)
    cluster.bind(registers, "ne16", ne16, "input")
    cluster.bind(ne16, "out", l1, "ne16_in")
    for core in range(cores):
        cluster.bind(ne16, "irq", event_unit, f"in_event_{NE16_EVENT}_pe_{core}")


def free_dma(cluster: Any, l1: Any, cluster_hz: float, banks: int) -> None:
    """Give the DMA a fast clock, and a way to the banks on which it does not take the cores' turns."""
    dma, interleaver = cluster.get_component("dma"), l1.get_component("interleaver")
    clock = Clock_domain(cluster, "dma_clock", frequency=int(FREE_RATIO * cluster_hz))
    cluster.bind(clock, "out", dma, "clock")

    def is_replaced(binding: Any) -> bool:
        master, port, slave = binding[:3]
        from_dma = master is l1 and port.startswith("dma_in_") and slave is interleaver
        return master is interleaver or from_dma

    l1.bindings = [binding for binding in l1.bindings if not is_replaced(binding)]
    way = L1_interleaver(l1, "dma_interleaver", nb_slaves=banks, nb_masters=1, interleaving_bits=2)
    for number in range(banks):
        bank = l1.get_component(f"bank{number}")
        # Does to the cores' accesses what the width of the bank does to all.
        turns = Router(l1, f"bank{number}_turns", bandwidth=1 << L1_BANK_WIDTH_LOG2, shared_rw_bandwidth=True)
        turns.add_mapping("bank")
        l1.bind(interleaver, f"out_{number}", turns, "input")
        l1.bind(turns, "bank", bank, "input")
        l1.bind(way, f"out_{number}", bank, "input")
    for port in range(DMA_PORTS):
        l1.bind(l1, f"dma_in_{port}", way, "in_0")


class Target(gvsoc.runner.Target):
    """What GVSoC looks for."""

    gapy_description = "PULP cluster with the memories and clocks of a target of tmc"
    model = Board
    name = "tmc_pulp"

    def __init__(self, parser: Any, options: Any = None, name: Any = None) -> None:
        super().__init__(parser, options, model=Board, name=name)
