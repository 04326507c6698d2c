/* Output of text, on whatever put_char writes to. */
#include "platform.h"

void put_text(const char *text)
{
    while (*text) {
        put_char(*text++);
    }
}

void put_hex(uint32_t value)
{
    for (int shift = 28; shift >= 0; shift -= 4) {
        put_char("0123456789abcdef"[value >> shift & 15]);
    }
}

void report(const char *name, uint32_t value)
{
    put_text(name);
    put_char(' ');
    put_hex(value);
    put_char('\n');
}
