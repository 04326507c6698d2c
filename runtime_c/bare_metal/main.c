/* Runs a network once on the inputs that are linked in and prints what came out, a line per fact:
 *
 *   stage N            stage N begins (while it runs)
 *   output N HEX       bytes of output number N, up to 32 per line
 *   stage_cycles N C   stage N took C cycles
 *   cycles C           the whole run
 *   init_cycles C      what the network's init took, before it
 *   trace HEX NAME     with TMC_TRACE, the sum of a traced value (trace.c)
 *   error: TEXT        what went wrong
 *   end                nothing was cut off
 *
 * TMC_NETWORK names the network's descriptor.
 */
#include <stddef.h>

#include "bare_metal.h"
#include "registers.h"
#include "tmc_ports.h"

#ifndef TMC_NETWORK
#error "TMC_NETWORK is the name of a network's descriptor, such as mynet_network"
#endif

#define LINE_BYTES 32u

extern const tmc_network TMC_NETWORK;
/* The inputs, as tmc_ports.h places them. */
extern const uint8_t network_input[], network_input_end[];

static int fail(const char *text)
{
    console_text("error: ");
    console_text(text);
    console_text("\n");
    return 1;
}

static void print_output(uint32_t number, const uint8_t *output, uint32_t bytes)
{
    for (uint32_t i = 0; i < bytes; ++i) {
        if (i % LINE_BYTES == 0u) {
            console_text(i == 0u ? "output " : "\noutput ");
            console_decimal(number);
            console_text(" ");
        }
        console_hex(output[i], 2);
    }
    console_text("\n");
}

static void print_cycles(const tmc_session *session, uint32_t init_cycles)
{
    for (uint32_t i = 0; i < stages.begun; ++i) {
        console_text("stage_cycles ");
        console_decimal(stages.numbers[i]);
        console_text(" ");
        console_decimal(cluster_stage_cycles(i));
        console_text("\n");
    }
    console_text("cycles ");
    console_decimal(session->cycles);
    console_text("\ninit_cycles ");
    console_decimal(init_cycles);
    console_text("\n");
}

static void print_traces(const tmc_network *network)
{
#ifdef TMC_TRACE
    for (uint32_t i = 0; i < network->value_count; ++i) {
        console_text("trace ");
        console_hex(trace_sum(i), 8);
        console_text(" ");
        console_text(network->values[i].name);
        console_text("\n");
    }
#else
    (void)network;
#endif
}

int main(void)
{
    const tmc_network *network = &TMC_NETWORK;
    tmc_session session;
    register_store(FABRIC_CACHE_ADDRESS, 0xFFFFFFFFu);
    if ((uint32_t)(network_input_end - network_input) != tmc_port_offset(network->inputs, network->input_count))
        return fail("the size of the inputs is not that of the network's");
    const int opened = tmc_open(&session, network, "weights.bin");
    if (opened == TMC_ERROR_WEIGHTS)
        return fail("the flash does not hold the weights of this network");
    if (opened != TMC_OK)
        return fail("the network does not fit the memories");
    const uint32_t init_cycles = session.cycles;
    const uint8_t **inputs = (const uint8_t **)(void *)take_l2(network->input_count * sizeof *inputs);
    uint8_t **outputs = (uint8_t **)(void *)take_l2(network->output_count * sizeof *outputs);
    uint8_t *all_outputs = take_l2(tmc_port_offset(network->outputs, network->output_count));
    if (inputs == NULL || outputs == NULL || all_outputs == NULL)
        return fail("no room for the outputs");
    for (uint32_t i = 0; i < network->input_count; ++i)
        inputs[i] = network_input + tmc_port_offset(network->inputs, i);
    for (uint32_t i = 0; i < network->output_count; ++i)
        outputs[i] = all_outputs + tmc_port_offset(network->outputs, i);
    if (tmc_run(&session, inputs, outputs) != TMC_OK)
        return fail("the run failed");
    for (uint32_t i = 0; i < network->output_count; ++i)
        print_output(i, outputs[i], network->outputs[i].bytes);
    print_cycles(&session, init_cycles);
    print_traces(network);
    console_text("end\n");
    return 0;
}
