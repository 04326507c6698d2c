# Stands in for the rules of SDKs before 5.21: the same variables, for the small PMSIS.
.PHONY: all run
all: BUILD/$(APP) BUILD/flash.bin

BUILD/$(APP): $(APP_SRCS)
	mkdir -p BUILD
	$(GAP_SDK_HOME)/bin/compiler -g -Wall -Wextra -Werror -I$(GAP_SDK_HOME)/include $(APP_CFLAGS) \
		@$(GAP_SDK_HOME)/link $(APP_SRCS) $(GAP_SDK_HOME)/pmsis.o -lgcc -o $@

BUILD/flash.bin: $(READFS_FILES)
	mkdir -p BUILD
	python3 $(GAP_SDK_HOME)/bin/flash_image $@ $(READFS_FILES)

run: all
	$(GAP_SDK_HOME)/bin/simulator BUILD/$(APP) BUILD/flash.bin
