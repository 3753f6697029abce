// What every measured program has: one exported function of two words that gives one word.
// The same source is compiled natively and to WebAssembly; there is no library under it.
#ifndef PROGRAM_H
#define PROGRAM_H

typedef unsigned char u8;
typedef signed short i16;
typedef unsigned short u16;
typedef signed int i32;
typedef unsigned int u32;
typedef unsigned long long u64;

#ifdef __wasm__
#define PROGRAM(name) __attribute__((export_name("program"))) u32 program_##name
#else
#define PROGRAM(name) u32 program_##name
#endif

#endif
