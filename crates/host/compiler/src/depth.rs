//! How much stack the deepest chain of calls takes.
use crate::error::PrepareError;
use std::collections::BTreeMap;
use wasmbed_engine::limits::RECORD_BYTES;

/// Where a function's frame begins in its caller's, and who is called.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct CallSite {
    /// Slot where the callee's frame begins.
    pub(crate) base: u16,
    pub(crate) callee: Callee,
}

/// Who is called.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Callee {
    /// A function that the image defines.
    Defined(u32),
    /// Any function of the table with this type number.
    Indirect(u32),
}

/// What the stack of one function depends on.
#[derive(Clone, Debug, Default)]
pub(crate) struct FrameNeeds {
    pub(crate) slots: u16,
    pub(crate) calls: Vec<CallSite>,
}

/// Bytes of the record of one call, which the first function has as well.
const CALL_BYTES: u64 = RECORD_BYTES as u64;

/// Stack that the deepest chain of calls from `roots` takes, in bytes.
///
/// A circle of calls is taken `recursion_depth` times: then its widest step counts that often.
pub(crate) fn stack_bytes(
    functions: &[FrameNeeds],
    roots: &[u32],
    targets_of_type: impl Fn(u32) -> Vec<u32>,
    recursion_depth: u32,
) -> Result<u64, PrepareError> {
    let mut functions = functions.to_vec();
    let mut edges: Vec<Vec<(u32, u64)>> = Vec::new();
    // Each type that is called indirectly is one more node, without a frame, between the callers
    // and the table: else there would be an edge for each pair of them.
    let mut nodes: BTreeMap<u32, u32> = BTreeMap::new();
    for index in 0..functions.len() {
        let mut calls = Vec::new();
        for call in std::mem::take(&mut functions[index].calls) {
            let callee = match call.callee {
                Callee::Defined(callee) => callee,
                Callee::Indirect(type_number) => {
                    let next = (functions.len() + nodes.len()) as u32;
                    *nodes.entry(type_number).or_insert(next)
                }
            };
            calls.push((callee, u64::from(call.base) * 4 + CALL_BYTES));
        }
        edges.push(calls);
    }
    let defined = functions.len() as u32;
    let mut types: Vec<(u32, u32)> = nodes.into_iter().map(|(ty, node)| (node, ty)).collect();
    types.sort_unstable();
    for (_, type_number) in types {
        functions.push(FrameNeeds::default());
        edges.push(targets_of_type(type_number).into_iter().map(|callee| (callee, 0)).collect());
    }
    let mut search = Search {
        functions: &functions,
        defined,
        edges: &edges,
        recursion_depth: u64::from(recursion_depth),
        order: vec![0; functions.len()],
        lowest: vec![0; functions.len()],
        needs: vec![None; functions.len()],
        open: Vec::new(),
        next_order: 1,
    };
    let mut deepest = 0;
    for root in roots {
        search.visit_from(*root)?;
        deepest = deepest.max(search.needs[*root as usize].unwrap_or(0) + CALL_BYTES);
    }
    Ok(deepest)
}

/// Tarjan's search for circles, which leaves callees before callers.
struct Search<'a> {
    functions: &'a [FrameNeeds],
    /// Functions proper; the nodes behind them are types.
    defined: u32,
    edges: &'a [Vec<(u32, u64)>],
    recursion_depth: u64,
    order: Vec<u32>,
    lowest: Vec<u32>,
    needs: Vec<Option<u64>>,
    open: Vec<u32>,
    next_order: u32,
}

impl Search<'_> {
    /// Visits depth first, with a stack of its own: call chains of modules may be long.
    fn visit_from(&mut self, root: u32) -> Result<(), PrepareError> {
        if self.order[root as usize] != 0 {
            return Ok(());
        }
        let mut path = vec![(root, 0)];
        self.enter(root);
        while let Some((function, edge)) = path.last_mut() {
            let here = *function as usize;
            match self.edges[here].get(*edge) {
                Some(&(callee, _)) => {
                    *edge += 1;
                    if self.order[callee as usize] == 0 {
                        self.enter(callee);
                        path.push((callee, 0));
                    } else if self.needs[callee as usize].is_none() {
                        self.lowest[here] = self.lowest[here].min(self.order[callee as usize]);
                    }
                }
                None => {
                    path.pop();
                    if let Some((caller, _)) = path.last() {
                        let caller = *caller as usize;
                        self.lowest[caller] = self.lowest[caller].min(self.lowest[here]);
                    }
                    if self.lowest[here] == self.order[here] {
                        self.close(here as u32)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn enter(&mut self, function: u32) {
        self.order[function as usize] = self.next_order;
        self.lowest[function as usize] = self.next_order;
        self.next_order += 1;
        self.open.push(function);
    }

    /// Settles the needs of a circle, or of one function that is in none.
    fn close(&mut self, first: u32) -> Result<(), PrepareError> {
        let begin = self.open.iter().rposition(|function| *function == first).unwrap_or(0);
        let members = self.open.split_off(begin);
        let mut leaf_bytes = 0;
        let mut step_bytes: Option<u64> = None;
        for member in &members {
            let member = *member as usize;
            leaf_bytes = leaf_bytes.max(u64::from(self.functions[member].slots) * 4);
            for (callee, bytes) in &self.edges[member] {
                match self.needs[*callee as usize] {
                    Some(needs) => leaf_bytes = leaf_bytes.max(bytes + needs),
                    None => step_bytes = Some(step_bytes.unwrap_or(0).max(*bytes)),
                }
            }
        }
        if step_bytes.is_some() && self.recursion_depth == 0 {
            let function = members.into_iter().filter(|member| *member < self.defined).min();
            return Err(PrepareError::Recursion { function: function.unwrap_or(first) });
        }
        let needs = leaf_bytes + step_bytes.unwrap_or(0) * self.recursion_depth;
        for member in members {
            self.needs[member as usize] = Some(needs);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
