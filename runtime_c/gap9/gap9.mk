# Makefile of a generated network for GAP9 SDKs before 5.21: make all check_stacks run platform=board (or
# platform=gvsoc). Newer ones build with CMakeLists.txt.
#
# Run from the folder with network.c, network.mk, weights.bin, golden/, kernels/, include/ and gap9/, after
# sourcing the configuration script of the SDK. `make host` builds network-host for this machine instead.
# TMC_FREQUENCY_HZ=..., TMC_VOLTAGE_MV=..., TMC_POWER_GPIO=... and TMC_RUNS=... set what CMakeLists.txt says.

include network.mk

# ISA=scalar takes portable kernels, many times slower.
ISA = xpulp
# TMC_FILES=mram puts weights.bin and the golden files into the MRAM on the chip, if they leave room for the program.
TMC_FILES = flash
APP = $(TMC_NAME)
APP_SRCS = network.c $(sort $(wildcard kernels/*_$(ISA).c gap9/*.c) $(ACCELERATED))
# The reasons are in CMakeLists.txt.
APP_CFLAGS += -O2 -mnohwloop -fno-tree-loop-distribute-patterns
APP_CFLAGS += -Iinclude -Igap9 -I. -DTMC_NETWORK=$(TMC_NAME)_network \
	-DTMC_WORKER_STACK_BYTES=$(TMC_WORKER_STACK_BYTES) \
	-DTMC_CONTROLLER_STACK_BYTES=$(TMC_CONTROLLER_STACK_BYTES)
ifeq ($(ISA),xpulp)
APP_CFLAGS += -DTMC_ISA_XPULP
# What the accelerator does is beside what the cores do.
ACCELERATED = $(wildcard kernels/*_ne16.c)
endif
ifeq ($(TMC_FILES),mram)
APP_CFLAGS += -DTMC_FILES_IN_MRAM
READFS_FLASH = target/chip/soc/mram
endif
APP_CFLAGS += $(strip $(foreach setting,TMC_FREQUENCY_HZ TMC_VOLTAGE_MV TMC_POWER_GPIO TMC_RUNS,\
	$(if $($(setting)),-D$(setting)=$($(setting)))))

# Files are found by their last name: weights.bin, input.bin, output.bin.
READFS_FILES := weights.bin golden/input.bin golden/output.bin

.PHONY: host
host:
	$(MAKE) -f host.mk

ifdef RULES_DIR
include $(RULES_DIR)/pmsis_rules.mk

# Fails where the stacks cannot hold what was compiled. BIN is the program's name in the SDK's rules.
OBJDUMP = riscv32-unknown-elf-objdump
.PHONY: check_stacks
check_stacks: $(BIN)
	sh check_stacks.sh $(OBJDUMP) $(BIN)
else ifneq ($(MAKECMDGOALS),host)
$(error RULES_DIR is not set: source the configuration script of the GAP9 SDK first, or build with make host)
endif
