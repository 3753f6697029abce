@ The end of the assembly core, behind the handlers of all rows, and its tables.

.Lcold_step:
    sub     r4, r4, #1
.Lstep:
    mov     r1, #STATUS_STEP
.Lleave:
    ldr     r0, [sp]
    stmia   r0, {r4, r5, r6, r8, r11, lr}
    .global wasmbed_engine_core_end
wasmbed_engine_core_end:
    cbnz    r1, .Lreturn
    bl      wasmbed_engine_step
    cbnz    r0, .Lreturn_result
    ldr     r0, [sp]
    ldr     r1, .Ltable_address_again
    b       .Lresume
.Lreturn:
    mov     r0, r1
.Lreturn_result:
    add     sp, sp, #4
    pop     {r4-r11, pc}
    .balign 4
.Ltable_address_again:
    .word   wasmbed_engine_table

@ Tables of handlers, 256 entries each; what is no opcode traps, and 255 is where the first function
@ returns to.
    .section .rodata.wasmbed_engine_tables, "a", %progbits
    .balign 4
    .set rows, 0
    .set cold_rows, 0
    .macro entry handler
    .word   .L\handler + 1
    .endm
    .macro plain_entry handler
    .set rows, rows + 1
    entry   \handler
    .endm
    .macro cold_entry handler
    .set cold_rows, cold_rows + 1
    entry   \handler
    .endm
    .macro rest
    .rept 255 - rows
    entry   trap_code
    .endr
    entry   finish
    .endm
    .global wasmbed_engine_stop
wasmbed_engine_stop:
    .rept 256
    entry   stop
    .endr
