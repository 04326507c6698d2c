# Builds network.elf for the simulators of the PULP cluster: make -f riscv.mk INPUT=FILE [TRACE=1]
#
# Run from the folder with network.c, network.mk, kernels/, include/ and bare_metal/. INPUT is the network's input,
# linked in. TRACE=1 sums up every traced value. SANDBOX is where the objects go.

include network.mk

CROSS = riscv64-unknown-elf-
OPTIMISE = -O2
BARE_METAL = bare_metal
INPUT = golden/input.bin
OUTPUT = network.elf

FLAGS := -march=rv32imc -mabi=ilp32 -std=gnu11 -ffreestanding -fno-common -g -Wall -Wextra -Werror \
	-Iinclude -I$(BARE_METAL) -I. -DTMC_NETWORK=$(TMC_NAME)_network -DTMC_STAGES
ifdef TRACE
FLAGS += -DTMC_TRACE
endif

SOURCES := network.c $(sort $(wildcard kernels/*.c $(BARE_METAL)/*.c))

$(OUTPUT): $(SOURCES) $(INPUT) $(wildcard *.h include/*.h $(BARE_METAL)/*)
	$(CROSS)gcc $(FLAGS) $(OPTIMISE) -fno-tree-loop-distribute-patterns -DINPUT_FILE='"$(INPUT)"' \
		-nostdlib -nostartfiles -T$(BARE_METAL)/bare_metal.ld \
		$(BARE_METAL)/start.S $(BARE_METAL)/input.S $(SOURCES) -lgcc -o $@
