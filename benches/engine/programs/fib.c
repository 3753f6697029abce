// Calls: Fibonacci numbers by plain recursion.
#include "program.h"

static u32 fib(u32 n)
{
    return n < 2 ? n : fib(n - 1) + fib(n - 2);
}

PROGRAM(fib)(u32 n, u32 unused)
{
    (void)unused;
    return fib(n);
}
