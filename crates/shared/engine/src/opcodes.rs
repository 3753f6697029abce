//! The one table of opcodes: encoder, verifier, disassembler and executor are made from it.
//!
//! Leaves out what an operation computes: the executor gives each kind of row its meaning.
//!
//! A row is a name, the operands behind the opcode byte, and a kind with the function it applies.
//! Opcodes are numbered in the order of the rows, so a change here is a new format number.

/// Hands all rows of the first page to the macro `$callback`, after `$first`.
macro_rules! for_each_opcode {
    ($callback:ident $($first:tt)*) => {
        $callback! {
            $($first)*
            // Ends, constants and copies.
            (Unreachable [] (own unreachable))
            (Return [] (own ret))
            (Const8 [Byte] (own const8))
            (Const32 [Word] (own const32))
            (Const64 [Long] (own const64))
            (Get [Slot] (own get))
            (Get64 [Pair] (own get64))
            (Set [Slot] (own set))
            (Set64 [Pair] (own set64))
            (Copy [Slot Slot] (own copy))
            (Copy64 [Pair Pair] (own copy64))
            (CopyWide [WideSlot WideSlot] (own copy_wide))
            (SetConst8 [Slot Byte] (own set_const8))
            (SetConst32 [Slot Word] (own set_const32))
            (Clear [SlotRange] (own clear))
            (ClearWide [WideRange] (own clear_wide))
            (Select [Slot Slot] (own select))
            (SelectS [Slot Slot Slot] (own selects))
            (Select64 [Pair Pair] (own select64))
            (GlobalGet [Global] (own global_get))
            (GlobalSet [Global] (own global_set))
            (GlobalGet64 [GlobalPair] (own global_get64))
            (GlobalSet64 [GlobalPair] (own global_set64))
            // Calls and tables.
            (Call [Call] (own call))
            (CallWide [CallWide] (own call_wide))
            (CallIndirect [CallIndirect] (own call_indirect))
            (CallReference [CallIndirect] (own call_reference))
            (CallHost [CallHost] (own call_host))
            (BranchTable [] (own branch_table))
            (Cold [] (own cold))
            // 32-bit arithmetic: both operands in slots, then accumulator and slot, slot and accumulator.
            (AddRr [Slot Slot] (rr add))
            (AndRr [Slot Slot] (rr and))
            (OrRr [Slot Slot] (rr or))
            (XorRr [Slot Slot] (rr xor))
            (MulRr [Slot Slot] (rr mul))
            (SubRr [Slot Slot] (rr sub))
            (ShlRr [Slot Slot] (rr shl))
            (ShrSRr [Slot Slot] (rr shr_s))
            (ShrURr [Slot Slot] (rr shr_u))
            (AddAr [Slot] (ar add))
            (AndAr [Slot] (ar and))
            (OrAr [Slot] (ar or))
            (XorAr [Slot] (ar xor))
            (MulAr [Slot] (ar mul))
            (SubAr [Slot] (ar sub))
            (ShlAr [Slot] (ar shl))
            (ShrSAr [Slot] (ar shr_s))
            (ShrUAr [Slot] (ar shr_u))
            (SubRa [Slot] (ra sub))
            (ShlRa [Slot] (ra shl))
            (ShrSRa [Slot] (ra shr_s))
            (ShrURa [Slot] (ra shr_u))
            // With a constant of 8 bits, then of 32: slot or accumulator first.
            (AddRi [Slot Byte] (ri add))
            (AndRi [Slot Byte] (ri and))
            (ShlRi [Slot Shift] (ri shl))
            (ShrSRi [Slot Shift] (ri shr_s))
            (ShrURi [Slot Shift] (ri shr_u))
            (RotrRi [Slot Shift] (ri rotr))
            (AddAi [Byte] (ai add))
            (AndAi [Byte] (ai and))
            (XorAi [Byte] (ai xor))
            (ShlAi [Shift] (ai shl))
            (ShrSAi [Shift] (ai shr_s))
            (ShrUAi [Shift] (ai shr_u))
            (RotrAi [Shift] (ai rotr))
            (AddRj [Slot Word] (rj add))
            (AndRj [Slot Word] (rj and))
            (MulRj [Slot Word] (rj mul))
            (AddAj [Word] (aj add))
            (AndAj [Word] (aj and))
            (OrAj [Word] (aj or))
            (XorAj [Word] (aj xor))
            (MulAj [Word] (aj mul))
            // The same, the result also stored in a slot: the last operand.
            (AddRrs [Slot Slot Slot] (rrs add))
            (AndRrs [Slot Slot Slot] (rrs and))
            (OrRrs [Slot Slot Slot] (rrs or))
            (XorRrs [Slot Slot Slot] (rrs xor))
            (MulRrs [Slot Slot Slot] (rrs mul))
            (SubRrs [Slot Slot Slot] (rrs sub))
            (AddArs [Slot Slot] (ars add))
            (AndArs [Slot Slot] (ars and))
            (OrArs [Slot Slot] (ars or))
            (XorArs [Slot Slot] (ars xor))
            (MulArs [Slot Slot] (ars mul))
            (SubArs [Slot Slot] (ars sub))
            (AddRis [Slot Byte Slot] (ris add))
            (AndRis [Slot Byte Slot] (ris and))
            (ShlRis [Slot Shift Slot] (ris shl))
            (ShrSRis [Slot Shift Slot] (ris shr_s))
            (ShrURis [Slot Shift Slot] (ris shr_u))
            (RotrRis [Slot Shift Slot] (ris rotr))
            (AddAis [Byte Slot] (ais add))
            (AndAis [Byte Slot] (ais and))
            (ShlAis [Shift Slot] (ais shl))
            (ShrSAis [Shift Slot] (ais shr_s))
            (ShrUAis [Shift Slot] (ais shr_u))
            (RotrAis [Shift Slot] (ais rotr))
            (AddRjs [Slot Word Slot] (rjs add))
            (AndRjs [Slot Word Slot] (rjs and))
            (AddAjs [Word Slot] (ajs add))
            (AndAjs [Word Slot] (ajs and))
            (XorAjs [Word Slot] (ajs xor))
            (MulAjs [Word Slot] (ajs mul))
            // The same, the result stored in the slot of the first operand.
            (AddRr2 [Slot Slot] (rr2 add))
            (XorRr2 [Slot Slot] (rr2 xor))
            (SubRr2 [Slot Slot] (rr2 sub))
            (AddRi2 [Slot Byte] (ri2 add))
            (ShlRi2 [Slot Shift] (ri2 shl))
            // 32-bit comparisons that leave 0 or 1.
            (EqRa [Slot] (ra eq))
            (NeRa [Slot] (ra ne))
            (LtSRa [Slot] (ra lt_s))
            (LtURa [Slot] (ra lt_u))
            (GtSRa [Slot] (ra gt_s))
            (GtURa [Slot] (ra gt_u))
            (LeSRa [Slot] (ra le_s))
            (LeURa [Slot] (ra le_u))
            (GeSRa [Slot] (ra ge_s))
            (GeURa [Slot] (ra ge_u))
            (EqAi [Byte] (ai eq))
            (NeAi [Byte] (ai ne))
            (LtSAi [Byte] (ai lt_s))
            (LtUAi [Byte] (ai lt_u))
            (GtSAi [Byte] (ai gt_s))
            (GtUAi [Byte] (ai gt_u))
            // Forward branches, alone and fused with a comparison; last with 0.
            (Branch [Forward] (own branch))
            (BranchIfEqRr [Slot Slot Forward] (branch_rr eq))
            (BranchIfNeRr [Slot Slot Forward] (branch_rr ne))
            (BranchIfLtSRr [Slot Slot Forward] (branch_rr lt_s))
            (BranchIfLtURr [Slot Slot Forward] (branch_rr lt_u))
            (BranchIfLeSRr [Slot Slot Forward] (branch_rr le_s))
            (BranchIfLeURr [Slot Slot Forward] (branch_rr le_u))
            (BranchIfEqAr [Slot Forward] (branch_ar eq))
            (BranchIfNeAr [Slot Forward] (branch_ar ne))
            (BranchIfLtSAr [Slot Forward] (branch_ar lt_s))
            (BranchIfLtUAr [Slot Forward] (branch_ar lt_u))
            (BranchIfGtSAr [Slot Forward] (branch_ar gt_s))
            (BranchIfGtUAr [Slot Forward] (branch_ar gt_u))
            (BranchIfLeSAr [Slot Forward] (branch_ar le_s))
            (BranchIfLeUAr [Slot Forward] (branch_ar le_u))
            (BranchIfGeSAr [Slot Forward] (branch_ar ge_s))
            (BranchIfGeUAr [Slot Forward] (branch_ar ge_u))
            (BranchIfEqAi [Byte Forward] (branch_ai eq))
            (BranchIfNeAi [Byte Forward] (branch_ai ne))
            (BranchIfLtSAi [Byte Forward] (branch_ai lt_s))
            (BranchIfLtUAi [Byte Forward] (branch_ai lt_u))
            (BranchIfGtSAi [Byte Forward] (branch_ai gt_s))
            (BranchIfGtUAi [Byte Forward] (branch_ai gt_u))
            (BranchIfEqRi [Slot Byte Forward] (branch_ri eq))
            (BranchIfNeRi [Slot Byte Forward] (branch_ri ne))
            (BranchIfLtSRi [Slot Byte Forward] (branch_ri lt_s))
            (BranchIfLtURi [Slot Byte Forward] (branch_ri lt_u))
            (BranchIfGtSRi [Slot Byte Forward] (branch_ri gt_s))
            (BranchIfGtURi [Slot Byte Forward] (branch_ri gt_u))
            (BranchIfEqA0 [Forward] (branch_a0 eq))
            (BranchIfNeA0 [Forward] (branch_a0 ne))
            (BranchIfEqR0 [Slot Forward] (branch_r0 eq))
            (BranchIfNeR0 [Slot Forward] (branch_r0 ne))
            // Back-edges: they carry their cost. All other conditions go forward over `Loop`.
            (Loop [Backward] (own loop_back))
            (LoopWide [BackwardWide] (own loop_back_wide))
            (LoopIfNeRr [Slot Slot Backward] (loop_rr ne))
            (LoopIfLtSRr [Slot Slot Backward] (loop_rr lt_s))
            (LoopIfLtURr [Slot Slot Backward] (loop_rr lt_u))
            (LoopIfNeAr [Slot Backward] (loop_ar ne))
            (LoopIfLtSAr [Slot Backward] (loop_ar lt_s))
            (LoopIfLtUAr [Slot Backward] (loop_ar lt_u))
            (LoopIfGtSAr [Slot Backward] (loop_ar gt_s))
            (LoopIfGtUAr [Slot Backward] (loop_ar gt_u))
            (LoopIfNeAi [Byte Backward] (loop_ai ne))
            (LoopIfNeAj [Word Backward] (loop_aj ne))
            (LoopIfLtUAj [Word Backward] (loop_aj lt_u))
            (LoopIfNeRi [Slot Byte Backward] (loop_ri ne))
            (LoopIfEqA0 [Backward] (loop_a0 eq))
            (LoopIfNeA0 [Backward] (loop_a0 ne))
            (LoopIfNeR0 [Slot Backward] (loop_r0 ne))
            // Loads: address in the accumulator or a slot; without offset, with one of 8 bits, of 32 bits.
            (Load32A0 [] (load_a0 load32))
            (Load8SA0 [] (load_a0 load8_s))
            (Load8UA0 [] (load_a0 load8_u))
            (Load16SA0 [] (load_a0 load16_s))
            (Load16UA0 [] (load_a0 load16_u))
            (Load32A [Byte] (load_a load32))
            (Load8SA [Byte] (load_a load8_s))
            (Load8UA [Byte] (load_a load8_u))
            (Load16SA [Byte] (load_a load16_s))
            (Load16UA [Byte] (load_a load16_u))
            (Load32R0 [Slot] (load_r0 load32))
            (Load8UR0 [Slot] (load_r0 load8_u))
            (Load16SR0 [Slot] (load_r0 load16_s))
            (Load16UR0 [Slot] (load_r0 load16_u))
            (Load32R [Slot Byte] (load_r load32))
            (Load8UR [Slot Byte] (load_r load8_u))
            (Load16SR [Slot Byte] (load_r load16_s))
            (Load16UR [Slot Byte] (load_r load16_u))
            (Load32Wide [Word] (load_wide load32))
            (Load8SWide [Word] (load_wide load8_s))
            (Load8UWide [Word] (load_wide load8_u))
            (Load16SWide [Word] (load_wide load16_s))
            (Load16UWide [Word] (load_wide load16_u))
            // The same, the result also stored.
            (Load32A0s [Slot] (load_a0s load32))
            (Load32As [Byte Slot] (load_as load32))
            (Load32R0s [Slot Slot] (load_r0s load32))
            (Load8UR0s [Slot Slot] (load_r0s load8_u))
            (Load32Rs [Slot Byte Slot] (load_rs load32))
            // Loads from a sum of 32 bits: with a constant, with a slot.
            (Load32Aw [Word] (load_aw load32))
            (Load8UAw [Word] (load_aw load8_u))
            (Load32Rw [Slot Word] (load_rw load32))
            (Load8URw [Slot Word] (load_rw load8_u))
            (Load32Rws [Slot Word Slot] (load_rws load32))
            (Load8URws [Slot Word Slot] (load_rws load8_u))
            (Load32Ax [Slot] (load_ax load32))
            (Load8UAx [Slot] (load_ax load8_u))
            (Load32Rx [Slot Slot] (load_rx load32))
            (Load8URx [Slot Slot] (load_rx load8_u))
            // From and to a constant address.
            (Load32C [Word] (load_c load32))
            (Load8UC [Word] (load_c load8_u))
            (Store32C [Word] (store_c store32))
            (Store8C [Word] (store_c store8))
            (Load64A [Byte] (own load64_a))
            (Load64R [Slot Byte] (own load64_r))
            (Load64Wide [Word] (own load64_wide))
            // Stores: address in a slot and value in the accumulator, the reverse, both in slots; offsets as above.
            (Store32Ra0 [Slot] (store_ra0 store32))
            (Store8Ra0 [Slot] (store_ra0 store8))
            (Store16Ra0 [Slot] (store_ra0 store16))
            (Store32Ra [Slot Byte] (store_ra store32))
            (Store8Ra [Slot Byte] (store_ra store8))
            (Store16Ra [Slot Byte] (store_ra store16))
            (Store32Ar [Slot Byte] (store_ar store32))
            (Store8Ar [Slot Byte] (store_ar store8))
            (Store32Rr0 [Slot Slot] (store_rr0 store32))
            (Store8Rr0 [Slot Slot] (store_rr0 store8))
            (Store32Rr [Slot Slot Byte] (store_rr store32))
            (Store8Rr [Slot Slot Byte] (store_rr store8))
            (Store32Wide [Slot Word] (store_wide store32))
            (Store8Wide [Slot Word] (store_wide store8))
            (Store16Wide [Slot Word] (store_wide store16))
            (Store32Raw [Slot Word] (store_raw store32))
            (Store8Raw [Slot Word] (store_raw store8))
            (Store32Rrw [Slot Slot Word] (store_rrw store32))
            (Store64Ra [Slot Byte] (own store64_ra))
            (Store64Rr [Slot Pair Byte] (own store64_rr))
            (Store64Wide [Slot Word] (own store64_wide))
            // 64-bit arithmetic that programs use often.
            (Add64Ar [Pair] (ar64 add64))
            (And64Ar [Pair] (ar64 and64))
            (Or64Ar [Pair] (ar64 or64))
            (Xor64Ar [Pair] (ar64 xor64))
            (Mul64Ar [Pair] (ar64 mul64))
            (Sub64Ar [Pair] (ar64 sub64))
            // The same, the result also stored.
            (Add64Ars [Pair Pair] (ars64 add64))
            (Xor64Ars [Pair Pair] (ars64 xor64))
            // With a constant.
            (Add64Ai [Byte] (ai64 add64))
            (Shl64Ai [Shift64] (ai64 shl64))
            (ShrS64Ai [Shift64] (ai64 shr_s64))
            (ShrU64Ai [Shift64] (ai64 shr_u64))
            (Rotr64Ai [Shift64] (ai64 rotr64))
            (ExtendS [] (own extend_s))
            (ExtendU [] (own extend_u))
        }
    };
}

/// Hands all rows of the second page, behind the prefix `Cold`, to the macro `$callback`, after `$first`.
macro_rules! for_each_cold_opcode {
    ($callback:ident $($first:tt)*) => {
        $callback! {
            $($first)*
            // 32-bit: slot first, accumulator second.
            (DivS [Slot] (divide32 div_s))
            (DivU [Slot] (divide32 div_u))
            (RemS [Slot] (divide32 rem_s))
            (RemU [Slot] (divide32 rem_u))
            (Rotl [Slot] (binary32 rotl))
            (Rotr [Slot] (binary32 rotr))
            // 32-bit, on the accumulator.
            (Clz [] (unary32 clz))
            (Ctz [] (unary32 ctz))
            (Popcnt [] (unary32 popcnt))
            (Extend8S [] (unary32 extend8_s))
            (Extend16S [] (unary32 extend16_s))
            // 64-bit: slot first, accumulator second.
            (DivS64 [Pair] (divide64 div_s64))
            (DivU64 [Pair] (divide64 div_u64))
            (RemS64 [Pair] (divide64 rem_s64))
            (RemU64 [Pair] (divide64 rem_u64))
            (Sub64 [Pair] (binary64 sub64))
            (Shl64 [Pair] (binary64 shl64))
            (ShrS64 [Pair] (binary64 shr_s64))
            (ShrU64 [Pair] (binary64 shr_u64))
            (Rotl64 [Pair] (binary64 rotl64))
            (Rotr64 [Pair] (binary64 rotr64))
            // 64-bit, on the accumulator.
            (Clz64 [] (unary64 clz64))
            (Ctz64 [] (unary64 ctz64))
            (Popcnt64 [] (unary64 popcnt64))
            (Extend8S64 [] (unary64 extend8_s64))
            (Extend16S64 [] (unary64 extend16_s64))
            (Extend32S64 [] (unary64 extend32_s64))
            // 64-bit comparisons that leave 0 or 1.
            (Eq64 [Pair] (compare64 eq64))
            (Ne64 [Pair] (compare64 ne64))
            (LtS64 [Pair] (compare64 lt_s64))
            (LtU64 [Pair] (compare64 lt_u64))
            (GtS64 [Pair] (compare64 gt_s64))
            (GtU64 [Pair] (compare64 gt_u64))
            (LeS64 [Pair] (compare64 le_s64))
            (LeU64 [Pair] (compare64 le_u64))
            (GeS64 [Pair] (compare64 ge_s64))
            (GeU64 [Pair] (compare64 ge_u64))
            (Eqz64 [] (own eqz64))
            // Floats, on their bits. Slot first, accumulator second.
            (F32Add [Slot] (binary32 f32_add))
            (F32Sub [Slot] (binary32 f32_sub))
            (F32Mul [Slot] (binary32 f32_mul))
            (F32Div [Slot] (binary32 f32_div))
            (F32Min [Slot] (binary32 f32_min))
            (F32Max [Slot] (binary32 f32_max))
            (F32Copysign [Slot] (binary32 f32_copysign))
            (F64Add [Pair] (binary64 f64_add))
            (F64Sub [Pair] (binary64 f64_sub))
            (F64Mul [Pair] (binary64 f64_mul))
            (F64Div [Pair] (binary64 f64_div))
            (F64Min [Pair] (binary64 f64_min))
            (F64Max [Pair] (binary64 f64_max))
            (F64Copysign [Pair] (binary64 f64_copysign))
            // Comparisons of floats that leave 0 or 1.
            (F32Eq [Slot] (binary32 f32_eq))
            (F32Ne [Slot] (binary32 f32_ne))
            (F32Lt [Slot] (binary32 f32_lt))
            (F32Gt [Slot] (binary32 f32_gt))
            (F32Le [Slot] (binary32 f32_le))
            (F32Ge [Slot] (binary32 f32_ge))
            (F64Eq [Pair] (compare64 f64_eq))
            (F64Ne [Pair] (compare64 f64_ne))
            (F64Lt [Pair] (compare64 f64_lt))
            (F64Gt [Pair] (compare64 f64_gt))
            (F64Le [Pair] (compare64 f64_le))
            (F64Ge [Pair] (compare64 f64_ge))
            // Floats, on the accumulator.
            (F32Ceil [] (unary32 f32_ceil))
            (F32Floor [] (unary32 f32_floor))
            (F32Trunc [] (unary32 f32_trunc))
            (F32Nearest [] (unary32 f32_nearest))
            (F32Sqrt [] (unary32 f32_sqrt))
            (F64Ceil [] (unary64 f64_ceil))
            (F64Floor [] (unary64 f64_floor))
            (F64Trunc [] (unary64 f64_trunc))
            (F64Nearest [] (unary64 f64_nearest))
            (F64Sqrt [] (unary64 f64_sqrt))
            (F64Abs [] (unary64 f64_abs))
            (F64Neg [] (unary64 f64_neg))
            // Conversions, on the accumulator: to integers, which trap or saturate; to floats.
            (I32TruncF32S [] (check32 i32_trunc_f32_s))
            (I32TruncF32U [] (check32 i32_trunc_f32_u))
            (I32TruncF64S [] (check64 i32_trunc_f64_s))
            (I32TruncF64U [] (check64 i32_trunc_f64_u))
            (I64TruncF32S [] (check32 i64_trunc_f32_s))
            (I64TruncF32U [] (check32 i64_trunc_f32_u))
            (I64TruncF64S [] (check64 i64_trunc_f64_s))
            (I64TruncF64U [] (check64 i64_trunc_f64_u))
            (I32SatF32S [] (unary32 i32_sat_f32_s))
            (I32SatF32U [] (unary32 i32_sat_f32_u))
            (I32SatF64S [] (narrow i32_sat_f64_s))
            (I32SatF64U [] (narrow i32_sat_f64_u))
            (I64SatF32S [] (unary32 i64_sat_f32_s))
            (I64SatF32U [] (unary32 i64_sat_f32_u))
            (I64SatF64S [] (unary64 i64_sat_f64_s))
            (I64SatF64U [] (unary64 i64_sat_f64_u))
            (F32ConvertI32S [] (unary32 f32_from_s32))
            (F32ConvertI32U [] (unary32 f32_from_u32))
            (F32ConvertI64S [] (narrow f32_from_s64))
            (F32ConvertI64U [] (narrow f32_from_u64))
            (F64ConvertI32S [] (unary32 f64_from_s32))
            (F64ConvertI32U [] (unary32 f64_from_u32))
            (F64ConvertI64S [] (unary64 f64_from_s64))
            (F64ConvertI64U [] (unary64 f64_from_u64))
            (F32Demote [] (narrow f32_demote))
            (F64Promote [] (unary32 f64_promote))
            // Memory as a whole. Of the three slots the last is a length; they keep what is left.
            (MemorySize [] (own memory_size))
            (MemoryGrow [] (own memory_grow))
            (MemoryCopy [Bulk] (own memory_copy))
            (MemoryFill [Bulk] (own memory_fill))
            (MemoryInit [Bulk DataSegment] (own memory_init))
            (DataDrop [DataSegment] (own data_drop))
            // Tables that change: an index becomes an element, an element that can be called.
            (TableGet [Table] (own table_get))
            (TableFunction [Table] (own table_function))
            (TableSet [Slot Table] (own table_set))
            (TableSize [Table] (own table_size))
            (TableGrow [Bulk Table] (own table_grow))
            (TableCopy [Bulk TablePair] (own table_copy))
            (TableFill [Bulk Table] (own table_fill))
            (TableInit [Bulk TableElements] (own table_init))
            (ElementDrop [ElementSegment] (own element_drop))
            // Globals whose number does not fit a byte.
            (GlobalGetWide [WideGlobal] (own global_get_wide))
            (GlobalSetWide [WideGlobal] (own global_set_wide))
            (GlobalGetWide64 [WideGlobalPair] (own global_get_wide64))
            (GlobalSetWide64 [WideGlobalPair] (own global_set_wide64))
        }
    };
}

pub(crate) use {for_each_cold_opcode, for_each_opcode};

/// What follows an opcode byte. Everything is little endian.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum Operand {
    /// Nothing more: ends the list of operands.
    None = 0,
    /// `u8`: a slot of the frame.
    Slot = 1,
    /// `u8`: the first of two neighbouring slots, which hold 64 bits, the low word first.
    Pair = 2,
    /// `i8` constant, or `u8` offset of a memory access.
    Byte = 3,
    /// 32-bit constant or offset.
    Word = 4,
    /// 64-bit constant.
    Long = 5,
    /// `u16`: a slot of the frame.
    WideSlot = 6,
    /// `u16`: distance forward from the start of the instruction.
    Forward = 7,
    /// `u16`: distance backward from the start of the instruction; `u8`: fuel.
    Backward = 8,
    /// `u16`: distance backward from the start of the instruction; `u16`: fuel.
    BackwardWide = 9,
    /// `u8`: slot where the frame begins; `i24`: distance from the start of the instruction to the
    /// header of the called function.
    Call = 10,
    /// `u16`: slot where the frame begins; `i24`: distance, as above.
    CallWide = 11,
    /// `u16`: type number; `u16`: slot where the frame begins.
    CallIndirect = 12,
    /// `u16`: index of the import; `u16`: slot where its arguments begin.
    CallHost = 13,
    /// `u8`: a word of the globals.
    Global = 14,
    /// `u8`: the first of two neighbouring words of the globals.
    GlobalPair = 15,
    /// `u8`: number of bits to shift by, below 32.
    Shift = 16,
    /// `u8`: number of bits to shift by, below 64.
    Shift64 = 17,
    /// `u8`: first of some neighbouring slots; `u8`: how many, at least 1.
    SlotRange = 18,
    /// `u16`: first of some neighbouring slots; `u16`: how many, at least 1.
    WideRange = 19,
    /// Three `u8` slots: what a long operation begins with, and where it keeps what is left of it.
    Bulk = 20,
    /// `u8`: a table that changes.
    Table = 21,
    /// `u8`: the table that is written; `u8`: the one that is read.
    TablePair = 22,
    /// `u8`: a table that changes; `u16`: an element segment.
    TableElements = 23,
    /// `u16`: a data segment that code names.
    DataSegment = 24,
    /// `u16`: an element segment that code names.
    ElementSegment = 25,
    /// `u16`: a word of the globals.
    WideGlobal = 26,
    /// `u16`: the first of two neighbouring words of the globals.
    WideGlobalPair = 27,
}

impl Operand {
    /// Bytes that the operand takes.
    pub const fn bytes(self) -> usize {
        match self {
            Operand::None => 0,
            Operand::Slot | Operand::Pair | Operand::Byte => 1,
            Operand::Global | Operand::GlobalPair | Operand::Shift | Operand::Shift64 => 1,
            Operand::WideSlot | Operand::Forward | Operand::SlotRange => 2,
            Operand::Backward => 3,
            Operand::Word | Operand::BackwardWide | Operand::Call | Operand::WideRange => 4,
            Operand::CallIndirect | Operand::CallHost => 4,
            Operand::CallWide => 5,
            Operand::Table => 1,
            Operand::TablePair | Operand::DataSegment | Operand::ElementSegment => 2,
            Operand::WideGlobal | Operand::WideGlobalPair => 2,
            Operand::Bulk | Operand::TableElements => 3,
            Operand::Long => 8,
        }
    }

    const fn from_number(number: u16) -> Operand {
        match number {
            1 => Operand::Slot,
            2 => Operand::Pair,
            3 => Operand::Byte,
            4 => Operand::Word,
            5 => Operand::Long,
            6 => Operand::WideSlot,
            7 => Operand::Forward,
            8 => Operand::Backward,
            9 => Operand::BackwardWide,
            10 => Operand::Call,
            11 => Operand::CallWide,
            12 => Operand::CallIndirect,
            13 => Operand::CallHost,
            14 => Operand::Global,
            15 => Operand::GlobalPair,
            16 => Operand::Shift,
            17 => Operand::Shift64,
            18 => Operand::SlotRange,
            19 => Operand::WideRange,
            20 => Operand::Bulk,
            21 => Operand::Table,
            22 => Operand::TablePair,
            23 => Operand::TableElements,
            24 => Operand::DataSegment,
            25 => Operand::ElementSegment,
            26 => Operand::WideGlobal,
            27 => Operand::WideGlobalPair,
            _ => Operand::None,
        }
    }
}

/// Operands of one opcode, at most three, packed so that the whole table is small in flash.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Operands(u16);

impl Operands {
    const fn of(list: &[Operand]) -> Operands {
        let mut packed = 0;
        let mut rest = list;
        while let [head @ .., last] = rest {
            packed = packed << 5 | *last as u16;
            rest = head;
        }
        Operands(packed)
    }
}

impl Iterator for Operands {
    type Item = Operand;

    fn next(&mut self) -> Option<Operand> {
        let operand = Operand::from_number(self.0 & 0x1f);
        self.0 >>= 5;
        (operand != Operand::None).then_some(operand)
    }
}

/// Makes an opcode enum, its byte values as patterns, and the table of its operands.
macro_rules! define {
    (
        $text:literal $name:ident $bytes:ident
        $(($opcode:ident [$($operand:ident)*] ($kind:ident $function:ident)))*
    ) => {
        #[doc = $text]
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        #[repr(u8)]
        #[expect(missing_docs, reason = "the rows of the table say what each one does")]
        pub enum $name { $($opcode),* }

        #[expect(non_upper_case_globals, reason = "the constants mirror the enum")]
        #[cfg_attr(thumb_core, allow(dead_code, reason = "the core has its own"))]
        #[cfg_attr(thumb_core, expect(clippy::allow_attributes, reason = "page 2 is used"))]
        pub(crate) mod $bytes {
            $(pub(crate) const $opcode: u8 = super::$name::$opcode as u8;)*
        }

        impl $name {
            /// Every opcode, in the order of its number.
            pub const ALL: &'static [$name] = &[$($name::$opcode),*];

            /// What follows the opcode byte; nothing for a byte that is no opcode.
            pub fn operands(byte: u8) -> Option<Operands> {
                static OPERANDS: [Operands; $name::ALL.len()] =
                    [$(Operands::of(&[$(Operand::$operand),*])),*];
                OPERANDS.get(usize::from(byte)).copied()
            }

            /// The row's kind, which is the form of its operands, and the function it applies.
            pub fn meaning(self) -> (&'static str, &'static str) {
                match self {
                    $($name::$opcode => (stringify!($kind), stringify!($function)),)*
                }
            }

            /// The opcode with this number.
            pub fn decode(byte: u8) -> Option<$name> {
                $name::ALL.get(usize::from(byte)).copied()
            }
        }
    };
}

for_each_opcode!(define "An opcode of the first page." Opcode byte);
for_each_cold_opcode!(define "An opcode of the second page." ColdOpcode cold_byte);

#[cfg(test)]
mod tests;
