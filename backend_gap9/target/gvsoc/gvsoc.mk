# Builds GVSoC's component `tmc.ne16` into an installed GVSoC: make -f gvsoc.mk GVSOC=CHECKOUT [MODELS=FOLDER]
#
# CHECKOUT is a clone of GVSoC that is built: the component has to be of its version. MODELS is where its components
# are installed, or a folder that it is given as --model-dir.

ifndef GVSOC
$(error GVSOC is the clone of GVSoC: make -f gvsoc.mk GVSOC=CHECKOUT)
endif

MODELS = $(GVSOC)/install/models
CXX = g++
# What GVSoC builds its own components with: for plain runs, for waveforms and for traces.
FLAGS = -std=gnu++17 -O3 -DNDEBUG -D__GVSOC__ -fPIC -fno-stack-protector -Wall -Wextra -Wno-unused-parameter
WAVEFORMS = -DGVSOC_CONFIG_EVENT_ACTIVE=1 -DVP_TRACE_ACTIVE=1 -DCONFIG_GVSOC_STATS_ACTIVE=1
TRACES = -DGVSOC_CONFIG_EVENT_ACTIVE=1 -DVP_TRACE_ACTIVE=1 -DVP_MEMCHECK_ACTIVE=1

HERE := $(dir $(lastword $(MAKEFILE_LIST)))
SOURCES := $(sort $(wildcard $(HERE)*.cpp))
KINDS := $(MODELS)/tmc/ne16.so $(MODELS)/profile/tmc/ne16.so $(MODELS)/debug/tmc/ne16.so

.PHONY: all
all: $(KINDS)

$(MODELS)/profile/tmc/ne16.so: FLAGS += $(WAVEFORMS)
$(MODELS)/debug/tmc/ne16.so: FLAGS += $(TRACES)

$(KINDS): $(SOURCES) $(wildcard $(HERE)*.hpp)
	mkdir -p $(dir $@)
	$(CXX) $(FLAGS) -isystem $(GVSOC)/core/engine/include -shared $(SOURCES) -o $@
