@ Templates of the assembly core: one macro for each kind of row of the opcode table, named t_KIND.
@
@ Left out on purpose: what happens rarely. A row without a template goes to Rust and comes back.
@
@ r4  instruction        r5  accumulator, low    r6  frame           r7  memory
@ r8  records of calls   r9  memory bound        r10 globals         r11 accumulator, high
@ r12 handler table      lr  fuel                r0-r3 scratch, dead at every dispatch
@ sp  points to the address of the context, whose layout is `Context` in thumb.rs.
@
@ r9 is the memory size less 262, or 0: an address below it may have any 8-bit offset and 8 bytes
@ behind it. All others take the exact way, out of line, which knows all 33 bits of the sum.

    .syntax unified
    .thumb
    .section .text.wasmbed_engine_core, "ax", %progbits
    .balign 4

    .set CONTEXT_MEMORY_BYTES, 36
    .set CONTEXT_CONSTANT, 24

    .set STATUS_STEP, 0
    .set STATUS_FINISHED, 1
    .set STATUS_OUT_OF_FUEL, 2
    .set STATUS_STOP, 3
    .set STATUS_HOST, 4
    .set STATUS_TRAP, 16

@ Whether the handler being made charges fuel, and whether it stands behind the prefix.
    .set is_metered, 0
    .set is_cold, 0

@ Goes on with the instruction that begins \bytes behind this one.
    .macro next bytes
    ldrb    r0, [r4, #\bytes]!
    ldr     pc, [r12, r0, lsl #2]
    .endm

@ Goes on with the instruction at r4.
    .macro go_on
    ldrb    r0, [r4]
    ldr     pc, [r12, r0, lsl #2]
    .endm

@ The word in the slot that the operand at \at names.
    .macro slot register, at
    ldrb    \register, [r4, #\at]
    ldr     \register, [r6, \register, lsl #2]
    .endm

@ The address of that slot.
    .macro place register, at
    ldrb    \register, [r4, #\at]
    add     \register, r6, \register, lsl #2
    .endm

@ Stores the accumulator in that slot.
    .macro keep at
    ldrb    r2, [r4, #\at]
    str     r5, [r6, r2, lsl #2]
    .endm

@ The two words of that pair of slots, in r0 and r1.
    .macro pair at
    place   r0, \at
    ldrd    r0, r1, [r0]
    .endm

@ Leaves at a trap. Behind the prefix, r4 points to the second byte of the instruction.
    .macro trap_if condition, name
    .if is_cold
    b\condition .Lcold_trap_\name
    .else
    b\condition .Ltrap_\name
    .endif
    .endm

@ 32-bit arithmetic: \d = \a f \b. Amounts in registers are cut to five bits, constants have no more.
    .macro f_add d, a, b
    add     \d, \a, \b
    .endm
    .macro f_sub d, a, b
    sub     \d, \a, \b
    .endm
    .macro f_and d, a, b
    and     \d, \a, \b
    .endm
    .macro f_or d, a, b
    orr     \d, \a, \b
    .endm
    .macro f_xor d, a, b
    eor     \d, \a, \b
    .endm
    .macro f_mul d, a, b
    mul     \d, \a, \b
    .endm
    .macro f_shl d, a, b
    and     r2, \b, #31
    lsl     \d, \a, r2
    .endm
    .macro f_shr_s d, a, b
    and     r2, \b, #31
    asr     \d, \a, r2
    .endm
    .macro f_shr_u d, a, b
    and     r2, \b, #31
    lsr     \d, \a, r2
    .endm
    .macro f_rotl d, a, b
    rsb     r2, \b, #0
    ror     \d, \a, r2
    .endm
    .macro f_rotr d, a, b
    ror     \d, \a, \b
    .endm
    .macro f_div_s d, a, b
    cmp     \b, #0
    trap_if eq, divide
    cmn     \b, #1
    bne     .Ldivide\@
    cmp     \a, #0x80000000
    trap_if eq, overflow
.Ldivide\@:
    sdiv    \d, \a, \b
    .endm
    .macro f_div_u d, a, b
    cmp     \b, #0
    trap_if eq, divide
    udiv    \d, \a, \b
    .endm
    .macro f_rem_s d, a, b
    cmp     \b, #0
    trap_if eq, divide
    sdiv    r2, \a, \b
    mls     \d, r2, \b, \a
    .endm
    .macro f_rem_u d, a, b
    cmp     \b, #0
    trap_if eq, divide
    udiv    r2, \a, \b
    mls     \d, r2, \b, \a
    .endm

@ 32-bit comparisons that leave 0 or 1.
    .macro f_eq d, a, b
    sub     \d, \a, \b
    clz     \d, \d
    lsr     \d, \d, #5
    .endm
    .macro f_ne d, a, b
    subs    \d, \a, \b
    it      ne
    movne   \d, #1
    .endm
    .macro f_lt_u d, a, b
    cmp     \a, \b
    sbc     \d, \d, \d
    rsb     \d, \d, #0
    .endm
    .macro f_gt_u d, a, b
    cmp     \b, \a
    sbc     \d, \d, \d
    rsb     \d, \d, #0
    .endm
    .macro f_ge_u d, a, b
    cmp     \a, \b
    mov     \d, #0
    adc     \d, \d, \d
    .endm
    .macro f_le_u d, a, b
    cmp     \b, \a
    mov     \d, #0
    adc     \d, \d, \d
    .endm
    .macro f_lt_s d, a, b
    cmp     \a, \b
    ite     lt
    movlt   \d, #1
    movge   \d, #0
    .endm
    .macro f_gt_s d, a, b
    cmp     \a, \b
    ite     gt
    movgt   \d, #1
    movle   \d, #0
    .endm
    .macro f_le_s d, a, b
    cmp     \a, \b
    ite     le
    movle   \d, #1
    movgt   \d, #0
    .endm
    .macro f_ge_s d, a, b
    cmp     \a, \b
    ite     ge
    movge   \d, #1
    movlt   \d, #0
    .endm

@ Arithmetic: Rr slot and slot, Ar accumulator and slot, Ra the reverse, Ri and Ai with a constant of
@ 8 bits, Aj of 32; with s the result is also stored.
    .macro t_rr f
    slot    r0, 1
    slot    r1, 2
    f_\f    r5, r0, r1
    next    3
    .endm
    .macro t_ar f
    slot    r0, 1
    f_\f    r5, r5, r0
    next    2
    .endm
    .macro t_ra f
    slot    r0, 1
    f_\f    r5, r0, r5
    next    2
    .endm
    .macro t_ri f
    slot    r0, 1
    constant_\f 2
    k_\f    r5, r0
    next    3
    .endm
    .macro t_ai f
    constant_\f 1
    k_\f    r5, r5
    next    2
    .endm
    .macro t_aj f
    ldr     r1, [r4, #1]
    f_\f    r5, r5, r1
    next    5
    .endm
    .macro t_rrs f
    slot    r0, 1
    slot    r1, 2
    f_\f    r5, r0, r1
    keep    3
    next    4
    .endm
    .macro t_ars f
    slot    r0, 1
    f_\f    r5, r5, r0
    keep    2
    next    3
    .endm
    .macro t_ris f
    slot    r0, 1
    constant_\f 2
    k_\f    r5, r0
    keep    3
    next    4
    .endm
    .macro t_ais f
    constant_\f 1
    k_\f    r5, r5
    keep    2
    next    3
    .endm

@ With a constant: it is fetched to r1 with its sign, an amount without.
    .macro signed_constant f
    .macro constant_\f at
    ldrsb   r1, [r4, #\at]
    .endm
    .macro k_\f d, a
    f_\f    \d, \a, r1
    .endm
    .endm
    .irp f, add, and, or, xor, mul, eq, ne, lt_s, lt_u, gt_s, gt_u, le_s, le_u, ge_s, ge_u
    signed_constant \f
    .endr
    .macro amount f, instruction
    .macro constant_\f at
    ldrb    r1, [r4, #\at]
    .endm
    .macro k_\f d, a
    \instruction \d, \a, r1
    .endm
    .endm
    amount  shl, lsl
    amount  shr_s, asr
    amount  shr_u, lsr
    amount  rotr, ror

@ Branches over the rest of a handler, where the comparison does not hold.
    .macro unless f, instruction
    .macro unless_\f target
    \instruction \target
    .endm
    .endm
    unless  eq, bne
    unless  ne, beq
    unless  lt_s, bge
    unless  lt_u, bhs
    unless  gt_s, ble
    unless  gt_u, bls
    unless  le_s, bgt
    unless  le_u, bhi
    unless  ge_s, blt
    unless  ge_u, blo

    .macro branch_if f, at
    unless_\f .Lnot_taken\@
    ldrh    r1, [r4, #\at]
    add     r4, r4, r1
    go_on
.Lnot_taken\@:
    next    \at + 2
    .endm

@ Charges the cost at \at, or leaves with nothing charged.
    .macro charge load, at
    .if is_metered
    \load   r1, [r4, #\at]
    subs    lr, lr, r1
    blo     .Lout_of_fuel
    .endif
    .endm

    .macro jump_back at
    ldrh    r1, [r4, #\at]
    subs    r4, r4, r1
    go_on
    .endm

    .macro loop_if f, at
    unless_\f .Lnot_taken\@
    charge  ldrb, \at + 2
    jump_back \at
.Lnot_taken\@:
    next    \at + 3
    .endm

    .macro comparison_rr
    slot    r0, 1
    slot    r1, 2
    cmp     r0, r1
    .endm
    .macro comparison_ar
    slot    r0, 1
    cmp     r5, r0
    .endm
    .macro comparison_ai
    ldrsb   r0, [r4, #1]
    cmp     r5, r0
    .endm
    .macro comparison_ri
    slot    r0, 1
    ldrsb   r1, [r4, #2]
    cmp     r0, r1
    .endm
    .macro t_branch_rr f
    comparison_rr
    branch_if \f, 3
    .endm
    .macro t_branch_ar f
    comparison_ar
    branch_if \f, 2
    .endm
    .macro t_branch_ai f
    comparison_ai
    branch_if \f, 2
    .endm
    .macro t_branch_ri f
    comparison_ri
    branch_if \f, 3
    .endm
@ Against zero, in the accumulator or in a slot.
    .macro t_branch_a0 f
    cmp     r5, #0
    branch_if \f, 1
    .endm
    .macro t_branch_r0 f
    slot    r0, 1
    cmp     r0, #0
    branch_if \f, 2
    .endm
    .macro t_loop_rr f
    comparison_rr
    loop_if \f, 3
    .endm
    .macro t_loop_ar f
    comparison_ar
    loop_if \f, 2
    .endm
    .macro t_loop_ai f
    comparison_ai
    loop_if \f, 2
    .endm
    .macro t_loop_ri f
    comparison_ri
    loop_if \f, 3
    .endm
    .macro t_loop_a0 f
    cmp     r5, #0
    loop_if \f, 1
    .endm
    .macro t_loop_r0 f
    slot    r0, 1
    cmp     r0, #0
    loop_if \f, 2
    .endm

    .macro t_branch
    ldrh    r1, [r4, #1]
    add     r4, r4, r1
    go_on
    .endm
    .macro t_loop_back
    charge  ldrb, 3
    jump_back 1
    .endm
    .macro t_loop_back_wide
    charge  ldrh, 3
    jump_back 1
    .endm
    .macro t_branch_table
    ldrh    r1, [r4, #1]
    cmp     r5, r1
    it      lo
    movlo   r1, r5
    add     r1, r4, r1, lsl #1
    ldrh    r1, [r1, #3]
    add     r4, r4, r1
    go_on
    .endm

@ Memory. The address is in r5 or r0, the offset in r1. Out of line, r3 says where to go on.
    .macro access f, instruction, bytes
    .macro f_\f register, base, index
    \instruction \register, [\base, \index]
    .endm
    .macro exact_a_\f
    b       .Lexact_a_\bytes
    .endm
    .macro exact_r_\f
    b       .Lexact_r_\bytes
    .endm
    .endm
    access  load32, ldr, 4
    access  load16_u, ldrh, 2
    access  load16_s, ldrsh, 2
    access  load8_u, ldrb, 1
    access  load8_s, ldrsb, 1
    access  store32, str, 4
    access  store16, strh, 2
    access  store8, strb, 1
@ Of 64 bits: index and base add up to the place of the low word.
    .macro f_load64 register, base, index
    add     r1, \base, \index
    ldr     r5, [r1]
    ldr     r11, [r1, #4]
    .endm
    .macro exact_a_load64
    b       .Lexact_a_8
    .endm
    .macro exact_r_load64
    b       .Lexact_r_8
    .endm

    .macro t_load_a f
    ldrb    r1, [r4, #1]
    cmp     r5, r9
    bhs     .Lfar\@
.Lnear\@:
    add     r1, r1, r7
    f_\f    r5, r5, r1
    next    2
.Lfar\@:
    adr.w   r3, .Lnear\@
    exact_a_\f
    .endm
@ The same with the offset 0.
    .macro t_load_a0 f
    cmp     r5, r9
    bhs     .Lfar\@
.Lnear\@:
    f_\f    r5, r5, r7
    next    1
.Lfar\@:
    mov     r1, #0
    adr.w   r3, .Lnear\@
    exact_a_\f
    .endm
    .macro t_load_r f
    slot    r0, 1
    ldrb    r1, [r4, #2]
    cmp     r0, r9
    bhs     .Lfar\@
.Lnear\@:
    add     r1, r1, r7
    f_\f    r5, r0, r1
    next    3
.Lfar\@:
    adr.w   r3, .Lnear\@
    exact_r_\f
    .endm
    .macro t_load_r0 f
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
    .macro t_load_rs f
    slot    r0, 1
    ldrb    r1, [r4, #2]
    cmp     r0, r9
    bhs     .Lfar\@
.Lnear\@:
    add     r1, r1, r7
    f_\f    r5, r0, r1
    keep    3
    next    4
.Lfar\@:
    adr.w   r3, .Lnear\@
    exact_r_\f
    .endm
@ A carry and a sum beyond the bound both leave the carry flag set.
    .macro t_load_wide f
    ldr     r1, [r4, #1]
    adds    r2, r5, r1
    it      lo
    cmplo   r2, r9
    bhs     .Lfar\@
.Lnear\@:
    f_\f    r5, r2, r7
    next    5
.Lfar\@:
    adr.w   r3, .Lback\@
    exact_a_\f
.Lback\@:
    add     r2, r5, r1
    b       .Lnear\@
    .endm

    .macro t_store_ra f
    slot    r0, 1
    ldrb    r1, [r4, #2]
    cmp     r0, r9
    bhs     .Lfar\@
.Lnear\@:
    add     r1, r1, r7
    f_\f    r5, r0, r1
    next    3
.Lfar\@:
    adr.w   r3, .Lnear\@
    exact_r_\f
    .endm
    .macro t_store_ar f
    ldrb    r1, [r4, #2]
    cmp     r5, r9
    bhs     .Lfar\@
.Lnear\@:
    slot    r2, 1
    add     r1, r1, r7
    f_\f    r2, r5, r1
    next    3
.Lfar\@:
    adr.w   r3, .Lnear\@
    exact_a_\f
    .endm
    .macro t_store_rr f
    slot    r0, 1
    ldrb    r1, [r4, #3]
    cmp     r0, r9
    bhs     .Lfar\@
.Lnear\@:
    slot    r2, 2
    add     r1, r1, r7
    f_\f    r2, r0, r1
    next    4
.Lfar\@:
    adr.w   r3, .Lnear\@
    exact_r_\f
    .endm
    .macro t_store_wide f
    slot    r0, 1
    ldr     r1, [r4, #2]
    adds    r2, r0, r1
    it      lo
    cmplo   r2, r9
    bhs     .Lfar\@
.Lnear\@:
    f_\f    r5, r2, r7
    next    6
.Lfar\@:
    adr.w   r3, .Lback\@
    exact_r_\f
.Lback\@:
    add     r2, r0, r1
    b       .Lnear\@
    .endm

    .macro t_load64_a
    t_load_a load64
    .endm
    .macro t_load64_r
    t_load_r load64
    .endm
    .macro t_load64_wide
    t_load_wide load64
    .endm
    .macro t_store64_ra
    slot    r0, 1
    ldrb    r1, [r4, #2]
    cmp     r0, r9
    bhs     .Lfar\@
.Lnear\@:
    add     r1, r1, r7
    add     r1, r1, r0
    str     r5, [r1]
    str     r11, [r1, #4]
    next    3
.Lfar\@:
    adr.w   r3, .Lnear\@
    b       .Lexact_r_8
    .endm
    .macro t_store64_rr
    slot    r0, 1
    ldrb    r1, [r4, #3]
    cmp     r0, r9
    bhs     .Lfar\@
.Lnear\@:
    place   r2, 2
    ldrd    r2, r3, [r2]
    add     r1, r1, r7
    add     r1, r1, r0
    str     r2, [r1]
    str     r3, [r1, #4]
    next    4
.Lfar\@:
    adr.w   r3, .Lnear\@
    b       .Lexact_r_8
    .endm
    .macro t_store64_wide
    slot    r0, 1
    ldr     r1, [r4, #2]
    adds    r2, r0, r1
    it      lo
    cmplo   r2, r9
    bhs     .Lfar\@
.Lnear\@:
    add     r1, r2, r7
    str     r5, [r1]
    str     r11, [r1, #4]
    next    6
.Lfar\@:
    adr.w   r3, .Lback\@
    b       .Lexact_r_8
.Lback\@:
    add     r2, r0, r1
    b       .Lnear\@
    .endm

@ 64-bit arithmetic: the accumulator becomes (\al, \ah) f (\bl, \bh).
    .macro f_add64 al, ah, bl, bh
    adds    r5, \al, \bl
    adc     r11, \ah, \bh
    .endm
    .macro f_sub64 al, ah, bl, bh
    subs    r5, \al, \bl
    sbc     r11, \ah, \bh
    .endm
    .macro f_and64 al, ah, bl, bh
    and     r5, \al, \bl
    and     r11, \ah, \bh
    .endm
    .macro f_or64 al, ah, bl, bh
    orr     r5, \al, \bl
    orr     r11, \ah, \bh
    .endm
    .macro f_xor64 al, ah, bl, bh
    eor     r5, \al, \bl
    eor     r11, \ah, \bh
    .endm
    .macro f_mul64 al, ah, bl, bh
    mul     r2, \ah, \bl
    mla     r2, \al, \bh, r2
    umull   r5, r11, \al, \bl
    add     r11, r11, r2
    .endm
    .macro f_shl64 al, ah, bl, bh
    and     r2, \bl, #63
    subs    r3, r2, #32
    bhs     .Llong\@
    rsb     r3, r2, #32
    lsr     r3, \al, r3
    lsl     r11, \ah, r2
    orr     r11, r11, r3
    lsl     r5, \al, r2
    b       .Ldone\@
.Llong\@:
    lsl     r11, \al, r3
    mov     r5, #0
.Ldone\@:
    .endm
    .macro f_shr_u64 al, ah, bl, bh
    and     r2, \bl, #63
    subs    r3, r2, #32
    bhs     .Llong\@
    rsb     r3, r2, #32
    lsl     r3, \ah, r3
    lsr     r5, \al, r2
    orr     r5, r5, r3
    lsr     r11, \ah, r2
    b       .Ldone\@
.Llong\@:
    lsr     r5, \ah, r3
    mov     r11, #0
.Ldone\@:
    .endm
    .macro f_shr_s64 al, ah, bl, bh
    and     r2, \bl, #63
    subs    r3, r2, #32
    bhs     .Llong\@
    rsb     r3, r2, #32
    lsl     r3, \ah, r3
    lsr     r5, \al, r2
    orr     r5, r5, r3
    asr     r11, \ah, r2
    b       .Ldone\@
.Llong\@:
    asr     r5, \ah, r3
    asr     r11, \ah, #31
.Ldone\@:
    .endm
    .macro t_ar64 f
    pair    1
    f_\f    r5, r11, r0, r1
    next    2
    .endm
    .macro t_ai64 f
    k64_\f
    next    2
    .endm

@ 64-bit comparisons of a pair of slots with the accumulator.
    .macro f_eq64
    eor     r0, r0, r5
    eor     r1, r1, r11
    orr     r0, r0, r1
    clz     r0, r0
    lsr     r5, r0, #5
    .endm
    .macro f_ne64
    eor     r0, r0, r5
    eor     r1, r1, r11
    orrs    r5, r0, r1
    it      ne
    movne   r5, #1
    .endm
    .macro order64 f, al, ah, bl, bh, holds, fails
    .macro f_\f
    subs    r2, \al, \bl
    sbcs    r2, \ah, \bh
    ite     \holds
    mov\holds r5, #1
    mov\fails r5, #0
    .endm
    .endm
    order64 lt_s64, r0, r1, r5, r11, lt, ge
    order64 lt_u64, r0, r1, r5, r11, lo, hs
    order64 ge_s64, r0, r1, r5, r11, ge, lt
    order64 ge_u64, r0, r1, r5, r11, hs, lo
    order64 gt_s64, r5, r11, r0, r1, lt, ge
    order64 gt_u64, r5, r11, r0, r1, lo, hs
    order64 le_s64, r5, r11, r0, r1, ge, lt
    order64 le_u64, r5, r11, r0, r1, hs, lo
    .macro t_compare64 f
    pair    1
    f_\f
    next    2
    .endm
    .macro t_eqz64
    orr     r0, r5, r11
    clz     r0, r0
    lsr     r5, r0, #5
    next    1
    .endm

@ On the second page: slot and accumulator.
    .macro t_divide32 f
    t_ra    \f
    .endm
    .macro t_binary32 f
    t_ra    \f
    .endm

@ Of one operand, the accumulator.
    .macro f_clz
    clz     r5, r5
    .endm
    .macro f_ctz
    rbit    r5, r5
    clz     r5, r5
    .endm
    .macro f_extend8_s
    sxtb    r5, r5
    .endm
    .macro f_extend16_s
    sxth    r5, r5
    .endm
    .macro t_unary32 f
    f_\f
    next    1
    .endm
    .macro t_extend_s
    asr     r11, r5, #31
    next    1
    .endm
    .macro t_extend_u
    mov     r11, #0
    next    1
    .endm

@ Constants, copies, globals.
    .macro t_const8
    ldrsb   r5, [r4, #1]
    next    2
    .endm
    .macro t_const32
    ldr     r5, [r4, #1]
    next    5
    .endm
    .macro t_const64
    ldr     r5, [r4, #1]
    ldr     r11, [r4, #5]
    next    9
    .endm
    .macro t_get
    slot    r5, 1
    next    2
    .endm
    .macro t_get64
    place   r0, 1
    ldrd    r5, r11, [r0]
    next    2
    .endm
    .macro t_set
    keep    1
    next    2
    .endm
    .macro t_set64
    place   r0, 1
    strd    r5, r11, [r0]
    next    2
    .endm
    .macro t_copy
    slot    r0, 2
    ldrb    r1, [r4, #1]
    str     r0, [r6, r1, lsl #2]
    next    3
    .endm
    .macro t_copy64
    pair    2
    place   r2, 1
    strd    r0, r1, [r2]
    next    3
    .endm
    .macro t_copy_wide
    ldrh    r0, [r4, #3]
    ldr     r0, [r6, r0, lsl #2]
    ldrh    r1, [r4, #1]
    str     r0, [r6, r1, lsl #2]
    next    5
    .endm
    .macro t_set_const8
    ldrb    r1, [r4, #1]
    ldrsb   r0, [r4, #2]
    str     r0, [r6, r1, lsl #2]
    next    3
    .endm
    .macro clear_slots
    add     r0, r6, r0, lsl #2
    mov     r2, #0
.Lagain\@:
    str     r2, [r0], #4
    subs    r1, r1, #1
    bne     .Lagain\@
    .endm
    .macro t_clear
    ldrb    r0, [r4, #1]
    ldrb    r1, [r4, #2]
    clear_slots
    next    3
    .endm
    .macro t_clear_wide
    ldrh    r0, [r4, #1]
    ldrh    r1, [r4, #3]
    clear_slots
    next    5
    .endm
    .macro t_select
    ldrb    r0, [r4, #2]
    cbz     r5, .Lsecond\@
    ldrb    r0, [r4, #1]
.Lsecond\@:
    ldr     r5, [r6, r0, lsl #2]
    next    3
    .endm
    .macro t_select64
    ldrb    r0, [r4, #2]
    cbz     r5, .Lsecond\@
    ldrb    r0, [r4, #1]
.Lsecond\@:
    add     r0, r6, r0, lsl #2
    ldrd    r5, r11, [r0]
    next    3
    .endm
    .macro t_global_get
    ldrb    r0, [r4, #1]
    ldr     r5, [r10, r0, lsl #2]
    next    2
    .endm
    .macro t_global_set
    ldrb    r0, [r4, #1]
    str     r5, [r10, r0, lsl #2]
    next    2
    .endm
    .macro t_global_get64
    ldrb    r0, [r4, #1]
    add     r0, r10, r0, lsl #2
    ldrd    r5, r11, [r0]
    next    2
    .endm
    .macro t_global_set64
    ldrb    r0, [r4, #1]
    add     r0, r10, r0, lsl #2
    strd    r5, r11, [r0]
    next    2
    .endm

@ Calls. The callee's header is words of stack, then cost. Nothing changes before all checks passed.
    .macro call base, distance_at, bytes
    ldr     r1, [r4, #\distance_at - 1]
    \base   r2, [r4, #1]
    add     r0, r4, #\bytes
    add     r4, r4, r1, asr #8
    .if is_metered
    ldrh    r3, [r4, #2]
    subs    lr, lr, r3
    blo     .Lout_of_fuel\@
    .endif
    ldrh    r1, [r4]
    add     r1, r1, r2
    add     r1, r6, r1, lsl #2
    cmp     r1, r8
    bhi     .Lexhausted\@
    stmdb   r8!, {r0, r6}
    add     r6, r6, r2, lsl #2
    next    4
.Lexhausted\@:
    sub     r4, r0, #\bytes
    .if is_metered
    add     lr, lr, r3
    .endif
    b       .Ltrap_stack
    .if is_metered
.Lout_of_fuel\@:
    add     lr, lr, r3
    sub     r4, r0, #\bytes
    mov     r1, #0
    b       .Lout_of_fuel
    .endif
    .endm
    .macro t_call
    call    ldrb, 2, 5
    .endm
    .macro t_call_wide
    call    ldrh, 3, 6
    .endm
    .macro t_ret
    ldmia   r8!, {r4, r6}
    go_on
    .endm
    .macro t_call_host
    mov     r1, #STATUS_HOST
    b       .Lleave
    .endm
    .macro t_unreachable
    b       .Ltrap_unreachable
    .endm

@ The second page has a table of its own; its handlers see r4 behind the prefix.
    .macro t_cold
    ldr     r1, .Lcold_table_address
    ldrb    r0, [r4, #1]!
    ldr     pc, [r1, r0, lsl #2]
.Lcold_table_address:
    .word   wasmbed_engine_cold
    .endm

@ One row of the opcode table.
    .macro row name, kind, f
.Lplain_\name:
    t_\kind \f
    .endm
    .macro metered_row name, kind, f
.Lplain_\name:
    t_\kind \f
    .set is_metered, 1
.Lmetered_\name:
    t_\kind \f
    .set is_metered, 0
    .endm
    .macro cold_row name, kind, f
    .set is_cold, 1
.Lcold_\name:
    t_\kind \f
    .set is_cold, 0
    .endm

@ enter(context) -> status. Saves what the caller keeps, runs, and leaves the registers in the context.
    .global wasmbed_engine_enter
    .type wasmbed_engine_enter, %function
    .thumb_func
wasmbed_engine_enter:
    push    {r0, r4-r11, lr}
    .ifdef has_unit
    mov     r1, #FPSCR_DEFAULT_NAN
    vmsr    fpscr, r1
    .endif
    add     r1, r0, #CONTEXT_CONSTANT
    ldmia   r1, {r7, r9, r10}
    ldr     r1, .Ltable_address
.Lresume:
    ldmia   r0, {r4, r5, r6, r8, r11, lr}

@ From here to wasmbed_engine_core_end, r12 is the handler table and nothing else, or about to be
@ loaded: an interrupt that finds the program counter in this range may replace it.
    .global wasmbed_engine_core_begin
wasmbed_engine_core_begin:
    ldr     r12, [r1]
    go_on
    .balign 4
.Ltable_address:
    .word   wasmbed_engine_table

@ The exact check: base in r0 (in r5 for _a), offset in r1, back at r3. The bound is 0 or more at each
@ step, so no sum is ever made that could exceed 32 bits.
    .macro exact bytes
.Lexact_a_\bytes:
    mov     r0, r5
.Lexact_r_\bytes:
    ldr     r2, [sp]
    ldr     r2, [r2, #CONTEXT_MEMORY_BYTES]
    subs    r2, r2, #\bytes
    blo     .Ltrap_memory
    subs    r2, r2, r1
    blo     .Ltrap_memory
    cmp     r0, r2
    bhi     .Ltrap_memory
    mov     pc, r3
    .endm
    exact   1
    exact   2
    exact   4
    exact   8

    .macro trap name, number
.Lcold_trap_\name:
    sub     r4, r4, #1
.Ltrap_\name:
    mov     r1, #STATUS_TRAP + \number
    b       .Lleave
    .endm
    trap    unreachable, 1
    trap    memory, 2
    trap    divide, 3
    trap    overflow, 4
    trap    stack, 5
    trap    code, 10

    .balign 4
.Lfinish:
    mov     r1, #STATUS_FINISHED
    b       .Lleave
.Lstop:
    mov     r1, #STATUS_STOP
    b       .Lleave
.Lout_of_fuel:
    add     lr, lr, r1
    mov     r1, #STATUS_OUT_OF_FUEL
    b       .Lleave
