// Runs a bare-metal program on the Verilated core with ideal memory: L1, L2, character output and exit register
// of the PULP platform. Usage: rtl PROGRAM.elf [MAXIMUM_CYCLES]
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <elf.h>
#include <vector>

#include "Vcv32e41p_core.h"
#include "verilated.h"

namespace {

constexpr uint32_t kL1 = 0x10000000, kL2 = 0x1c000000, kConsole = 0x1a10f000, kExit = 0x1a1040a0;
constexpr uint32_t kTrapVector = 0x1b000000;
std::vector<uint8_t> l1(0x20000, 0xa5), l2(0x190000, 0xa5);

uint8_t *storage(uint32_t address) {
    if (address - kL1 < l1.size()) return &l1[address - kL1];
    if (address - kL2 < l2.size()) return &l2[address - kL2];
    return nullptr;
}

[[noreturn]] void fail(const char *what, uint32_t address) {
    std::fflush(stdout);
    std::fprintf(stderr, "rtl: %s: 0x%08x\n", what, address);
    std::exit(125);
}

uint32_t read_word(uint32_t address, const char *what) {
    const uint8_t *bytes = storage(address & ~3u);
    uint32_t word;
    if (bytes == nullptr) fail(what, address);
    std::memcpy(&word, bytes, 4);
    return word;
}

uint32_t load_program(const char *path) {
    std::FILE *file = std::fopen(path, "rb");
    if (file == nullptr) fail("program cannot be read", 0);
    std::vector<uint8_t> image;
    for (int byte; (byte = std::fgetc(file)) != EOF;) image.push_back(static_cast<uint8_t>(byte));
    std::fclose(file);
    const auto *header = reinterpret_cast<const Elf32_Ehdr *>(image.data());
    const auto *segments = reinterpret_cast<const Elf32_Phdr *>(image.data() + header->e_phoff);
    for (int i = 0; i < header->e_phnum; i++) {
        if (segments[i].p_type != PT_LOAD || segments[i].p_filesz == 0) continue;
        uint8_t *target = storage(segments[i].p_paddr);
        if (target == nullptr) fail("segment outside memory", segments[i].p_paddr);
        std::memcpy(target, image.data() + segments[i].p_offset, segments[i].p_filesz);
    }
    return header->e_entry;
}

void store(uint32_t address, uint32_t enabled, uint32_t value) {
    if (address == kExit) {
        std::fflush(stdout);
        std::exit(static_cast<int>(value & 0x7f));
    }
    if (address - kConsole < 0x1000) {
        int lane = enabled & 1 ? 0 : enabled & 2 ? 1 : enabled & 4 ? 2 : 3;
        std::putchar(static_cast<int>(value >> 8 * lane & 0xff));
        return;
    }
    for (uint32_t lane = 0; lane < 4; lane++) {
        if (!(enabled >> lane & 1)) continue;
        uint8_t *byte = storage((address & ~3u) + lane);
        if (byte == nullptr) fail("store outside memory", address);
        *byte = static_cast<uint8_t>(value >> 8 * lane);
    }
}

}  // namespace

int main(int count, char **words) {
    if (count < 2) fail("no program", 0);
    const uint64_t maximum = count > 2 ? std::strtoull(words[2], nullptr, 10) : 200000000;
    Vcv32e41p_core core;
    core.boot_addr_i = load_program(words[1]);
    core.mtvec_addr_i = kTrapVector;
    core.hart_id_i = 31 << 5;
    core.pulp_clock_en_i = 1;
    core.fetch_enable_i = 1;
    core.instr_gnt_i = 1;
    core.data_gnt_i = 1;
    uint32_t last[4] = {};
    for (uint64_t cycle = 0; cycle < maximum; cycle++) {
        core.rst_ni = cycle >= 4;
        core.clk_i = 0;
        core.eval();
        // Sample the requests before the edge, answer them after it: one cycle of latency.
        const bool fetch = core.rst_ni && core.instr_req_o, access = core.rst_ni && core.data_req_o;
        const uint32_t fetch_address = core.instr_addr_o, address = core.data_addr_o;
        const uint32_t enabled = core.data_be_o, value = core.data_wdata_o;
        const bool write = core.data_we_o;
        core.clk_i = 1;
        core.eval();
        core.instr_rvalid_i = fetch;
        core.data_rvalid_i = access;
        if (fetch) {
            if (fetch_address - kTrapVector < 0x100) {
                std::fprintf(stderr, "rtl: fetched before: %08x %08x %08x %08x\n", last[0], last[1], last[2], last[3]);
                fail("exception", fetch_address);
            }
            std::memmove(last, last + 1, 3 * sizeof last[0]);
            last[3] = fetch_address;
            core.instr_rdata_i = storage(fetch_address & ~3u) ? read_word(fetch_address, "fetch") : 0;
        }
        if (access && write) store(address, enabled, value);
        if (access && !write) core.data_rdata_i = read_word(address, "load outside memory");
    }
    fail("cycle limit", static_cast<uint32_t>(maximum));
}
