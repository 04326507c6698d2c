/* printf over the simulators' console. */
#include <stdarg.h>
#include <stdio.h>

#include "bare_metal.h"
#include "pmsis_parts.h"

int printf(const char *format, ...)
{
    va_list values;
    va_start(values, format);
    for (; *format != '\0'; ++format) {
        if (*format != '%') {
            const char text[2] = {*format, '\0'};
            console_text(text);
            continue;
        }
        switch (*++format) {
        case 's':
            console_text(va_arg(values, const char *));
            break;
        case 'u':
            console_decimal(va_arg(values, unsigned));
            break;
        case 'd': {
            const int value = va_arg(values, int);
            if (value < 0)
                console_text("-");
            console_decimal(value < 0 ? 0u - (unsigned)value : (unsigned)value);
            break;
        }
        default:
            pmsis_fail("a conversion that printf does not have");
        }
    }
    va_end(values);
    return 0;
}
