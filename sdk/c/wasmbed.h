/* What a guest in C uses to run on a device. SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Needs no library: clang --target=wasm32 -Oz -ffreestanding -mbulk-memory, and a linker with
 * --page-size (`wasmbed build` finds both). A guest has one entry:
 *
 *     WASMBED_ENTRY void run(void) { wasmbed_print("hello"); }
 *
 * Each function names the capability that the Application must grant before a guest may import it.
 * Text is UTF-8 and needs no zero at its end. A test compares the declarations with the table in
 * crates/shared/abi; docs/abi.md says in full what each function does.
 */
#ifndef WASMBED_H
#define WASMBED_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Makes a function `run(void)` the guest's entry. */
#define WASMBED_ENTRY __attribute__((export_name("run")))

#define WASMBED_IMPORT(name) __attribute__((import_module("wasmbed"), import_name(name)))
#define WASMBED_WASI(name) __attribute__((import_module("wasi_snapshot_preview1"), import_name(name)))

/* What calls answer. Calls that answer a count answer the negated status instead. */
enum wasmbed_status {
    WASMBED_OK = 0,
    WASMBED_DROPPED = 1,   /* no room: what was sent is lost, and counted as such */
    WASMBED_REFUSED = 2,   /* not granted for this topic, pin or address, or out of bounds */
    WASMBED_FAILED = 3,    /* the hardware or the storage failed */
    WASMBED_NOT_THERE = 4, /* the board has none, the key is absent, nobody answers */
    WASMBED_TIMEOUT = 5,   /* the time was over */
    WASMBED_TOO_OFTEN = 6, /* more often than granted */
    WASMBED_TOO_SMALL = 7, /* the buffer is too small; nothing was taken */
    WASMBED_STOPPING = 8,  /* the device wants the guest to end */
};

enum {
    WASMBED_LOG_BYTES_MAX = 256,
    WASMBED_TOPIC_BYTES_MAX = 32,
    WASMBED_PAYLOAD_BYTES_MAX = 256,
    WASMBED_MESSAGE_BYTES_MAX = 1 + 32 + 256,
    WASMBED_KEY_BYTES_MAX = 32,
    WASMBED_VALUE_BYTES_MAX = 256,
    WASMBED_I2C_BYTES_MAX = 32,
};

/* For `timeout_ms`: do not wait at all, or wait for ever. */
#define WASMBED_NO_WAIT UINT32_C(0)
#define WASMBED_FOREVER UINT32_C(0xffffffff)

/* Writes one line to the device's log; what is longer than 256 bytes is cut. Capability: log. */
WASMBED_IMPORT("log")
void wasmbed_log(const char *text, size_t text_bytes);

/* Milliseconds since the device booted. Capability: clock. */
WASMBED_IMPORT("clock_monotonic_ms")
uint64_t wasmbed_clock_monotonic_ms(void);

/* Waits; meanwhile the device does other things. Capability: timer. */
WASMBED_IMPORT("timer_wait_ms")
void wasmbed_timer_wait_ms(uint32_t delay_ms);

/* Publishes one value under a topic. Answers a status. Capability: telemetry. */
WASMBED_IMPORT("telemetry")
int32_t wasmbed_telemetry(const char *topic, size_t topic_bytes, int64_t value);

/* Sends a message to the guests of this device that receive its topic, and to the cloud. Answers a
 * status. Capability: send. */
WASMBED_IMPORT("message_send")
int32_t wasmbed_message_send(const char *topic, size_t topic_bytes, const void *payload, size_t payload_bytes);

/* Waits for the next message: one byte with the length of its topic, the topic, the payload. Answers
 * the bytes of all that. Capability: receive. */
WASMBED_IMPORT("message_receive")
int32_t wasmbed_message_receive(void *buffer, size_t buffer_bytes, uint32_t timeout_ms);

/* Copies the value that is kept under a key. Answers its length. Capability: storage. */
WASMBED_IMPORT("kv_get")
int32_t wasmbed_kv_get(const char *key, size_t key_bytes, void *value, size_t value_bytes);

/* Keeps a value over restarts, updates and power cuts. Answers a status. Capability: storage. */
WASMBED_IMPORT("kv_set")
int32_t wasmbed_kv_set(const char *key, size_t key_bytes, const void *value, size_t value_bytes);

/* Forgets the value under a key. Answers a status. Capability: storage. */
WASMBED_IMPORT("kv_delete")
int32_t wasmbed_kv_delete(const char *key, size_t key_bytes);

/* LEDs that the board has. Capability: led. */
WASMBED_IMPORT("led_count")
int32_t wasmbed_led_count(void);

/* Switches an LED on (not 0) or off. Answers a status. Capability: led. */
WASMBED_IMPORT("led_set")
int32_t wasmbed_led_set(uint32_t index, uint32_t is_on);

/* Buttons that the board has. Capability: button. */
WASMBED_IMPORT("button_count")
int32_t wasmbed_button_count(void);

/* 1 while a button is held down, 0 otherwise. Capability: button. */
WASMBED_IMPORT("button_read")
int32_t wasmbed_button_read(uint32_t index);

/* Waits until a button of `mask` (bit 0 is button 0) becomes pressed: one that is held already must
 * be released first. Answers which were. Capability: button. */
WASMBED_IMPORT("button_wait")
int32_t wasmbed_button_wait(uint32_t mask, uint32_t timeout_ms);

/* Writes to a device on the I2C bus, then reads from it. Answers a status. Capability: i2c. */
WASMBED_IMPORT("i2c_transfer")
int32_t wasmbed_i2c_transfer(uint32_t address, const void *output, size_t output_bytes, void *input, size_t input_bytes);

/* Serial lines that the board has for guests. Capability: uart. */
WASMBED_IMPORT("uart_count")
int32_t wasmbed_uart_count(void);

/* Sends bytes over a serial line. Answers how many were taken. Capability: uart. */
WASMBED_IMPORT("uart_write")
int32_t wasmbed_uart_write(uint32_t index, const void *bytes, size_t bytes_count);

/* Waits for bytes from a serial line. Answers how many came. Capability: uart. */
WASMBED_IMPORT("uart_read")
int32_t wasmbed_uart_read(uint32_t index, void *buffer, size_t buffer_bytes, uint32_t timeout_ms);

/* 1 once the device wants the guest to end. A guest that asks this has two seconds from then on to end
 * by itself; one that never asks is stopped at once. */
WASMBED_IMPORT("stop_requested")
int32_t wasmbed_stop_requested(void);

/* Fills a buffer with random bytes. Answers 0, or an error number of WASI. Capability: random. */
WASMBED_WASI("random_get")
int32_t wasmbed_random(void *buffer, size_t buffer_bytes);

/* Bytes before the zero at the end of a text. */
static inline size_t wasmbed_length(const char *text)
{
    size_t bytes = 0;
    while (text[bytes] != '\0')
        bytes += 1;
    return bytes;
}

/* Logs a text that ends with a zero. */
static inline void wasmbed_print(const char *text)
{
    wasmbed_log(text, wasmbed_length(text));
}

/* Writes a number in decimal at `target`, which has room for 11 bytes; answers how many it took. */
static inline size_t wasmbed_decimal(char *target, int32_t value)
{
    char digits[10];
    size_t count = 0, bytes = 0;
    uint32_t rest = value < 0 ? 0u - (uint32_t)value : (uint32_t)value;
    do {
        digits[count++] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest != 0);
    if (value < 0)
        target[bytes++] = '-';
    while (count > 0)
        target[bytes++] = digits[--count];
    return bytes;
}

#ifdef __cplusplus
}
#endif

#endif
