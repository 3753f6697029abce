//! Floating point: operations of the second page on the bits of floats.
//!
//! To the lowering an f32 is a value of 32 bits and an f64 one of 64, as integers are.
use super::arithmetic::{AND, XOR};
use super::{Lowering, Value};
use crate::module::Type;
use wasmbed_engine::ColdOpcode;
use wasmparser::Operator;

/// What an operation does to its operands.
enum Shape {
    /// Two operands; of this width, leaving a value of that one.
    Binary(Type, Type),
    /// The same, in either order.
    Commuting(Type, Type),
    /// Two operands, and the operation that does the same with them exchanged.
    Swapping(Type, Type, ColdOpcode),
    /// One operand, leaving a value of this width.
    Unary(Type),
}

impl Lowering<'_, '_> {
    /// Lowers an operator on floats, if it is one.
    pub(super) fn float_operator(&mut self, operator: &Operator<'_>) -> bool {
        match operator {
            Operator::F32Const { value } => {
                self.push(Value::Constant(value.bits().into()), Type::I32);
            }
            Operator::F64Const { value } => self.push(Value::Constant(value.bits()), Type::I64),
            // The bits stay where they are.
            Operator::I32ReinterpretF32
            | Operator::I64ReinterpretF64
            | Operator::F32ReinterpretI32
            | Operator::F64ReinterpretI64 => {}
            Operator::F32Abs => {
                self.push(Value::Constant(0x7fff_ffff), Type::I32);
                self.binary32(AND);
            }
            Operator::F32Neg => {
                self.push(Value::Constant(0x8000_0000), Type::I32);
                self.binary32(XOR);
            }
            _ => {
                let Some((opcode, shape)) = operation(operator).or_else(|| conversion(operator))
                else {
                    return false;
                };
                self.float_operation(opcode, &shape);
            }
        }
        true
    }

    fn float_operation(&mut self, opcode: ColdOpcode, shape: &Shape) {
        match *shape {
            Shape::Unary(result) => self.cold_unary(opcode, result),
            Shape::Binary(ty, result) => self.float_binary(opcode, None, ty, result),
            Shape::Commuting(ty, result) => self.float_binary(opcode, Some(opcode), ty, result),
            Shape::Swapping(ty, result, swapped) => {
                self.float_binary(opcode, Some(swapped), ty, result);
            }
        }
    }

    /// First operand in a slot, second in the accumulator; exchanged where that saves a move.
    fn float_binary(
        &mut self,
        opcode: ColdOpcode,
        swapped: Option<ColdOpcode>,
        ty: Type,
        result: Type,
    ) {
        let second = self.pop();
        let first = self.pop();
        let prefers_swap = self.in_accumulator(first)
            && !self.in_accumulator(second)
            && matches!(second.value, Value::Slot(_));
        let (opcode, first, second) = match swapped {
            Some(swapped) if prefers_swap => (swapped, second, first),
            _ => (opcode, first, second),
        };
        let slot = self.settle_and_load_last(first, second);
        self.spill();
        let slot = self.name(slot, ty.words(), 0);
        self.assembler.emit_cold(opcode as u8, &[slot]);
        self.push_result(result);
    }
}

fn operation(operator: &Operator<'_>) -> Option<(ColdOpcode, Shape)> {
    use Shape::{Binary, Commuting, Swapping, Unary};
    const SINGLE: Type = Type::I32;
    const DOUBLE: Type = Type::I64;
    macro_rules! find {
        ($($opcode:ident $shape:expr;)*) => {
            match operator {
                $(Operator::$opcode => (ColdOpcode::$opcode, $shape),)*
                _ => return None,
            }
        };
    }
    Some(find! {
        F32Add Commuting(SINGLE, SINGLE);
        F32Sub Binary(SINGLE, SINGLE);
        F32Mul Commuting(SINGLE, SINGLE);
        F32Div Binary(SINGLE, SINGLE);
        F32Min Commuting(SINGLE, SINGLE);
        F32Max Commuting(SINGLE, SINGLE);
        F32Copysign Binary(SINGLE, SINGLE);
        F64Add Commuting(DOUBLE, DOUBLE);
        F64Sub Binary(DOUBLE, DOUBLE);
        F64Mul Commuting(DOUBLE, DOUBLE);
        F64Div Binary(DOUBLE, DOUBLE);
        F64Min Commuting(DOUBLE, DOUBLE);
        F64Max Commuting(DOUBLE, DOUBLE);
        F64Copysign Binary(DOUBLE, DOUBLE);
        F32Eq Commuting(SINGLE, Type::I32);
        F32Ne Commuting(SINGLE, Type::I32);
        F32Lt Swapping(SINGLE, Type::I32, ColdOpcode::F32Gt);
        F32Gt Swapping(SINGLE, Type::I32, ColdOpcode::F32Lt);
        F32Le Swapping(SINGLE, Type::I32, ColdOpcode::F32Ge);
        F32Ge Swapping(SINGLE, Type::I32, ColdOpcode::F32Le);
        F64Eq Commuting(DOUBLE, Type::I32);
        F64Ne Commuting(DOUBLE, Type::I32);
        F64Lt Swapping(DOUBLE, Type::I32, ColdOpcode::F64Gt);
        F64Gt Swapping(DOUBLE, Type::I32, ColdOpcode::F64Lt);
        F64Le Swapping(DOUBLE, Type::I32, ColdOpcode::F64Ge);
        F64Ge Swapping(DOUBLE, Type::I32, ColdOpcode::F64Le);
        F32Ceil Unary(SINGLE);
        F32Floor Unary(SINGLE);
        F32Trunc Unary(SINGLE);
        F32Nearest Unary(SINGLE);
        F32Sqrt Unary(SINGLE);
        F64Ceil Unary(DOUBLE);
        F64Floor Unary(DOUBLE);
        F64Trunc Unary(DOUBLE);
        F64Nearest Unary(DOUBLE);
        F64Sqrt Unary(DOUBLE);
        F64Abs Unary(DOUBLE);
        F64Neg Unary(DOUBLE);
    })
}

fn conversion(operator: &Operator<'_>) -> Option<(ColdOpcode, Shape)> {
    macro_rules! find {
        ($($operator:ident $opcode:ident $ty:ident;)*) => {
            match operator {
                $(Operator::$operator => (ColdOpcode::$opcode, Shape::Unary(Type::$ty)),)*
                _ => return None,
            }
        };
    }
    Some(find! {
        I32TruncF32S I32TruncF32S I32;
        I32TruncF32U I32TruncF32U I32;
        I32TruncF64S I32TruncF64S I32;
        I32TruncF64U I32TruncF64U I32;
        I64TruncF32S I64TruncF32S I64;
        I64TruncF32U I64TruncF32U I64;
        I64TruncF64S I64TruncF64S I64;
        I64TruncF64U I64TruncF64U I64;
        I32TruncSatF32S I32SatF32S I32;
        I32TruncSatF32U I32SatF32U I32;
        I32TruncSatF64S I32SatF64S I32;
        I32TruncSatF64U I32SatF64U I32;
        I64TruncSatF32S I64SatF32S I64;
        I64TruncSatF32U I64SatF32U I64;
        I64TruncSatF64S I64SatF64S I64;
        I64TruncSatF64U I64SatF64U I64;
        F32ConvertI32S F32ConvertI32S I32;
        F32ConvertI32U F32ConvertI32U I32;
        F32ConvertI64S F32ConvertI64S I32;
        F32ConvertI64U F32ConvertI64U I32;
        F64ConvertI32S F64ConvertI32S I64;
        F64ConvertI32U F64ConvertI32U I64;
        F64ConvertI64S F64ConvertI64S I64;
        F64ConvertI64U F64ConvertI64U I64;
        F32DemoteF64 F32Demote I32;
        F64PromoteF32 F64Promote I64;
    })
}
