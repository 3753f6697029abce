// Byte stores in nested loops: the primes below a bound, several rounds.
#include "program.h"

#define BOUND_MAX 8192

static u8 composite[BOUND_MAX];

PROGRAM(sieve)(u32 rounds, u32 bound)
{
    u32 primes = 0;
    if (bound > BOUND_MAX)
        bound = BOUND_MAX;
    while (rounds-- > 0) {
        for (u32 i = 0; i < bound; i++)
            composite[i] = 0;
        primes = 0;
        for (u32 i = 2; i < bound; i++) {
            if (composite[i])
                continue;
            primes++;
            for (u32 multiple = i + i; multiple < bound; multiple += i)
                composite[multiple] = 1;
        }
    }
    return primes;
}
