/* As much of stdio as the gap9 platform needs. */
#ifndef STDIO_H
#define STDIO_H

/** Print; %s, %d and %u, bare. */
int printf(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
