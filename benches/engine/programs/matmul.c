// Array indexing: products of square matrices of 32-bit words.
#include "program.h"

#define SIZE_MAX 24

static u32 a[SIZE_MAX][SIZE_MAX], b[SIZE_MAX][SIZE_MAX], c[SIZE_MAX][SIZE_MAX];

PROGRAM(matmul)(u32 rounds, u32 size)
{
    if (size > SIZE_MAX)
        size = SIZE_MAX;
    for (u32 i = 0; i < size; i++)
        for (u32 j = 0; j < size; j++) {
            a[i][j] = i * 3 + j;
            b[i][j] = j * 5 - i;
        }
    while (rounds-- > 0) {
        for (u32 i = 0; i < size; i++)
            for (u32 j = 0; j < size; j++) {
                u32 sum = 0;
                for (u32 k = 0; k < size; k++)
                    sum += a[i][k] * b[k][j];
                c[i][j] = sum;
            }
        for (u32 i = 0; i < size; i++)
            for (u32 j = 0; j < size; j++)
                a[i][j] = c[i][j] >> 3 ^ (i + j);
    }
    u32 hash = 0;
    for (u32 i = 0; i < size; i++)
        for (u32 j = 0; j < size; j++)
            hash = hash * 31 + a[i][j];
    return hash;
}
