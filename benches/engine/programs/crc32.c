// Table look-ups: CRC-32 of a buffer, several rounds; the table is computed first.
#include "program.h"

#define BYTES_MAX 4096

static u32 table[256];
static u8 buffer[BYTES_MAX];

static void fill_table(void)
{
    for (u32 i = 0; i < 256; i++) {
        u32 value = i;
        for (u32 bit = 0; bit < 8; bit++)
            value = value & 1 ? value >> 1 ^ 0xedb88320u : value >> 1;
        table[i] = value;
    }
}

PROGRAM(crc32)(u32 rounds, u32 bytes)
{
    if (bytes > BYTES_MAX)
        bytes = BYTES_MAX;
    fill_table();
    for (u32 i = 0; i < bytes; i++)
        buffer[i] = (u8)(i * 7 + (i >> 5));
    u32 crc = 0;
    while (rounds-- > 0) {
        crc = ~crc;
        for (u32 i = 0; i < bytes; i++)
            crc = crc >> 8 ^ table[(crc ^ buffer[i]) & 255];
        crc = ~crc;
    }
    return crc;
}
