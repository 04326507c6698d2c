/* Heaps: first fit, 8 bytes at least, chunks joined when they are given back [OS: alloc.c]. */
#include <stddef.h>

#include "bare_metal.h"
#include "pmsis.h"
#include "pmsis_parts.h"

extern uint8_t l2_free_start[], l2_free_end[];

static uint32_t rounded(uint32_t bytes)
{
    return (bytes + 7u) & ~7u;
}

void heap_open(heap *of, uint32_t start, uint32_t end)
{
    of->first = (heap_chunk *)(uintptr_t)rounded(start);
    of->first->bytes = (end & ~7u) - rounded(start);
    of->first->next = NULL;
    of->bytes = of->first->bytes;
}

int heap_is_whole(const heap *of)
{
    return of->first != NULL && of->first->bytes == of->bytes;
}

void *heap_take(heap *of, uint32_t bytes)
{
    const uint32_t size = rounded(bytes);
    heap_chunk **link = &of->first;
    while (*link != NULL && (*link)->bytes < size)
        link = &(*link)->next;
    heap_chunk *chunk = *link;
    if (chunk == NULL)
        return NULL;
    if (chunk->bytes == size) {
        *link = chunk->next;
    } else {
        heap_chunk *rest = (heap_chunk *)((uintptr_t)chunk + size);
        rest->bytes = chunk->bytes - size;
        rest->next = chunk->next;
        *link = rest;
    }
    return chunk;
}

void heap_give(heap *of, void *given, uint32_t bytes)
{
    heap_chunk *chunk = given, *before = NULL, *behind = of->first;
    while (behind != NULL && behind < chunk) {
        before = behind;
        behind = behind->next;
    }
    chunk->bytes = rounded(bytes);
    chunk->next = behind;
    if (behind != NULL && (uintptr_t)chunk + chunk->bytes == (uintptr_t)behind) {
        chunk->bytes += behind->bytes;
        chunk->next = behind->next;
    }
    if (before == NULL) {
        of->first = chunk;
    } else if ((uintptr_t)before + before->bytes == (uintptr_t)chunk) {
        before->bytes += chunk->bytes;
        before->next = chunk->next;
    } else {
        before->next = chunk;
    }
}

static heap l2;
static uint32_t l2_open;

void *pi_l2_malloc(int size)
{
    if (l2_open == 0u) {
        heap_open(&l2, (uint32_t)(uintptr_t)l2_free_start, (uint32_t)(uintptr_t)l2_free_end);
        l2_open = 1u;
    }
    return heap_take(&l2, (uint32_t)size);
}

void l2_expect_whole(void)
{
    if (l2_open != 0u && !heap_is_whole(&l2))
        pmsis_fail("L2 that nobody has given back");
}

void pi_l2_free(void *chunk, int size)
{
    heap_give(&l2, chunk, (uint32_t)size);
}
