# Stands in for the rules of SDKs before 5.21: the same variables, for the small PMSIS.
.PHONY: all run
BIN = BUILD/$(APP)
all: $(BIN) BUILD/flash.bin

OBJECTS := $(addprefix BUILD/,$(APP_SRCS:.c=.o))

$(BIN): $(OBJECTS)
	$(GAP_SDK_HOME)/bin/compiler @$(GAP_SDK_HOME)/link $(OBJECTS) $(GAP_SDK_HOME)/pmsis.o -lgcc -o $@

BUILD/%.o: %.c
	mkdir -p $(dir $@)
	$(GAP_SDK_HOME)/bin/compiler -g -Wall -Wextra -Werror -I$(GAP_SDK_HOME)/include $(APP_CFLAGS) -c $< -o $@

BUILD/flash.bin: Makefile $(READFS_FILES)
	mkdir -p BUILD
	python3 $(GAP_SDK_HOME)/bin/flash_image $@ $(READFS_FILES)

run: all
	$(GAP_SDK_HOME)/bin/simulator $(BIN) BUILD/flash.bin
