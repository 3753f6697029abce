//! Fuel: what one pass of each loop and one call of each function costs.
//!
//! # Source
//! docs/abi.md, "Fuel": an operator costs 1, those that only shape control cost 0, and what cannot
//! be reached costs 0. A loop costs its operators with one pass of each inner loop; a function
//! those of its body with one pass of each loop. Nothing costs less than 1.
use wasmparser::Operator;

/// Costs of one function.
#[derive(Debug, Default, Eq, PartialEq)]
pub(crate) struct Costs {
    /// One call.
    pub(crate) function: u32,
    /// One pass of each loop, in the order of the loops' beginnings.
    pub(crate) loops: Vec<u32>,
}

/// A construct that is open while counting.
#[derive(Default)]
struct Open {
    /// Loop number, and the count where its body began.
    started: Option<(usize, u32)>,
    /// Whether its beginning can be reached.
    was_reachable: bool,
    /// Whether a branch leads to it.
    is_targeted: bool,
    /// Whether a false condition leads to its end.
    is_skippable: bool,
}

/// Counts the operators of a body.
pub(crate) fn count(operators: &[Operator<'_>]) -> Costs {
    let mut costs = Costs::default();
    let mut open: Vec<Open> = Vec::new();
    let mut counted = 0;
    let mut is_reachable = true;
    for operator in operators {
        if is_reachable && !is_free(operator) {
            counted += 1;
        }
        match operator {
            Operator::Block { .. } => {
                open.push(Open { was_reachable: is_reachable, ..Open::default() });
            }
            // Without an else, the end is where a false condition leads.
            Operator::If { .. } => open.push(Open {
                was_reachable: is_reachable,
                is_skippable: is_reachable,
                ..Open::default()
            }),
            Operator::Loop { .. } => {
                let started = Some((costs.loops.len(), counted));
                open.push(Open { started, was_reachable: is_reachable, ..Open::default() });
                costs.loops.push(0);
            }
            Operator::Else => {
                if let Some(innermost) = open.last_mut() {
                    innermost.is_skippable = false;
                    innermost.is_targeted |= is_reachable;
                    is_reachable = innermost.was_reachable;
                }
            }
            Operator::End => {
                if let Some(closed) = open.pop() {
                    if let Some((number, before)) = closed.started {
                        costs.loops[number] = (counted - before).max(1);
                    }
                    is_reachable |= closed.is_skippable;
                    is_reachable |= closed.is_targeted && closed.started.is_none();
                }
            }
            _ if is_reachable => is_reachable = pass(operator, &mut open),
            _ => {}
        }
    }
    costs.function = counted.max(1);
    costs
}

/// Marks what a reachable operator branches to; whether what follows it can be reached.
fn pass(operator: &Operator<'_>, open: &mut [Open]) -> bool {
    let mut target = |depth: u32| {
        let index = open.len().checked_sub(1 + depth as usize);
        if let Some(target) = index.and_then(|index| open.get_mut(index)) {
            target.is_targeted = true;
        }
    };
    match operator {
        Operator::Br { relative_depth } => target(*relative_depth),
        Operator::BrIf { relative_depth } => {
            target(*relative_depth);
            return true;
        }
        Operator::BrTable { targets } => {
            targets.targets().flatten().for_each(&mut target);
            target(targets.default());
        }
        Operator::Return | Operator::Unreachable => {}
        _ => return true,
    }
    false
}

/// Operators that only shape control.
fn is_free(operator: &Operator<'_>) -> bool {
    matches!(
        operator,
        Operator::Nop
            | Operator::Drop
            | Operator::Block { .. }
            | Operator::Loop { .. }
            | Operator::Unreachable
            | Operator::Return
            | Operator::Else
            | Operator::End
    )
}

#[cfg(test)]
mod tests;
