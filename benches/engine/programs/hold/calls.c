// Calls through a table, many values alive over each of them.
#include "../program.h"

typedef u32 function(u32, u32, u32, u32);

static u32 one(u32 a, u32 b, u32 c, u32 d)
{
    return a + b * c - d;
}

static u32 two(u32 a, u32 b, u32 c, u32 d)
{
    return a ^ b << 3 ^ c >> 5 ^ d;
}

static u32 three(u32 a, u32 b, u32 c, u32 d)
{
    return one(a, d, b, c) + two(c, b, d, a);
}

static function *const functions[4] = { one, two, three, one };

PROGRAM(calls)(u32 rounds, u32 seed)
{
    u32 a = seed, b = 1, c = 2, d = 3;
    for (u32 round = 0; round < rounds; round++) {
        u32 next = functions[a & 3](a, b, c, d) + functions[b & 3](d, c, b, a);
        a = b;
        b = c;
        c = d;
        d = next + round / (1 + (next & 15));
    }
    return a + b + c + d;
}
