#include "console.h"

#include <stddef.h>
#include <stdio.h>

typedef struct Line {
    size_t length;
    char text[256];
} Line;

static Line lines[HARTS];

static void flush_line(Line *line)
{
    fwrite(line->text, 1, line->length, stdout);
    line->length = 0;
}

void console_put(const Hart *hart, char character)
{
    Line *line = &lines[hart->index];
    line->text[line->length++] = character;
    if (character == '\n' || line->length == sizeof line->text) {
        flush_line(line);
    }
}

void console_flush(void)
{
    for (unsigned i = 0; i < HARTS; i++) {
        flush_line(&lines[i]);
    }
    fflush(stdout);
}
