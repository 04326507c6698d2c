/* Character output and the end of the simulation. */
#include "bare_metal.h"
#include "registers.h"

static void put(char character)
{
    const uint32_t id = hart_id();
    const uint32_t address = CONSOLE_ADDRESS + ((id >> 5) << 7) + ((id & 31u) << 3);
    *(volatile uint8_t *)(uintptr_t)address = (uint8_t)character;
}

void console_text(const char *text)
{
    while (*text != '\0')
        put(*text++);
}

void console_decimal(uint32_t number)
{
    char digits[11];
    uint32_t first = sizeof digits - 1u;
    digits[first] = '\0';
    do {
        digits[--first] = (char)('0' + number % 10u);
        number /= 10u;
    } while (number != 0u);
    console_text(&digits[first]);
}

void console_hex(uint32_t number, uint32_t digits)
{
    while (digits-- > 0u)
        put("0123456789abcdef"[(number >> (4u * digits)) & 15u]);
}

_Noreturn void bare_metal_exit(int status)
{
    register_store(EXIT_ADDRESS, EXIT_VALID | (uint32_t)status);
    for (;;)
        ;
}
