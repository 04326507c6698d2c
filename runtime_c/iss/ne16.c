#include "ne16.h"

#include <string.h>

#include "cluster.h"
#include "ne16_job.h"
#include "trap.h"

enum {
    REGISTER_TRIGGER = 0x00,
    REGISTER_ACQUIRE = 0x04, /* Read: the number of the job, or negative. */
    REGISTER_STATUS = 0x0c,  /* Bit 0 and bit 8: the contexts in use. */
    REGISTER_RUNNING = 0x10, /* The number of the job that runs, or ran last. */
    REGISTER_CLEAR = 0x14,
    REGISTER_JOB = 0x20,
};

#define QUEUE_FULL 0xffffffffu
#define QUEUE_TAKEN 0xfffffffeu /* A job is being written. */
#define CONTEXTS 2
#define STATUS_BIT(context) (1u << 8 * (context))

typedef enum State { FREE, TAKEN, QUEUED, ENDED } State;

typedef struct Context {
    uint32_t words[NE16_WORDS];
    State state;
    uint8_t number;
    Ne16Job job;
} Context;

static Context contexts[CONTEXTS];
static unsigned next; /* To be acquired, or being written. */
static uint8_t next_number, last_number;
static bool started;

/* Registers hold rubbish until they are written. */
static void start(void)
{
    if (!started) {
        memset(contexts[0].words, 0xa5, sizeof contexts[0].words);
        memset(contexts[1].words, 0xa5, sizeof contexts[1].words);
        started = true;
    }
}

static void see_end(Hart *hart, Context *context)
{
    if (context->state == ENDED) {
        const Context *other = &contexts[context == &contexts[0]];
        bool is_behind = other->state == QUEUED || other->state == ENDED;
        ne16_job_finish(hart, &context->job, is_behind ? &other->job : NULL);
        context->state = FREE;
    }
}

/* Return the context of the job that runs, or null. Contexts are used in turn: of two jobs, the older one's is next. */
static Context *running(void)
{
    Context *older = &contexts[next], *younger = &contexts[1 - next];
    return older->state == QUEUED ? older : younger->state == QUEUED ? younger : NULL;
}

void ne16_progress(void)
{
    Context *context = running();
    if (context != NULL) {
        context->state = ENDED;
        last_number = context->number;
        event_unit_raise(EVENT_NE16, (1u << cluster_cores) - 1);
    }
}

static uint32_t acquire(Hart *hart)
{
    Context *context = &contexts[next];
    see_end(hart, context);
    if (context->state == TAKEN) {
        return QUEUE_TAKEN;
    }
    if (context->state == QUEUED) {
        ne16_progress();
        return QUEUE_FULL;
    }
    context->state = TAKEN;
    context->number = next_number++;
    return context->number;
}

static uint32_t status(Hart *hart)
{
    uint32_t used = 0;
    see_end(hart, &contexts[next]);
    see_end(hart, &contexts[1 - next]);
    for (unsigned i = 0; i < CONTEXTS; i++) {
        used |= contexts[i].state != FREE ? STATUS_BIT(i) : 0;
    }
    ne16_progress();
    return used;
}

static void trigger(Hart *hart, uint32_t value)
{
    Context *context = &contexts[next];
    if (context->state != TAKEN) {
        trap(hart, "NE16: trigger without an acquired job");
    }
    if (value != 0) {
        trap(hart, "NE16: trigger with %u, which is not modelled", value);
    }
    Context *before = &contexts[1 - next];
    context->job = ne16_job_of(hart, context->words);
    ne16_job_start(hart, &context->job, before->state == FREE ? NULL : &before->job);
    context->state = QUEUED;
    next = 1 - next;
}

/* Give acquired contexts back; contexts and numbers begin anew. */
static void clear(const Hart *hart)
{
    for (unsigned i = 0; i < CONTEXTS; i++) {
        if (contexts[i].state == QUEUED || contexts[i].state == ENDED) {
            trap(hart, "NE16: cleared while job %u was not waited for", contexts[i].number);
        }
        contexts[i].state = FREE;
    }
    next = 0;
    next_number = last_number = 0;
}

uint32_t ne16_load(Hart *hart, uint32_t offset)
{
    start();
    switch (offset) {
    case REGISTER_ACQUIRE:
        return acquire(hart);
    case REGISTER_STATUS:
        return status(hart);
    case REGISTER_RUNNING:
        return running() != NULL ? running()->number : last_number;
    default:
        trap(hart, "NE16: read of register 0x%x, which is not modelled", offset);
    }
}

void ne16_store(Hart *hart, uint32_t offset, uint32_t value)
{
    start();
    if (offset == REGISTER_TRIGGER) {
        trigger(hart, value);
    } else if (offset == REGISTER_CLEAR) {
        clear(hart);
    } else if (offset >= REGISTER_JOB && offset < REGISTER_JOB + 4 * NE16_WORDS) {
        if (contexts[next].state != TAKEN) {
            trap(hart, "NE16: register 0x%x is written without an acquired job", offset);
        }
        contexts[next].words[(offset - REGISTER_JOB) / 4] = value;
    } else {
        trap(hart, "NE16: write of register 0x%x, which is not modelled", offset);
    }
}
