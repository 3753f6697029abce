/* {{name}}: switches an LED on and off, and logs what it does. */
#include "wasmbed.h"

#define PERIOD_MS 500

WASMBED_ENTRY void run(void)
{
    for (uint32_t count = 0;; count += 1) {
        uint32_t is_on = count % 2 == 0;
        if (wasmbed_led_set(0, is_on) == WASMBED_OK)
            wasmbed_print(is_on ? "on" : "off");
        else
            wasmbed_print("no LED");
        wasmbed_timer_wait_ms(PERIOD_MS);
    }
}
