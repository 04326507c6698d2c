/* Runs a network on its golden inputs, compares the outputs with the golden ones and prints clocks, voltage, and what
 * each run took.
 *
 * TMC_NETWORK names the network's descriptor. The read-only file system holds weights.bin, and in input.bin and
 * output.bin all inputs and all outputs, as tmc_ports.h places them. With TMC_POWER_GPIO, the number of a pad, that pad is high while a run computes: the trigger of a power
 * probe. Exit status 0 means that every byte of every run was right.
 */
#include <stdio.h>

#include "gap9_clocks.h"
#include "gap9_files.h"
#include "tmc_ports.h"

#include "pmsis.h"

#ifndef TMC_NETWORK
#error "TMC_NETWORK is the name of a network's descriptor, such as mynet_network"
#endif
#ifndef TMC_RUNS
#define TMC_RUNS 2
#endif

extern const tmc_network TMC_NETWORK;

static uint32_t count_differences(const uint8_t *a, const uint8_t *b, uint32_t bytes)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < bytes; ++i)
        count += a[i] != b[i];
    return count;
}

static const char *reason(int status)
{
    switch (status) {
    case TMC_ERROR_MEMORY:
        return "no room in L1, L2 or the external memory";
    case TMC_ERROR_WEIGHTS:
        return "no weights.bin, or that of another network";
    default:
        return "a device did not open";
    }
}

static void print_clocks(void)
{
    printf("clocks: fabric controller %u Hz, cluster %u Hz, peripherals %u Hz",
           (unsigned)pi_freq_get(PI_FREQ_DOMAIN_FC), (unsigned)pi_freq_get(PI_FREQ_DOMAIN_CL),
           (unsigned)pi_freq_get(PI_FREQ_DOMAIN_PERIPH));
#if TMC_FREQUENCY_HZ != 0
    printf(", %u mV\n", (unsigned)TMC_VOLTAGE_MV);
#else
    printf(", voltage as it was\n");
#endif
}

static void open_probe(void)
{
#ifdef TMC_POWER_GPIO
    /* Function 1 of every pad is its GPIO. */
    pi_pad_function_set(TMC_POWER_GPIO, 1);
    pi_gpio_pin_configure(TMC_POWER_GPIO, PI_GPIO_OUTPUT);
    pi_gpio_pin_write(TMC_POWER_GPIO, 0);
#endif
}

static void set_probe(int high)
{
#ifdef TMC_POWER_GPIO
    pi_gpio_pin_write(TMC_POWER_GPIO, (uint32_t)high);
#else
    (void)high;
#endif
}

/** Return the time of that many cycles of the cluster in microseconds, rounded down. */
static uint32_t microseconds(uint32_t cycles)
{
    return (uint32_t)((uint64_t)cycles * 1000000u / pi_freq_get(PI_FREQ_DOMAIN_CL));
}

/** The inputs and outputs of a run, in L2: of each kind one block, as in files, and the address of every port. */
typedef struct {
    uint8_t *input_block;
    uint8_t *output_block;
    uint8_t *golden_block;
    const uint8_t **inputs;
    uint8_t **outputs;
} port_buffers;

/** Where the buffers of a network do not fit, some stay NULL. */
static port_buffers take_buffers(const tmc_network *network)
{
    const int output_bytes = (int)tmc_port_offset(network->outputs, network->output_count);
    port_buffers taken = {
        .input_block = pi_l2_malloc((int)tmc_port_offset(network->inputs, network->input_count)),
        .output_block = pi_l2_malloc(output_bytes),
        .golden_block = pi_l2_malloc(output_bytes),
        .inputs = pi_l2_malloc((int)(network->input_count * sizeof *taken.inputs)),
        .outputs = pi_l2_malloc((int)(network->output_count * sizeof *taken.outputs)),
    };
    for (uint32_t i = 0; taken.inputs != NULL && i < network->input_count; ++i)
        taken.inputs[i] = taken.input_block + tmc_port_offset(network->inputs, i);
    for (uint32_t i = 0; taken.outputs != NULL && i < network->output_count; ++i)
        taken.outputs[i] = taken.output_block + tmc_port_offset(network->outputs, i);
    return taken;
}

static void free_l2(void *block, uint32_t bytes)
{
    if (block != NULL)
        pi_l2_free(block, (int)bytes);
}

static void free_buffers(const port_buffers *taken, const tmc_network *network)
{
    const uint32_t output_bytes = tmc_port_offset(network->outputs, network->output_count);
    free_l2(taken->input_block, tmc_port_offset(network->inputs, network->input_count));
    free_l2(taken->output_block, output_bytes);
    free_l2(taken->golden_block, output_bytes);
    free_l2(taken->inputs, network->input_count * sizeof *taken->inputs);
    free_l2(taken->outputs, network->output_count * sizeof *taken->outputs);
}

static uint32_t bytes_of(const tmc_port *ports, uint32_t count)
{
    uint32_t bytes = 0;
    for (uint32_t i = 0; i < count; ++i)
        bytes += ports[i].bytes;
    return bytes;
}

/** Print the outputs that are wrong, and return how many bytes of all of them are. */
static uint32_t compare_outputs(const tmc_network *network, const port_buffers *buffers)
{
    uint32_t all = 0;
    for (uint32_t i = 0; i < network->output_count; ++i) {
        const tmc_port *port = &network->outputs[i];
        const uint8_t *golden = buffers->golden_block + tmc_port_offset(network->outputs, i);
        const uint32_t differences = count_differences(buffers->outputs[i], golden, port->bytes);
        if (differences != 0u)
            printf("output %s: %u of %u bytes differ\n", port->name, (unsigned)differences, (unsigned)port->bytes);
        all += differences;
    }
    return all;
}

/** Run on buffers in L2 and return the number of runs that went wrong. */
static int run_golden(tmc_session *session, const port_buffers *buffers)
{
    const tmc_network *network = session->network;
    const uint32_t input_bytes = tmc_port_offset(network->inputs, network->input_count);
    const uint32_t output_bytes = tmc_port_offset(network->outputs, network->output_count);
    if (gap9_read_file("input.bin", buffers->input_block, input_bytes) != TMC_OK ||
        gap9_read_file("output.bin", buffers->golden_block, output_bytes) != TMC_OK) {
        printf("error: no golden inputs and outputs of this network\n");
        return 1;
    }
    int wrong = 0;
    for (int i = 0; i < TMC_RUNS; ++i) {
        set_probe(1);
        const int status = tmc_run(session, buffers->inputs, buffers->outputs);
        set_probe(0);
        if (status != TMC_OK) {
            printf("error: run %d failed: %s\n", i, reason(status));
            return 1;
        }
        const uint32_t differences = compare_outputs(network, buffers);
        printf("%s: run %d: %u cycles, %u us, %u of %u output bytes differ\n", network->name, i,
               (unsigned)session->cycles, (unsigned)microseconds(session->cycles), (unsigned)differences,
               (unsigned)bytes_of(network->outputs, network->output_count));
        wrong += differences != 0u;
    }
    return wrong;
}

int main(void)
{
    tmc_session session;
    const tmc_network *network = &TMC_NETWORK;
    const int status = tmc_open(&session, network, "weights.bin");
    if (status != TMC_OK) {
        printf("error: %s: cannot be opened: %s\n", network->name, reason(status));
        pmsis_exit(1);
        return 1;
    }
    print_clocks();
    open_probe();
    const port_buffers buffers = take_buffers(network);
    int wrong = 1;
    if (buffers.input_block != NULL && buffers.output_block != NULL && buffers.golden_block != NULL &&
        buffers.inputs != NULL && buffers.outputs != NULL)
        wrong = run_golden(&session, &buffers);
    else
        printf("error: no L2 left for inputs and outputs\n");
    free_buffers(&buffers, network);
    tmc_close(&session);
    printf("%s\n", wrong == 0 ? "PASS" : "FAIL");
    pmsis_exit(wrong != 0);
    return wrong != 0;
}
