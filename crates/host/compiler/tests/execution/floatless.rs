//! Makes integer modules of modules with floats, so that the rest of them can be tested.
//!
//! A float becomes the integer with its bits wherever it is only moved. A function that computes
//! with floats traps instead: what reaches one is not an assertion about us.
use wast::core::{
    Expression, FuncKind, FunctionType, GlobalKind, InnerTypeKind, Instruction, ModuleField,
    ModuleKind, TypeUse, ValType,
};
use wast::{QuoteWat, Wat};

/// Replaces the floats of a module.
pub fn replace(module: &mut QuoteWat<'_>) {
    let QuoteWat::Wat(Wat::Module(module)) = module else { return };
    let ModuleKind::Text(fields) = &mut module.kind else { return };
    for field in fields {
        match field {
            ModuleField::Type(ty) => {
                if let InnerTypeKind::Func(function) = &mut ty.def.kind {
                    replace_signature(function);
                }
            }
            ModuleField::Func(function) => {
                replace_use(&mut function.ty);
                if let FuncKind::Inline { locals, expression } = &mut function.kind {
                    locals.iter_mut().for_each(|local| replace_type(&mut local.ty));
                    replace_body(expression);
                }
            }
            ModuleField::Global(global) => {
                replace_type(&mut global.ty.ty);
                if let GlobalKind::Inline(expression) = &mut global.kind {
                    replace_body(expression);
                }
            }
            _ => {}
        }
    }
}

fn replace_type(ty: &mut ValType<'_>) {
    match ty {
        ValType::F32 => *ty = ValType::I32,
        ValType::F64 => *ty = ValType::I64,
        _ => {}
    }
}

fn replace_signature(function: &mut FunctionType<'_>) {
    function.params.iter_mut().for_each(|(_, _, ty)| replace_type(ty));
    function.results.iter_mut().for_each(replace_type);
}

fn replace_use(used: &mut TypeUse<'_, FunctionType<'_>>) {
    if let Some(function) = &mut used.inline {
        replace_signature(function);
    }
}

fn replace_body(expression: &mut Expression<'_>) {
    let mut computes = false;
    for instruction in &mut expression.instrs {
        let replaced = match instruction {
            Instruction::f32_const(value) => Instruction::i32_const(value.bits as i32),
            Instruction::f64_const(value) => Instruction::i64_const(value.bits as i64),
            Instruction::f32_load(access) => Instruction::i32_load(access.clone()),
            Instruction::f64_load(access) => Instruction::i64_load(access.clone()),
            Instruction::f32_store(access) => Instruction::i32_store(access.clone()),
            Instruction::f64_store(access) => Instruction::i64_store(access.clone()),
            Instruction::i32_reinterpret_f32
            | Instruction::i64_reinterpret_f64
            | Instruction::f32_reinterpret_i32
            | Instruction::f64_reinterpret_i64 => Instruction::nop,
            Instruction::block(block) | Instruction::loop_(block) | Instruction::if_(block) => {
                replace_use(&mut block.ty);
                continue;
            }
            Instruction::call_indirect(call) => {
                replace_use(&mut call.ty);
                continue;
            }
            Instruction::select(select) => {
                select.tys.iter_mut().flatten().for_each(replace_type);
                continue;
            }
            other => {
                let text = format!("{other:?}");
                let name = text.split('(').next().unwrap_or_default();
                computes |= name.contains("f32") || name.contains("f64");
                continue;
            }
        };
        *instruction = replaced;
    }
    if computes {
        expression.instrs = Box::new([Instruction::unreachable]);
    }
}
