// 64-bit words: sums, products, shifts and rotations in one chain.
#include "program.h"

PROGRAM(i64mix)(u32 rounds, u32 seed)
{
    u64 x = (u64)seed << 32 | 0x9e3779b9u;
    u64 sum = 0;
    for (u32 i = 0; i < rounds; i++) {
        x ^= x >> 12;
        x ^= x << 25;
        x ^= x >> 27;
        sum += x * 0x2545f4914f6cdd1dull;
        sum = (sum << 13 | sum >> 51) - i;
    }
    return (u32)(sum ^ sum >> 32);
}
