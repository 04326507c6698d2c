/* Devices, clocks, voltage and pads: what is set is printed, a line each. */
#include "bare_metal.h"
#include "pmsis.h"
#include "pmsis_parts.h"
#include "registers.h"

/* What the clocks start with [BUILD: __pi_fll in 5.16]. */
static uint32_t frequencies_hz[3] = {50000000u, 50000000u, 50000000u};
/* The highest clock [github.com/pulp-platform/dory, Hardware_targets/PULP/GAP9/HW_description.json]. */
#define HIGHEST_HZ 370000000u

static void print(const char *what, uint32_t which, const char *is, uint32_t value)
{
    console_text(what);
    console_decimal(which);
    console_text(is);
    console_decimal(value);
    console_text("\n");
}

_Noreturn void pmsis_fail(const char *text)
{
    console_text("error: small PMSIS: ");
    console_text(text);
    console_text("\n");
    bare_metal_exit(1);
}

void pi_open_from_conf(struct pi_device *device, void *conf)
{
    device->config = conf;
}

/** End; nothing of L2 may be left taken, also after an error. */
void pmsis_exit(int err)
{
    l2_expect_whole();
    bare_metal_exit(err & 0xFF);
}

uint32_t pi_freq_get(pi_freq_domain_e domain)
{
    return frequencies_hz[domain];
}

int32_t pi_freq_set(pi_freq_domain_e domain, uint32_t freq)
{
    if (freq > HIGHEST_HZ)
        return -1;
    frequencies_hz[domain] = freq;
    print("frequency ", domain, " ", freq);
    return 0;
}

int pi_pmu_voltage_set(pi_pmu_voltage_domain_e domain, uint32_t voltage)
{
    print("voltage ", domain, " ", voltage);
    return 0;
}

void pi_pad_function_set(uint32_t pad, uint32_t function)
{
    print("pad ", pad, " function ", function);
}

int pi_gpio_pin_configure(uint32_t pin, pi_gpio_flags_e flags)
{
    print("gpio ", pin, " flags ", flags);
    return 0;
}

int pi_gpio_pin_write(uint32_t pin, uint32_t value)
{
    print("gpio ", pin, " is ", value);
    return 0;
}
