@ Rows that the floating-point unit of single precision does. A computed NaN is the canonical one
@ because the unit is told so on entry; otherwise it rounds to nearest, with subnormal numbers.

    .fpu    fpv4-sp-d16
    .set FPSCR_DEFAULT_NAN, 1 << 25
    .set has_unit, 1

    .macro unit f
    .set has_\f, 1
    .endm
    .irp f, f32_add, f32_sub, f32_mul, f32_div, f32_sqrt, f32_eq, f32_ne, f32_lt, f32_gt, f32_le, f32_ge
    unit    \f
    .endr
    .irp f, f32_from_s32, f32_from_u32, i32_sat_f32_s, i32_sat_f32_u
    unit    \f
    .endr

    .macro v_f32_add
    vadd.f32 s0, s0, s1
    vmov    r5, s0
    .endm
    .macro v_f32_sub
    vsub.f32 s0, s0, s1
    vmov    r5, s0
    .endm
    .macro v_f32_mul
    vmul.f32 s0, s0, s1
    vmov    r5, s0
    .endm
    .macro v_f32_div
    vdiv.f32 s0, s0, s1
    vmov    r5, s0
    .endm

@ After a comparison of what is not a number, none of these conditions holds, but that for f32_ne.
    .macro order32 f, holds, fails
    .macro v_\f
    vcmp.f32 s0, s1
    vmrs    APSR_nzcv, fpscr
    ite     \holds
    mov\holds r5, #1
    mov\fails r5, #0
    .endm
    .endm
    order32 f32_eq, eq, ne
    order32 f32_ne, ne, eq
    order32 f32_lt, mi, pl
    order32 f32_gt, gt, le
    order32 f32_le, ls, hi
    order32 f32_ge, ge, lt

    .macro v_f32_sqrt
    vsqrt.f32 s0, s0
    .endm
    .macro v_f32_from_s32
    vcvt.f32.s32 s0, s0
    .endm
    .macro v_f32_from_u32
    vcvt.f32.u32 s0, s0
    .endm
@ These round towards zero, saturate, and make 0 of what is not a number.
    .macro v_i32_sat_f32_s
    vcvt.s32.f32 s0, s0
    .endm
    .macro v_i32_sat_f32_u
    vcvt.u32.f32 s0, s0
    .endm

    .macro u_binary32 f
    slot    r0, 1
    vmov    s0, r0
    vmov    s1, r5
    v_\f
    next    2
    .endm
    .macro u_unary32 f
    vmov    s0, r5
    v_\f
    vmov    r5, s0
    next    1
    .endm
