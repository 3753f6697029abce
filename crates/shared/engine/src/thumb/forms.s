@ Templates of the forms that save an instruction or two of another: constants of 32 bits, results
@ stored where an operand was, addresses that are sums.
@
@ Left out: the plain forms, which stand in templates.s with what all of them use.

    .macro t_rj f
    slot    r0, 1
    ldr     r1, [r4, #2]
    f_\f    r5, r0, r1
    next    6
    .endm
    .macro t_rjs f
    slot    r0, 1
    ldr     r1, [r4, #2]
    f_\f    r5, r0, r1
    keep    6
    next    7
    .endm
    .macro t_ajs f
    ldr     r1, [r4, #1]
    f_\f    r5, r5, r1
    keep    5
    next    6
    .endm

@ The result goes to the slot of the first operand.
    .macro t_rr2 f
    ldrb    r3, [r4, #1]
    ldr     r0, [r6, r3, lsl #2]
    slot    r1, 2
    f_\f    r5, r0, r1
    str     r5, [r6, r3, lsl #2]
    next    3
    .endm
    .macro t_ri2 f
    ldrb    r3, [r4, #1]
    ldr     r0, [r6, r3, lsl #2]
    constant_\f 2
    k_\f    r5, r0
    str     r5, [r6, r3, lsl #2]
    next    3
    .endm

    .macro t_loop_aj f
    ldr     r0, [r4, #1]
    cmp     r5, r0
    loop_if \f, 5
    .endm

    .macro t_selects
    ldrb    r0, [r4, #2]
    cbz     r5, .Lsecond\@
    ldrb    r0, [r4, #1]
.Lsecond\@:
    ldr     r5, [r6, r0, lsl #2]
    keep    3
    next    4
    .endm
    .macro t_set_const32
    ldrb    r1, [r4, #1]
    ldr     r0, [r4, #2]
    str     r0, [r6, r1, lsl #2]
    next    6
    .endm

@ Loads that store: as in templates.s, the address is in r5 or r0, the offset in r1.
    .macro t_load_a0s f
    cmp     r5, r9
    bhs     .Lfar\@
.Lnear\@:
    f_\f    r5, r5, r7
    keep    1
    next    2
.Lfar\@:
    mov     r1, #0
    adr.w   r3, .Lnear\@
    exact_a_\f
    .endm
    .macro t_load_as f
    ldrb    r1, [r4, #1]
    cmp     r5, r9
    bhs     .Lfar\@
.Lnear\@:
    add     r1, r1, r7
    f_\f    r5, r5, r1
    keep    2
    next    3
.Lfar\@:
    adr.w   r3, .Lnear\@
    exact_a_\f
    .endm
    .macro t_load_r0s f
    slot    r0, 1
    cmp     r0, r9
    bhs     .Lfar\@
.Lnear\@:
    f_\f    r5, r0, r7
    keep    2
    next    3
.Lfar\@:
    mov     r1, #0
    adr.w   r3, .Lnear\@
    exact_r_\f
    .endm

@ Addresses that are sums of 32 bits: in r0, where the exact check expects them.
    .macro t_load_aw f
    ldr     r1, [r4, #1]
    add     r0, r5, r1
    cmp     r0, r9
    bhs     .Lfar\@
.Lnear\@:
    f_\f    r5, r0, r7
    next    5
.Lfar\@:
    mov     r1, #0
    adr.w   r3, .Lnear\@
    exact_r_\f
    .endm
    .macro t_load_rw f
    slot    r0, 1
    ldr     r1, [r4, #2]
    add     r0, r0, r1
    cmp     r0, r9
    bhs     .Lfar\@
.Lnear\@:
    f_\f    r5, r0, r7
    next    6
.Lfar\@:
    mov     r1, #0
    adr.w   r3, .Lnear\@
    exact_r_\f
    .endm
    .macro t_load_rws f
    slot    r0, 1
    ldr     r1, [r4, #2]
    add     r0, r0, r1
    cmp     r0, r9
    bhs     .Lfar\@
.Lnear\@:
    f_\f    r5, r0, r7
    keep    6
    next    7
.Lfar\@:
    mov     r1, #0
    adr.w   r3, .Lnear\@
    exact_r_\f
    .endm
    .macro t_load_ax f
    slot    r0, 1
    add     r0, r0, r5
    cmp     r0, r9
    bhs     .Lfar\@
.Lnear\@:
    f_\f    r5, r0, r7
    next    2
.Lfar\@:
    mov     r1, #0
    adr.w   r3, .Lnear\@
    exact_r_\f
    .endm
    .macro t_load_rx f
    slot    r0, 1
    slot    r1, 2
    add     r0, r0, r1
    cmp     r0, r9
    bhs     .Lfar\@
.Lnear\@:
    f_\f    r5, r0, r7
    next    3
.Lfar\@:
    mov     r1, #0
    adr.w   r3, .Lnear\@
    exact_r_\f
    .endm

@ From and to a constant address.
    .macro t_load_c f
    ldr     r0, [r4, #1]
    cmp     r0, r9
    bhs     .Lfar\@
.Lnear\@:
    f_\f    r5, r0, r7
    next    5
.Lfar\@:
    mov     r1, #0
    adr.w   r3, .Lnear\@
    exact_r_\f
    .endm
    .macro t_store_c f
    ldr     r0, [r4, #1]
    cmp     r0, r9
    bhs     .Lfar\@
.Lnear\@:
    f_\f    r5, r0, r7
    next    5
.Lfar\@:
    mov     r1, #0
    adr.w   r3, .Lnear\@
    exact_r_\f
    .endm

    .macro t_store_ra0 f
    slot    r0, 1
    cmp     r0, r9
    bhs     .Lfar\@
.Lnear\@:
    f_\f    r5, r0, r7
    next    2
.Lfar\@:
    mov     r1, #0
    adr.w   r3, .Lnear\@
    exact_r_\f
    .endm
    .macro t_store_rr0 f
    slot    r0, 1
    cmp     r0, r9
    bhs     .Lfar\@
.Lnear\@:
    slot    r2, 2
    f_\f    r2, r0, r7
    next    3
.Lfar\@:
    mov     r1, #0
    adr.w   r3, .Lnear\@
    exact_r_\f
    .endm
    .macro t_store_raw f
    slot    r0, 1
    ldr     r1, [r4, #2]
    add     r0, r0, r1
    cmp     r0, r9
    bhs     .Lfar\@
.Lnear\@:
    f_\f    r5, r0, r7
    next    6
.Lfar\@:
    mov     r1, #0
    adr.w   r3, .Lnear\@
    exact_r_\f
    .endm
    .macro t_store_rrw f
    slot    r0, 1
    ldr     r1, [r4, #3]
    add     r0, r0, r1
    cmp     r0, r9
    bhs     .Lfar\@
.Lnear\@:
    slot    r2, 2
    f_\f    r2, r0, r7
    next    7
.Lfar\@:
    mov     r1, #0
    adr.w   r3, .Lnear\@
    exact_r_\f
    .endm

@ 64-bit arithmetic with a constant. Amounts are below 64: from 32 on, one word moves to the other.
    .macro k64_add64
    ldrsb   r0, [r4, #1]
    adds    r5, r5, r0
    adc     r11, r11, r0, asr #31
    .endm
    .macro k64_shl64
    ldrb    r0, [r4, #1]
    subs    r1, r0, #32
    bhs     .Llong\@
    rsb     r1, r0, #32
    lsl     r11, r11, r0
    lsr     r1, r5, r1
    lsl     r5, r5, r0
    orr     r11, r11, r1
    next    2
.Llong\@:
    lsl     r11, r5, r1
    mov     r5, #0
    .endm
    .macro k64_shr_u64
    ldrb    r0, [r4, #1]
    subs    r1, r0, #32
    bhs     .Llong\@
    rsb     r1, r0, #32
    lsr     r5, r5, r0
    lsl     r1, r11, r1
    lsr     r11, r11, r0
    orr     r5, r5, r1
    next    2
.Llong\@:
    lsr     r5, r11, r1
    mov     r11, #0
    .endm
    .macro k64_shr_s64
    ldrb    r0, [r4, #1]
    subs    r1, r0, #32
    bhs     .Llong\@
    rsb     r1, r0, #32
    lsr     r5, r5, r0
    lsl     r1, r11, r1
    asr     r11, r11, r0
    orr     r5, r5, r1
    next    2
.Llong\@:
    asr     r5, r11, r1
    asr     r11, r11, #31
    .endm
    .macro k64_rotr64
    ldrb    r0, [r4, #1]
    subs    r1, r0, #32
    bhs     .Llong\@
    rsb     r1, r0, #32
    lsl     r2, r5, r1
    lsl     r3, r11, r1
    lsr     r5, r5, r0
    lsr     r11, r11, r0
    orr     r5, r5, r3
    orr     r11, r11, r2
    next    2
.Llong\@:
    rsb     r0, r1, #32
    lsl     r2, r5, r0
    lsl     r3, r11, r0
    lsr     r5, r5, r1
    lsr     r0, r11, r1
    orr     r11, r5, r3
    orr     r5, r0, r2
    .endm
    .macro t_ars64 f
    pair    1
    f_\f    r5, r11, r0, r1
    place   r0, 2
    strd    r5, r11, [r0]
    next    3
    .endm

@ On the second page: a pair of slots and the accumulator.
    .macro t_binary64 f
    pair    1
    f_\f    r0, r1, r5, r11
    next    2
    .endm
