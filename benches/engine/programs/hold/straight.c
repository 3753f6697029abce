// A loop whose body is one long stretch without a branch.
#include "../program.h"

#define STEP x = x * 31 + (x >> 7 ^ y); y += x;
#define FOUR(step) step step step step
#define LONG FOUR(FOUR(FOUR(FOUR(FOUR(STEP)))))

PROGRAM(straight)(u32 rounds, u32 seed)
{
    u32 x = seed, y = 1;
    for (u32 round = 0; round < rounds; round++) {
        LONG
    }
    return x ^ y;
}
