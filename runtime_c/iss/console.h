/* Character output of the simulated program. */
#ifndef TMC_ISS_CONSOLE_H
#define TMC_ISS_CONSOLE_H

#include "hart.h"

/* Append a character to the hart's line; whole lines go to standard output, so that harts do not mix. */
void console_put(const Hart *hart, char character);

/* Write out the unfinished lines of all harts. */
void console_flush(void);

#endif
