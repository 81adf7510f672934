#include "window.h"

#include <stdlib.h>

void window_init(struct window *window, uint32_t size)
{
    uint32_t slots = 1;

    while (slots < size)
        slots *= 2;
    *window = (struct window){.mask = slots - 1, .size = size};
    window->parts_left = calloc(slots, sizeof *window->parts_left);
    if (window->parts_left == NULL)
        abort();
}
