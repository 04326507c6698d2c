/* The functions that the compiler may call on its own. */
#include <stddef.h>
#include <stdint.h>

void *memcpy(void *destination, const void *source, size_t count);
void *memset(void *destination, int value, size_t count);

void *memcpy(void *destination, const void *source, size_t count)
{
    uint8_t *to = destination;
    const uint8_t *from = source;
    for (size_t i = 0; i < count; ++i)
        to[i] = from[i];
    return destination;
}

void *memset(void *destination, int value, size_t count)
{
    uint8_t *to = destination;
    for (size_t i = 0; i < count; ++i)
        to[i] = (uint8_t)value;
    return destination;
}
