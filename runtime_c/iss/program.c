#include "program.h"

#include <elf.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "trap.h"

typedef struct Symbol {
    uint32_t address;
    bool typed; /* A function or object, not a mere label: the better name of two at one address. */
    uint32_t section;
    const char *name;
} Symbol;

static uint8_t *image;
static size_t image_bytes;
static Span *code_spans;
static size_t code_span_count;
static Symbol *symbols;
static size_t symbol_count;
static const Elf32_Shdr *section_table;
static uint32_t section_count;

/* Return a part of the file, checked to lie inside it. */
static const void *part(const char *path, uint64_t offset, uint64_t bytes)
{
    if (offset + bytes > image_bytes) {
        usage_error("%s: truncated: found %zu bytes, needs %llu", path, image_bytes,
                    (unsigned long long)(offset + bytes));
    }
    return image + offset;
}

static void read_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    long size;
    if (file == NULL || fseek(file, 0, SEEK_END) != 0 || (size = ftell(file)) < 0) {
        usage_error("%s: cannot be read", path);
    }
    rewind(file);
    image_bytes = (size_t)size;
    image = allocate(image_bytes, 1);
    if (fread(image, 1, image_bytes, file) != image_bytes) {
        usage_error("%s: cannot be read", path);
    }
    fclose(file);
}

static void add_code(uint32_t begin, uint32_t bytes)
{
    code_spans[code_span_count++] = (Span){begin, begin + bytes};
}

static void load_segments(const char *path, const Elf32_Ehdr *header)
{
    const Elf32_Phdr *segments = part(path, header->e_phoff, (uint64_t)header->e_phnum * sizeof *segments);
    for (unsigned i = 0; i < header->e_phnum; i++) {
        const Elf32_Phdr *segment = &segments[i];
        if (segment->p_type != PT_LOAD || segment->p_memsz == 0) {
            continue;
        }
        uint8_t *destination = memory_bytes(segment->p_paddr, segment->p_memsz);
        if (destination == NULL) {
            usage_error("%s: segment of %u bytes at 0x%08x: no memory there", path, segment->p_memsz,
                        segment->p_paddr);
        }
        memcpy(destination, part(path, segment->p_offset, segment->p_filesz), segment->p_filesz);
        if (segment->p_filesz != 0) {
            memset(destination + segment->p_filesz, 0, segment->p_memsz - segment->p_filesz);
        }
        if ((segment->p_flags & PF_X) && section_count == 0) {
            add_code(segment->p_paddr, segment->p_memsz);
        }
    }
}

static int compare_symbols(const void *left, const void *right)
{
    const Symbol *a = left, *b = right;
    if (a->address != b->address) {
        return a->address < b->address ? -1 : 1;
    }
    return (int)a->typed - (int)b->typed;
}

/* Mapping symbols ($x, $d) and the assembler's local labels say nothing to a reader. */
static bool is_name(const char *name) { return name[0] != '$' && strncmp(name, ".L", 2) != 0; }

static void load_symbols(const char *path, const Elf32_Shdr *table)
{
    const Elf32_Sym *entries = part(path, table->sh_offset, table->sh_size);
    size_t count = table->sh_size / sizeof *entries;
    if (table->sh_link >= section_count) {
        usage_error("%s: symbol table without names", path);
    }
    const Elf32_Shdr *names = &section_table[table->sh_link];
    const char *text = part(path, names->sh_offset, names->sh_size);
    if (names->sh_size == 0 || text[names->sh_size - 1] != '\0') {
        usage_error("%s: symbol names do not end", path);
    }
    symbols = allocate(count + 1, sizeof *symbols);
    for (size_t i = 0; i < count; i++) {
        unsigned type = ELF32_ST_TYPE(entries[i].st_info);
        bool named = entries[i].st_name != 0 && entries[i].st_name < names->sh_size;
        bool typed = type == STT_FUNC || type == STT_OBJECT;
        bool wanted = (typed || type == STT_NOTYPE) && named && is_name(text + entries[i].st_name);
        if (wanted && entries[i].st_shndx != SHN_UNDEF && entries[i].st_shndx < section_count) {
            symbols[symbol_count++] =
                (Symbol){entries[i].st_value, typed, entries[i].st_shndx, text + entries[i].st_name};
        }
    }
    qsort(symbols, symbol_count, sizeof *symbols, compare_symbols);
}

uint32_t program_load(const char *path)
{
    read_file(path);
    const Elf32_Ehdr *header = part(path, 0, sizeof *header);
    if (memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 || header->e_ident[EI_CLASS] != ELFCLASS32 ||
        header->e_ident[EI_DATA] != ELFDATA2LSB || header->e_machine != EM_RISCV || header->e_type != ET_EXEC) {
        usage_error("%s: not a 32-bit little-endian RISC-V executable", path);
    }
    section_count = header->e_shnum;
    section_table = part(path, header->e_shoff, (uint64_t)section_count * sizeof *section_table);
    code_spans = allocate((size_t)section_count + header->e_phnum + 1, sizeof *code_spans);
    for (unsigned i = 0; i < section_count; i++) {
        const Elf32_Shdr *section = &section_table[i];
        if ((section->sh_flags & (SHF_ALLOC | SHF_EXECINSTR)) == (SHF_ALLOC | SHF_EXECINSTR)) {
            add_code(section->sh_addr, section->sh_size);
        }
        if (section->sh_type == SHT_SYMTAB && symbols == NULL) {
            load_symbols(path, section);
        }
    }
    load_segments(path, header);
    for (unsigned i = 0; i < section_count; i++) {
        if ((section_table[i].sh_flags & SHF_ALLOC) && !(section_table[i].sh_flags & SHF_WRITE)) {
            memory_protect(section_table[i].sh_addr, section_table[i].sh_size);
        }
    }
    return header->e_entry;
}

Span program_code(void)
{
    Span whole = {0xffffffffu, 0};
    for (size_t i = 0; i < code_span_count; i++) {
        whole.begin = code_spans[i].begin < whole.begin ? code_spans[i].begin : whole.begin;
        whole.end = code_spans[i].end > whole.end ? code_spans[i].end : whole.end;
    }
    return whole;
}

bool program_is_code(uint32_t address)
{
    for (size_t i = 0; i < code_span_count; i++) {
        if (address >= code_spans[i].begin && address < code_spans[i].end) {
            return true;
        }
    }
    return false;
}

bool program_address(const char *name, uint32_t *address)
{
    for (size_t i = 0; i < symbol_count; i++) {
        if (strcmp(symbols[i].name, name) == 0) {
            *address = symbols[i].address;
            return true;
        }
    }
    return false;
}

const char *program_symbol(uint32_t address, uint32_t *offset)
{
    size_t low = 0, high = symbol_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (symbols[middle].address <= address) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low == 0) {
        return NULL;
    }
    const Symbol *symbol = &symbols[low - 1];
    const Elf32_Shdr *section = &section_table[symbol->section];
    if (address - section->sh_addr > section->sh_size) {
        return NULL;
    }
    *offset = address - symbol->address;
    return symbol->name;
}
