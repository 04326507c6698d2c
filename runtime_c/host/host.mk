# Builds network-host from a generated network: make -f host.mk [TRACE=1] [SANITIZE=address|thread]
#
# Run from the folder with network.c, network.mk, kernels/, include/ and host/. TRACE=1 keeps every traced
# value. ISA=xpulp takes the kernels of the cluster's cores, written out in C. SANITIZE=address adds the address and undefined-behaviour sanitizers, SANITIZE=thread the thread
# sanitizer, with each transfer in a thread of its own.

include network.mk

CC = gcc
ISA = scalar
CFLAGS = -O3 -g
OUTPUT = network-host

FLAGS := -std=c11 -Wall -Wextra -Werror -Iinclude -Ihost -I. -DTMC_NETWORK=$(TMC_NAME)_network -pthread
ifeq ($(ISA),xpulp)
FLAGS += -DTMC_ISA_XPULP
endif
ifdef TRACE
FLAGS += -DTMC_TRACE
endif
ifeq ($(SANITIZE),address)
FLAGS += -fsanitize=address,undefined -fno-sanitize-recover=all
endif
ifeq ($(SANITIZE),thread)
FLAGS += -fsanitize=thread -DTMC_DMA_THREADS
endif

# There is no accelerator here: its jobs are portable C whatever the cores' kernels are.
JOBS := $(patsubst %_ne16.c,%_scalar.c,$(wildcard kernels/*_ne16.c))
SOURCES := network.c $(sort $(JOBS) $(wildcard kernels/*_$(ISA).c host/*.c))

$(OUTPUT): $(SOURCES) $(wildcard *.h include/*.h host/*.h)
	$(CC) $(FLAGS) $(CFLAGS) $(SOURCES) -o $@
