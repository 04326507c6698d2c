# Builds a generated network for the simulators of the cluster: make -f riscv.mk BARE_METAL=... [TRACE=1]
#
# Run from the folder with network.c, network.mk, kernels/ and include/. BARE_METAL is the folder of this file. INPUT
# holds the network's inputs, as tmc_ports.h places them: it is linked in. OBJECTS is where everything goes; TRACE=1
# sums up every traced value. ISA=scalar takes portable kernels. The build fails where the stacks cannot hold what
# was compiled.

include network.mk

CROSS = riscv64-unknown-elf-
CFLAGS = -O2
ISA = xpulp
BARE_METAL = bare_metal
INPUT = golden/input.bin
OBJECTS = .
OUTPUT = $(OBJECTS)/network.elf

# The compiler's library follows the architecture: to name zicsr here would link the one for 64 bits.
FLAGS := -march=rv32imc -mabi=ilp32 -std=gnu11 -ffreestanding -fno-common -g -Wall -Wextra -Iinclude \
	-I$(BARE_METAL) -I. -DTMC_NETWORK=$(TMC_NAME)_network -DTMC_STAGES \
	-DTMC_WORKER_STACK_BYTES=$(TMC_WORKER_STACK_BYTES)
ifeq ($(ISA),xpulp)
FLAGS += -DTMC_ISA_XPULP
# What the accelerator does is beside what the cores do.
ACCELERATED := $(wildcard kernels/*_ne16.c)
endif
ifdef TRACE
FLAGS += -DTMC_TRACE
endif

# What the linker script has to know of the target.
SYMBOLS := $(shell sed -n 's/^\#define \(TMC_[A-Z0-9_]*\) \([0-9]*\)u$$/-Wl,--defsym=\1=\2/p' include/tmc_target.h)

SOURCES := network.c $(sort $(ACCELERATED) $(wildcard kernels/*_$(ISA).c $(BARE_METAL)/*.c))
HEADERS := $(wildcard *.h include/*.h $(BARE_METAL)/*.h)
PARTS := $(addprefix $(OBJECTS)/,$(patsubst %.c,%.o,$(notdir $(SOURCES))) start.o input.o)

vpath %.c . kernels $(BARE_METAL)
vpath %.S $(BARE_METAL)

.DELETE_ON_ERROR:

$(OUTPUT): $(PARTS) $(BARE_METAL)/bare_metal.ld network.mk include/tmc_target.h check_stacks.sh stack_need.awk
	$(CROSS)gcc $(FLAGS) -nostdlib -nostartfiles -T$(BARE_METAL)/bare_metal.ld \
		-Wl,--defsym=TMC_WORKER_STACK_BYTES=$(TMC_WORKER_STACK_BYTES) $(SYMBOLS) $(PARTS) -lgcc -o $@
	sh check_stacks.sh $(CROSS)objdump $@

$(OBJECTS)/%.o: %.c $(HEADERS)
	$(CROSS)gcc $(FLAGS) $(CFLAGS) -fno-tree-loop-distribute-patterns -c $< -o $@

$(OBJECTS)/start.o: start.S
	$(CROSS)gcc $(FLAGS) -c $< -o $@

$(OBJECTS)/input.o: input.S $(INPUT)
	$(CROSS)gcc $(FLAGS) -DINPUT_FILE='"$(INPUT)"' -c $< -o $@
