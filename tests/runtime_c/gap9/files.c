/* Flash, and the read-only file system in it: a header of all files, each with address, size, length of its name and
 * name [OS: fs/read_fs/read_fs.c]. There is no table of partitions: the file system is all of the flash. Flash and
 * MRAM are one memory here; MRAM says that it was opened by that name.
 */
#include <stddef.h>

#include "bare_metal.h"
#include "bsp/bsp.h"
#include "bsp/fs.h"
#include "bsp/fs/readfs.h"
#include "pmsis_parts.h"
#include "registers.h"

typedef struct {
    uint32_t address;
    uint32_t bytes;
    uint32_t name_bytes;
    char name[];
} description;

typedef struct {
    pi_fs_file_t file; /* what callers see */
    uint32_t address;
} open_file;

static uint8_t *header;
static uint32_t header_bytes[2];

void pi_default_flash_conf_init(struct pi_default_flash_conf *conf)
{
    conf->baudrate = 0;
}

void pi_mram_conf_init(struct pi_mram_conf *conf)
{
    conf->itf = 0;
    console_text("mram\n");
}

int pi_flash_open(struct pi_device *device)
{
    (void)device;
    hyper_start();
    return 0;
}

void pi_flash_close(struct pi_device *device)
{
    (void)device;
}

static void read_flash(uint32_t address, void *data, uint32_t bytes)
{
    register_store(HYPER_SHARED_ADDRESS + HYPER_MEMORY_SELECT, 1u);
    register_store(HYPER_ADDRESS + HYPER_READ_ADDRESS, (uint32_t)(uintptr_t)data);
    register_store(HYPER_ADDRESS + HYPER_READ_BYTES, bytes);
    register_store(HYPER_ADDRESS + HYPER_COMMAND, HYPER_COMMAND_READ);
    register_store(HYPER_ADDRESS + HYPER_EXTERNAL, address);
    register_store(HYPER_ADDRESS + HYPER_READ_START, HYPER_START);
    while ((register_load(HYPER_ADDRESS + HYPER_STATUS) & HYPER_BUSY) != 0u)
        ;
    __asm__ volatile("" ::: "memory");
}

void pi_readfs_conf_init(struct pi_readfs_conf *conf)
{
    conf->fs.flash = NULL;
}

int32_t pi_fs_mount(struct pi_device *device)
{
    const struct pi_readfs_conf *conf = device->config;
    if (conf->fs.flash == NULL)
        return -1;
    read_flash(0, header_bytes, sizeof header_bytes);
    header = pi_l2_malloc((int)header_bytes[0]);
    if (header == NULL)
        return -1;
    read_flash(sizeof header_bytes, header, header_bytes[0]);
    return 0;
}

void pi_fs_unmount(struct pi_device *device)
{
    (void)device;
    pi_l2_free(header, (int)header_bytes[0]);
}

static int same(const char *name, const char *other, uint32_t other_bytes)
{
    uint32_t i = 0;
    while (i < other_bytes && name[i] != '\0' && name[i] == other[i])
        ++i;
    return (i == other_bytes || other[i] == '\0') && name[i] == '\0';
}

pi_fs_file_t *pi_fs_open(struct pi_device *device, const char *file, int flags)
{
    (void)device;
    const uint8_t *at = header + 4;
    for (uint32_t left = *(const uint32_t *)(const void *)header; flags == 0 && left != 0u; --left) {
        const description *each = (const void *)at;
        if (same(file, each->name, each->name_bytes)) {
            open_file *opened = pi_l2_malloc(sizeof(open_file));
            if (opened != NULL)
                *opened = (open_file){.file = {.size = each->bytes}, .address = each->address};
            return opened == NULL ? NULL : &opened->file;
        }
        at += sizeof *each + each->name_bytes;
    }
    return NULL;
}

void pi_fs_close(pi_fs_file_t *file)
{
    pi_l2_free(file, sizeof(open_file));
}

int32_t pi_fs_read(pi_fs_file_t *file, void *buffer, uint32_t size)
{
    const uint32_t left = file->size - file->offset;
    const uint32_t bytes = size < left ? size : left;
    read_flash(((open_file *)file)->address + file->offset, buffer, bytes);
    file->offset += bytes;
    return (int32_t)bytes;
}
