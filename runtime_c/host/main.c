/* network-host WEIGHTS.bin INPUT.bin OUTPUT.bin [TRACE.bin]
 *
 * Runs the network whose descriptor is TMC_NETWORK. INPUT.bin holds the inputs of one or more runs, OUTPUT.bin
 * gets the outputs of as many: of each run all ports as tmc_ports.h places them, padded with zeros. TRACE.bin gets
 * all traced values of each run, one after the other, in the order of the descriptor; the program must have been
 * built with TMC_TRACE then.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tmc_ports.h"

#ifndef TMC_NETWORK
#error "TMC_NETWORK is the name of a network's descriptor, such as mynet_network"
#endif

extern const tmc_network TMC_NETWORK;

enum { EXIT_USAGE = 2 };

static int complain(const char *what, const char *path)
{
    fprintf(stderr, "error: %s: %s\n", path, what);
    return EXIT_FAILURE;
}

static const char *status_text(int status)
{
    switch (status) {
    case TMC_ERROR_MEMORY:
        return "out of memory";
    case TMC_ERROR_WEIGHTS:
        return "not the weights of this network";
    default:
        return "the cores could not be started";
    }
}

static size_t traced_bytes(const tmc_network *network)
{
    size_t bytes = 0;
    for (uint32_t i = 0; i < network->value_count; ++i)
        bytes += (size_t)network->values[i].rows * network->values[i].row_bytes;
    return bytes;
}

/** The inputs or the outputs of a run. */
typedef struct {
    const tmc_port *ports;
    uint32_t count;
    uint32_t bytes;
    uint8_t *record;   /* all of them, as in files */
    uint8_t **buffers; /* each on its own, so that sanitizers see the ends */
} port_buffers;

/** Take the memory of some ports; 0 where there is not enough. */
static int take_buffers(port_buffers *taken, const tmc_port *ports, uint32_t count)
{
    const uint32_t bytes = tmc_port_offset(ports, count);
    *taken = (port_buffers){ports, count, bytes, calloc(bytes, 1), calloc(count, sizeof(uint8_t *))};
    int complete = taken->record != NULL && taken->buffers != NULL;
    for (uint32_t i = 0; complete && i < count; ++i) {
        taken->buffers[i] = malloc(ports[i].bytes);
        complete = taken->buffers[i] != NULL;
    }
    return complete;
}

static void free_buffers(port_buffers *taken)
{
    for (uint32_t i = 0; taken->buffers != NULL && i < taken->count; ++i)
        free(taken->buffers[i]);
    free(taken->buffers);
    free(taken->record);
}

/** Run the network on the record of its inputs and fill that of its outputs. */
static int run_once(tmc_session *session, const port_buffers *in, const port_buffers *out)
{
    for (uint32_t i = 0; i < in->count; ++i)
        memcpy(in->buffers[i], in->record + tmc_port_offset(in->ports, i), in->ports[i].bytes);
    const int status = tmc_run(session, (const uint8_t *const *)in->buffers, out->buffers);
    for (uint32_t i = 0; i < out->count; ++i)
        memcpy(out->record + tmc_port_offset(out->ports, i), out->buffers[i], out->ports[i].bytes);
    return status;
}

/** Run all inputs of a file; the files are open. */
static int run_all(tmc_session *session, char **paths, FILE *input_file, FILE *output_file, FILE *trace_file)
{
    const tmc_network *network = session->network;
    port_buffers in, out;
    const int taken = take_buffers(&in, network->inputs, network->input_count) &
                      take_buffers(&out, network->outputs, network->output_count);
    int result = taken ? EXIT_SUCCESS : complain("out of memory", paths[2]);
    size_t runs = 0;
    while (result == EXIT_SUCCESS) {
        const size_t count = fread(in.record, 1, in.bytes, input_file);
        if (count == 0 && runs > 0)
            break;
        if (count != in.bytes) {
            result = complain("size is not a multiple of the network's inputs", paths[2]);
            break;
        }
        const int status = run_once(session, &in, &out);
        if (status != TMC_OK)
            result = complain(status_text(status), network->name);
        else if (fwrite(out.record, 1, out.bytes, output_file) != out.bytes)
            result = complain("cannot write", paths[3]);
        else if (trace_file != NULL &&
                 fwrite(session->traced, 1, traced_bytes(network), trace_file) != traced_bytes(network))
            result = complain("cannot write", paths[4]);
        ++runs;
    }
    free_buffers(&in);
    free_buffers(&out);
    return result;
}

/** Close a file that was written; what was buffered may fail to reach the disk. */
static int close_written(FILE *file, const char *path, int result)
{
    return fclose(file) == 0 || result != EXIT_SUCCESS ? result : complain("cannot write", path);
}

static int run_files(tmc_session *session, int count, char **paths)
{
    FILE *input_file = fopen(paths[2], "rb");
    if (input_file == NULL)
        return complain("cannot read", paths[2]);
    FILE *output_file = fopen(paths[3], "wb");
    if (output_file == NULL) {
        fclose(input_file);
        return complain("cannot write", paths[3]);
    }
    FILE *trace_file = count > 4 ? fopen(paths[4], "wb") : NULL;
    int result = EXIT_SUCCESS;
    if (count > 4 && trace_file == NULL)
        result = complain("cannot write", paths[4]);
    else
        result = run_all(session, paths, input_file, output_file, trace_file);
    if (trace_file != NULL)
        result = close_written(trace_file, paths[4], result);
    result = close_written(output_file, paths[3], result);
    fclose(input_file);
    return result;
}

int main(int count, char **arguments)
{
    if (count < 4 || count > 5) {
        fprintf(stderr, "usage: %s WEIGHTS.bin INPUT.bin OUTPUT.bin [TRACE.bin]\n", arguments[0]);
        return EXIT_USAGE;
    }
    tmc_session session;
    const int status = tmc_open(&session, &TMC_NETWORK, arguments[1]);
    if (status != TMC_OK)
        return complain(status_text(status), arguments[1]);
    int result = EXIT_SUCCESS;
    if (count > 4 && session.traced == NULL)
        result = complain("this program was built without TMC_TRACE", arguments[4]);
    else
        result = run_files(&session, count, arguments);
    tmc_close(&session);
    return result;
}
