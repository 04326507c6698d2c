/* Clocks and voltage of GAP9. TMC_FREQUENCY_HZ 0 leaves both as the firmware has set them. */
#ifndef GAP9_CLOCKS_H
#define GAP9_CLOCKS_H

#include "tmc_target.h"

/* The highest clock of all three domains, and the lowest voltage that allows it. The SDK starts at 50 MHz, where a
 * run takes seven times as long, yet fewer cycles: external memory is less far away. */
#ifndef TMC_FREQUENCY_HZ
#define TMC_FREQUENCY_HZ TMC_CLUSTER_HZ
#endif
#ifndef TMC_VOLTAGE_MV
#define TMC_VOLTAGE_MV 800u
#endif

/** Set the voltage, then the clocks of fabric controller, cluster and peripherals; the cluster must be open. TMC_OK or
 *  TMC_ERROR_DEVICE. */
int gap9_set_clocks(void);

#endif
