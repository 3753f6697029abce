// Single-precision floating point: how long points of the plane stay bounded.
#include "program.h"

PROGRAM(f32mandel)(u32 size, u32 rounds_max)
{
    u32 total = 0;
    for (u32 row = 0; row < size; row++)
        for (u32 column = 0; column < size; column++) {
            float cx = (float)column * 3.0f / (float)size - 2.0f;
            float cy = (float)row * 2.0f / (float)size - 1.0f;
            float x = 0.0f, y = 0.0f;
            u32 round = 0;
            while (round < rounds_max) {
                float xx = x * x, yy = y * y;
                if (xx + yy > 4.0f)
                    break;
                y = 2.0f * x * y + cy;
                x = xx - yy + cx;
                round++;
            }
            total = total * 3 + round;
        }
    return total;
}
