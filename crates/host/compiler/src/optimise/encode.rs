//! Writes the chosen forms as bytes, and the distances of branches.
use super::Code;
use super::select::{Encoded, Selected, Target};

/// Bytes of an instruction with its distances.
fn length(instruction: &Encoded) -> usize {
    instruction.bytes.len()
        + match &instruction.target {
            None => 0,
            Some(Target::Forward(_) | Target::Over(_)) => 2,
            Some(Target::Back { cost, .. }) if *cost > u8::MAX.into() => 4,
            Some(Target::Back { .. }) => 3,
            Some(Target::Table(targets)) => 2 * targets.len(),
        }
}

/// Writes the code. Nothing if a distance is too long.
pub(super) fn encode(selected: &Selected) -> Option<Code> {
    let mut starts = Vec::with_capacity(selected.blocks.len());
    let mut at = 0;
    for block in &selected.blocks {
        starts.push(at);
        at += block.iter().map(length).sum::<usize>();
    }
    let mut code: Vec<u8> = Vec::with_capacity(at);
    let mut source: Vec<(u32, u32)> = Vec::new();
    let mut call_places = Vec::new();
    for instruction in selected.blocks.iter().flatten() {
        let here = code.len();
        if source.last().is_none_or(|(_, last)| *last != instruction.source) {
            source.push((here as u32, instruction.source));
        }
        call_places.extend(instruction.callee.map(|callee| (here as u32, callee)));
        code.extend(&instruction.bytes);
        let forward = |block: usize| u16::try_from(starts[block].checked_sub(here)?).ok();
        match &instruction.target {
            None => {}
            Some(Target::Forward(block)) => code.extend(forward(*block)?.to_le_bytes()),
            Some(Target::Over(distance)) => code.extend(distance.to_le_bytes()),
            Some(Target::Back { block, cost }) => {
                let distance = u16::try_from(here.checked_sub(starts[*block])?).ok()?;
                code.extend(distance.to_le_bytes());
                match u8::try_from(*cost) {
                    Ok(cost) => code.push(cost),
                    Err(_) => code.extend(cost.to_le_bytes()),
                }
            }
            Some(Target::Table(targets)) => {
                for target in targets {
                    code.extend(forward(*target)?.to_le_bytes());
                }
            }
        }
    }
    Some(Code { bytes: code, call_places, source, slots: selected.slots })
}
