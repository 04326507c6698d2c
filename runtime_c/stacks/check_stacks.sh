#!/bin/sh
# Holds a linked program to the sizes of stacks that network.mk states, from the folder that has it:
#
#   sh check_stacks.sh OBJDUMP PROGRAM
#
# OBJDUMP is that of the compiler. Each core of the cluster runs NAME_entry and, once, NAME_load: on GAP9 called by
# member, which the SDK calls, on bare metal by cluster_serve. `controller` is the function of the core that starts them.
set -eu
setting() {
    sed -n "s/^$1 := //p" network.mk
}
name=$(setting TMC_NAME) worker=$(setting TMC_WORKER_STACK_BYTES) controller=$(setting TMC_CONTROLLER_STACK_BYTES)
"$1" -d "$2" | awk -v vendor="^pi_" -v pointers="cluster_serve=${name}_entry cluster_serve=${name}_load? member=${name}_entry \
    member=${name}_load?" -v stacks="${name}_entry:$worker ${name}_load?:$worker cluster_serve?:$worker \
    member?:$worker controller?:$controller" \
    -f stack_need.awk
