/* Ports one behind the other, in a file or a block of memory: each takes a multiple of 4 bytes. */
#ifndef TMC_PORTS_H
#define TMC_PORTS_H

#include "tmc_platform.h"

/** Return where port number `index` begins; for the number of all ports, the size of the whole. */
static inline uint32_t tmc_port_offset(const tmc_port *ports, uint32_t index)
{
    uint32_t offset = 0;
    for (uint32_t i = 0; i < index; ++i)
        offset += (ports[i].bytes + 3u) & ~3u;
    return offset;
}

#endif
