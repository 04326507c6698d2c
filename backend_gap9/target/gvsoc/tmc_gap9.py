"""GVSoC target `tmc_gap9`: a PULP cluster with GAP9's memories and clocks.

    gvsoc --target-dir THIS_FOLDER --target tmc_gap9 --binary network.elf run

GVSoC imports this file, with its own Python and its own packages on the path; nothing of tmc is used here. No
description of the GAP9 chip is public: this is GVSoC's pulp-open with what is known of GAP9 in place of its
own numbers. Nothing is compiled again.

Sources
  [DORY]   github.com/pulp-platform/dory, Hardware_targets/PULP/GAP9/HW_description.json
  [ARES]   github.com/pulp-bio/BioFoundation, ARES/docs/ARCHITECTURE.md
  [PULP]   github.com/gvsoc/gvsoc-pulp, pulp/chips/pulp_open: what stays as it is there
  [EVK]    github.com/GreenWaves-Technologies/gap_sdk, tag release-v4.13.0,
           rtos/pmsis/pmsis_bsp/include/bsp/gap9_evk.h
  [RAM]    datasheet of S27KS0641, the HyperRAM that GVSoC models: 333 MB/s at 166 MHz
"""

# Those packages have no types, and are not there where this file is checked.
# mypy: disable-error-code="import-not-found, misc"

import json
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

CLUSTER_CONFIG = "pulp/chips/pulp_open/cluster.json"

# 8 cores and one that orchestrates them [ARES]; [PULP] has the same 8 + 1.
L1_BYTES = 128 * 1024  # [ARES]; in 16 banks [PULP]
L1_BANK_WIDTH_LOG2 = 2  # a bank serves one access of 4 bytes a cycle: others wait
# L2: 1.5 MiB shared [ARES] and 64 KiB private [PULP], as pulp-open has it.
RAM_BYTES = 32 * 1024 * 1024  # as on the evaluation kit [EVK]; its timing is [RAM]

CLUSTER_HZ = 370_000_000  # [DORY: core frequency]
SOC_HZ = 370_000_000  # fabric controller and L2 [DORY: core frequency]
# The HyperBus moves one byte per peripheral clock. [DORY] lists 370 MHz for that clock, which would be more
# than the RAM can do [RAM]; half of it is 185 MB/s, what a HyperRAM gives at 92.5 MHz.
PERIPH_HZ = 185_000_000

# With free transfers the clocks of L3 and of the DMA are so many times as fast as the cluster's: 64 bytes a
# cycle and more.
FREE_RATIO = 64
L1_BANKS = 16
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


def write_cluster_config(path: str) -> None:
    """Write the stock cluster's configuration, with L1 of GAP9's size, to a file."""
    folder = next(each for each in sys.path if os.path.isfile(os.path.join(each, CLUSTER_CONFIG)))
    with open(os.path.join(folder, CLUSTER_CONFIG)) as stock:
        config = json.load(stock)
    for window in ("mapping", "ts_mapping"):
        config["l1"][window]["size"] = hex(L1_BYTES)
    with open(path, "w") as changed:
        json.dump(config, changed)


class Board(gvsoc.systree.Component):
    """The chip with its HyperRAM and HyperFlash."""

    def __init__(self, parent: Any, name: str, parser: Any, options: Any) -> None:
        super().__init__(parent, name, options=options)
        self.set_target_name("tmc_gap9")
        attributes = PulpOpenAttr(self)
        self.set_attributes(attributes)
        # pulp-open takes a file, and reads it while it is built.
        with tempfile.TemporaryDirectory() as folder:
            config = os.path.join(folder, "cluster.json")
            write_cluster_config(config)
            chip = Pulp_open(self, "chip", attributes, parser, cluster_config_file=config)
        self.bind(chip, "hyper0_cs0_data", Hyperram(self, "ram", size=RAM_BYTES), "input")
        self.bind(chip, "hyper0_cs1_data", Hyperflash(self, "hyperflash"), "input")
        self.bind(chip, "uart0", Uart_checker(self, "uart_checker"), "input")

        periph_hz = self.declare_user_property(
            "periph_hz", PERIPH_HZ, "bytes per second of the external memory", cast=int
        )
        free = self.declare_user_property(
            "free_transfers", 0, "1: transfers take no time; shows what waiting for them costs", cast=int
        )
        soc, cluster = chip.get_component("soc"), chip.get_component("cluster")
        clocks: dict[str, float] = {"cluster": CLUSTER_HZ, "soc": SOC_HZ, "periph": periph_hz}
        if free:
            # Only ratios matter, and the oscillator has an upper limit.
            fast = oscillator_hz(1023)
            clocks = {"cluster": fast / FREE_RATIO, "soc": fast, "periph": fast}
        for clock, hz in clocks.items():
            generator = soc.get_component(f"fll_{clock}")
            generator.add_property("regmap/conf1/reset", f"0x{clock_register(hz):08x}")
        l1 = cluster.get_component("l1")
        if free:
            free_dma(cluster, l1, clocks["cluster"])
        else:
            for number in range(L1_BANKS):
                l1.get_component(f"bank{number}").add_property("width_bits", L1_BANK_WIDTH_LOG2)


def free_dma(cluster: Any, l1: Any, cluster_hz: float) -> None:
    """Give the DMA a fast clock, and a way to the banks on which it does not take the cores' turns."""
    dma, interleaver = cluster.get_component("dma"), l1.get_component("interleaver")
    clock = Clock_domain(cluster, "dma_clock", frequency=int(FREE_RATIO * cluster_hz))
    cluster.bind(clock, "out", dma, "clock")

    def is_replaced(binding: Any) -> bool:
        master, port, slave = binding[:3]
        from_dma = master is l1 and port.startswith("dma_in_") and slave is interleaver
        return master is interleaver or from_dma

    l1.bindings = [binding for binding in l1.bindings if not is_replaced(binding)]
    way = L1_interleaver(l1, "dma_interleaver", nb_slaves=L1_BANKS, nb_masters=1, interleaving_bits=2)
    for number in range(L1_BANKS):
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

    gapy_description = "PULP cluster with GAP9's memories and clocks"
    model = Board
    name = "tmc_gap9"

    def __init__(self, parser: Any, options: Any = None, name: Any = None) -> None:
        super().__init__(parser, options, model=Board, name=name)
