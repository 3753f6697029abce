/* Counts its starts in the device's storage, and says the count. */
#include "../../../sdk/c/wasmbed.h"

#define KEY "boots"

WASMBED_ENTRY void run(void)
{
    int32_t boots = 0;
    int32_t answer = wasmbed_kv_get(KEY, sizeof KEY - 1, &boots, sizeof boots);
    if (answer < 0 && answer != -WASMBED_NOT_THERE) {
        wasmbed_print("the storage cannot be read");
        return;
    }
    boots += 1;
    if (wasmbed_kv_set(KEY, sizeof KEY - 1, &boots, sizeof boots) != WASMBED_OK) {
        wasmbed_print("the count was not kept");
        return;
    }
    char line[24] = "start number ";
    size_t bytes = 13;
    bytes += wasmbed_decimal(line + bytes, boots);
    wasmbed_log(line, bytes);
}
