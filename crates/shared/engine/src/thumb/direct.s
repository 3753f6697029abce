@ Rows of the second page that are done by a function of Rust, called without leaving the core.
@
@ Left out on purpose: rows that can trap, which go to `step`. The function is in lr, where fuel was;
@ while it runs, an interrupt changes the table in memory only, so r12 is loaded again behind it.

    .macro direct kind, f
    push    {r3, lr}
    ldr     lr, .Lfunction\@
    b       .Ldirect_\kind
    .balign 4
.Lfunction\@:
    .word   wasmbed_engine_\f
    .endm

@ A row that the floating-point unit does, where there is one that can, or the function.
    .macro direct_row name, kind, f
    .balign 4
.Lcold_\name:
    .ifdef has_\f
    u_\kind \f
    .else
    direct  \kind, \f
    .endif
    .endm

    .macro direct_end bytes
    blx     lr
    pop     {r3, lr}
    mov     r5, r0
    mov     r11, r1
    ldr     r1, .Ldirect_table_address
    ldr     r12, [r1]
    next    \bytes
    .endm

@ Slot and accumulator, both of 32 or both of 64 bits; or the accumulator alone.
    .balign 4
.Ldirect_binary32:
    slot    r0, 1
    mov     r1, r5
    direct_end 2
.Ldirect_binary64:
.Ldirect_compare64:
    pair    1
    mov     r2, r5
    mov     r3, r11
    direct_end 2
.Ldirect_unary32:
    mov     r0, r5
    direct_end 1
.Ldirect_unary64:
.Ldirect_narrow:
    mov     r0, r5
    mov     r1, r11
    direct_end 1
    .balign 4
.Ldirect_table_address:
    .word   wasmbed_engine_table
