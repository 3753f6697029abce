//! Decoded instructions, as an assembler wrote them.

use super::thumb::{Effect, Flow, Instruction, LR, PC, SP, decode};

/// Where each instruction stands.
const AT: u32 = 0x1000;

fn decoded(first: u16, second: u16) -> Instruction {
    decode(AT, first, second)
}

/// Checks what control and registers do.
fn check(cases: &[(&str, u16, u16, Flow, Effect)]) {
    for (text, first, second, flow, effect) in cases {
        let instruction = decoded(*first, *second);
        assert_eq!(instruction.flow, *flow, "{text}");
        assert_eq!(instruction.effect, *effect, "{text}");
        let bytes = if *first >= 0xe800 { 4 } else { 2 };
        assert_eq!(instruction.bytes, bytes, "{text}");
    }
    println!("\ncases: {}", cases.len());
}

#[test]
fn the_stack_pointer_is_followed_through_every_way_to_move_it() {
    let push = |bytes| Effect::Push { bytes };
    let pop = |bytes, registers| Effect::Pop { bytes, registers };
    check(&[
        ("push {r4-r7, lr}", 0xb5f0, 0, Flow::Next, push(20)),
        ("push {r7}", 0xb480, 0, Flow::Next, push(4)),
        ("pop {r4-r7, pc}", 0xbdf0, 0, Flow::Return, pop(20, 0xf0)),
        ("pop {r4, r5}", 0xbc30, 0, Flow::Next, pop(8, 0x30)),
        ("sub sp, #52", 0xb08d, 0, Flow::Next, push(52)),
        ("add sp, #40", 0xb00a, 0, Flow::Next, pop(40, 0)),
        ("stmdb sp!, {r8-r11}", 0xe92d, 0x0f00, Flow::Next, push(16)),
        ("ldmia.w sp!, {r8, r9, r11}", 0xe8bd, 0x0b00, Flow::Next, pop(12, 0xb00)),
        ("ldmia.w sp!, {r4-r9, pc}", 0xe8bd, 0x83f0, Flow::Return, pop(28, 0x3f0)),
        ("sub.w sp, sp, #772", 0xf5ad, 0x7d41, Flow::Next, push(772)),
        ("subw sp, sp, #1028", 0xf2ad, 0x4d04, Flow::Next, push(1028)),
        ("add.w sp, sp, #512", 0xf50d, 0x7d00, Flow::Next, pop(512, 0)),
        ("str.w r11, [sp, #-4]!", 0xf84d, 0xbd04, Flow::Next, push(4)),
        ("ldr.w r11, [sp], #4", 0xf85d, 0xbb04, Flow::Next, pop(4, 0x800)),
        ("ldr.w pc, [sp], #4", 0xf85d, 0xfb04, Flow::Return, pop(4, 0)),
        ("strd r4, r5, [sp, #-8]!", 0xe96d, 0x4502, Flow::Next, push(8)),
        ("ldrd r4, r5, [sp], #8", 0xe8fd, 0x4502, Flow::Next, pop(8, 0x30)),
        ("vpush {d8-d10}", 0xed2d, 0x8b06, Flow::Next, push(24)),
        ("vpop {d8}", 0xecbd, 0x8b02, Flow::Next, pop(8, 0)),
        ("mov sp, r7", 0x46bd, 0, Flow::Next, Effect::Add { to: SP, from: 7, value: 0 }),
        ("add r7, sp, #12", 0xaf03, 0, Flow::Next, Effect::Add { to: 7, from: SP, value: 12 }),
        ("sub.w r4, r7, #8", 0xf1a7, 0x0408, Flow::Next, Effect::Add { to: 4, from: 7, value: -8 }),
        ("add sp, r4", 0x44a5, 0, Flow::Next, Effect::Write(1 << SP)),
    ]);
}

#[test]
fn every_way_to_another_place_is_known() {
    let none = Effect::None;
    check(&[
        ("b.n -4", 0xe7fc, 0, Flow::Jump(AT - 4), none),
        ("b.w +0x2ac", 0xf000, 0xb954, Flow::Jump(AT + 4 + 0x2a8), none),
        ("beq +8", 0xd002, 0, Flow::Branch(AT + 8), none),
        ("bne.w -6", 0xf47f, 0xaffb, Flow::Branch(AT - 6), none),
        ("cbz r0, +10", 0xb118, 0, Flow::Branch(AT + 10), none),
        ("cbnz r4, +70", 0xbb0c, 0, Flow::Branch(AT + 70), none),
        ("bl +0xfa", 0xf000, 0xf87b, Flow::Call(AT + 4 + 0xf6), none),
        ("bl -0x8a6", 0xf7ff, 0xfbad, Flow::Call(AT + 4 - 0x8a6), none),
        ("blx r4", 0x47a0, 0, Flow::CallRegister(4), none),
        ("bx lr", 0x4770, 0, Flow::JumpRegister(LR), none),
        ("mov pc, r3", 0x469f, 0, Flow::JumpRegister(3), none),
        ("tbb [pc, r0]", 0xe8df, 0xf000, Flow::Table { halfwords: false }, none),
        ("tbh [pc, r6, lsl #1]", 0xe8df, 0xf016, Flow::Table { halfwords: true }, none),
        ("ldr.w pc, [r12, r0, lsl #2]", 0xf85c, 0xf020, Flow::JumpIndexed, Effect::Write(0)),
        ("add pc, r1", 0x448f, 0, Flow::JumpUnknown, none),
        ("udf #0", 0xde00, 0, Flow::Stop, none),
        ("udf.w #0", 0xf7f0, 0xa000, Flow::Stop, none),
        ("bkpt", 0xbe00, 0, Flow::Stop, none),
    ]);
}

#[test]
fn constants_reach_the_registers_that_are_called() {
    let load = |to, address| Effect::LoadAt { to, address };
    check(&[
        ("movs r2, #27", 0x221b, 0, Flow::Next, Effect::Constant { to: 2, value: 27 }),
        ("movw r0, #50202", 0xf24c, 0x401a, Flow::Next, Effect::Constant { to: 0, value: 50202 }),
        ("movt r0, #2049", 0xf6c0, 0x0001, Flow::Next, Effect::Upper { to: 0, value: 2049 }),
        ("mov.w r0, #-1", 0xf04f, 0x30ff, Flow::Next, Effect::Constant { to: 0, value: u32::MAX }),
        ("mvn r0, #0", 0xf06f, 0x0000, Flow::Next, Effect::Constant { to: 0, value: u32::MAX }),
        ("mov r4, r6", 0x4634, 0, Flow::Next, Effect::Add { to: 4, from: 6, value: 0 }),
        ("mov.w r10, r2", 0xea4f, 0x0a02, Flow::Next, Effect::Add { to: 10, from: 2, value: 0 }),
        ("ldr r4, [pc, #112]", 0x4c1c, 0, Flow::Next, load(4, AT + 4 + 112)),
        ("ldr.w r9, [pc, #2324]", 0xf8df, 0x9914, Flow::Next, load(9, AT + 4 + 2324)),
        ("addw r3, pc, #4", 0xf20f, 0x0304, Flow::Next, Effect::Constant { to: 3, value: AT + 8 }),
        ("ldr r2, [r1, #12]", 0x68ca, 0, Flow::Next, Effect::Load { to: 2, base: 1, offset: 12 }),
        ("ldrd r1, r0, [sp, #16]", 0xe9dd, 0x1004, Flow::Next, Effect::Write(0b11)),
        ("ldmia r0!, {r1-r3}", 0xc80e, 0, Flow::Next, Effect::Write(0b1111)),
        ("strb.w r0, [sp, #14]", 0xf88d, 0x000e, Flow::Next, Effect::None),
        ("umull r0, r1, r2, r3", 0xfba2, 0x0103, Flow::Next, Effect::Write(0b11)),
        ("mrs r1, primask", 0xf3ef, 0x8110, Flow::Next, Effect::Write(0b10)),
        ("lsls r1, r2, #3", 0x00d1, 0, Flow::Next, Effect::Write(0b10)),
        ("cmp r0, r1", 0x4288, 0, Flow::Next, Effect::None),
        ("vmov r2, s0", 0xee10, 0x2a10, Flow::Next, Effect::Write(0b100)),
        ("strex r1, r0, [r2]", 0xe842, 0x0100, Flow::Next, Effect::Write(0b11)),
    ]);
}

#[test]
fn what_changes_the_flags_under_a_condition_is_known() {
    for (text, first, second, compares) in [
        ("cmp r0, #7", 0x2807, 0, true),
        ("cmp.w r0, #256", 0xf5b0, 0x7f80, true),
        ("tst.w r0, r1", 0xea10, 0x0f01, true),
        ("adds.w r0, r0, r1", 0xeb10, 0x0001, true),
        ("add.w r0, r0, r1", 0xeb00, 0x0001, false),
        ("mov r0, r1", 0x4608, 0, false),
    ] {
        assert_eq!(decoded(first, second).compares, compares, "{text}");
    }
    assert_eq!(decoded(0xbf3f, 0).it, 0x3f, "itttt cc");
    assert_eq!(decoded(0xbf00, 0).it, 0, "nop");
    assert_ne!(decoded(0x4770, 0).flow, Flow::JumpRegister(PC), "bx lr");
}
