// Bulk memory operations on as much memory as there is: one of them is far longer than a time slice.
#include "../program.h"

#define BYTES 57344

static u8 memory[BYTES];

PROGRAM(bulk)(u32 rounds, u32 seed)
{
    u32 sum = 0;
    for (u32 round = 0; round < rounds; round++) {
        __builtin_memset(memory, (int)(seed + round), BYTES);
        __builtin_memmove(memory + 1, memory, BYTES - 1);
        sum += memory[round % BYTES];
    }
    return sum;
}
