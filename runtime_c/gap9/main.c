/* Runs a network on its golden input, compares the output with the golden one and prints clocks, voltage, and what
 * each run took.
 *
 * TMC_NETWORK names the network's descriptor. The read-only file system holds weights.bin, input.bin and
 * output.bin. With TMC_POWER_GPIO, the number of a pad, that pad is high while a run computes: the trigger of a power
 * probe. Exit status 0 means that every byte of every run was right.
 */
#include <stdio.h>

#include "gap9_clocks.h"
#include "gap9_files.h"
#include "tmc_platform.h"

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

/** Run on buffers in L2 and return the number of runs that went wrong. */
static int run_golden(tmc_session *session, uint8_t *input, uint8_t *output, uint8_t *golden)
{
    const tmc_network *network = session->network;
    if (gap9_read_file("input.bin", input, network->input_bytes) != TMC_OK ||
        gap9_read_file("output.bin", golden, network->output_bytes) != TMC_OK) {
        printf("error: no golden input and output of this network\n");
        return 1;
    }
    int wrong = 0;
    for (int i = 0; i < TMC_RUNS; ++i) {
        set_probe(1);
        const int status = tmc_run(session, input, output);
        set_probe(0);
        if (status != TMC_OK) {
            printf("error: run %d failed: %s\n", i, reason(status));
            return 1;
        }
        const uint32_t differences = count_differences(output, golden, network->output_bytes);
        printf("%s: run %d: %u cycles, %u us, %u of %u output bytes differ\n", network->name, i,
               (unsigned)session->cycles, (unsigned)microseconds(session->cycles), (unsigned)differences,
               (unsigned)network->output_bytes);
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
    uint8_t *input = pi_l2_malloc((int)network->input_bytes);
    uint8_t *output = pi_l2_malloc((int)network->output_bytes);
    uint8_t *golden = pi_l2_malloc((int)network->output_bytes);
    int wrong = 1;
    if (input != NULL && output != NULL && golden != NULL)
        wrong = run_golden(&session, input, output, golden);
    else
        printf("error: no L2 left for input and output\n");
    if (input != NULL)
        pi_l2_free(input, (int)network->input_bytes);
    if (output != NULL)
        pi_l2_free(output, (int)network->output_bytes);
    if (golden != NULL)
        pi_l2_free(golden, (int)network->output_bytes);
    tmc_close(&session);
    printf("%s\n", wrong == 0 ? "PASS" : "FAIL");
    pmsis_exit(wrong != 0);
    return wrong != 0;
}
