/* network-host WEIGHTS.bin INPUT.bin OUTPUT.bin [TRACE.bin]
 *
 * Runs the network whose descriptor is TMC_NETWORK. INPUT.bin holds one or more inputs, one after the other;
 * OUTPUT.bin gets as many outputs. TRACE.bin gets all traced values of each run, one after the other, in the
 * order of the descriptor; the program must have been built with TMC_TRACE then.
 */
#include <stdio.h>
#include <stdlib.h>

#include "tmc_platform.h"

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

/** Run every input of a file; the files are open. */
static int run_all(tmc_session *session, char **paths, FILE *input_file, FILE *output_file, FILE *trace_file)
{
    const tmc_network *network = session->network;
    uint8_t *input = malloc(network->input_bytes);
    uint8_t *output = malloc(network->output_bytes);
    int result = input != NULL && output != NULL ? EXIT_SUCCESS : complain("out of memory", paths[2]);
    size_t runs = 0;
    while (result == EXIT_SUCCESS) {
        const size_t count = fread(input, 1, network->input_bytes, input_file);
        if (count == 0 && runs > 0)
            break;
        if (count != network->input_bytes) {
            result = complain("size is not a multiple of the network's input", paths[2]);
            break;
        }
        const int status = tmc_run(session, input, output);
        if (status != TMC_OK)
            result = complain(status_text(status), network->name);
        else if (fwrite(output, 1, network->output_bytes, output_file) != network->output_bytes)
            result = complain("cannot write", paths[3]);
        else if (trace_file != NULL &&
                 fwrite(session->traced, 1, traced_bytes(network), trace_file) != traced_bytes(network))
            result = complain("cannot write", paths[4]);
        ++runs;
    }
    free(input);
    free(output);
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
