//! How much stack the deepest chain of calls takes.
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
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Callee {
    /// A function that the image defines.
    Defined(u32),
    /// Any function of the fixed table with this type number.
    Indirect(u32),
    /// Any function with this type number that is referred to somewhere.
    Reference(u32),
}

/// What the stack of one function depends on.
#[derive(Clone, Debug, Default)]
pub(crate) struct FrameNeeds {
    pub(crate) slots: u16,
    pub(crate) calls: Vec<CallSite>,
}

/// Bytes of the record of one call, which the first function has as well.
const CALL_BYTES: u64 = RECORD_BYTES as u64;

/// What the deepest chain of calls takes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct StackNeed {
    pub(crate) bytes: u64,
    /// Whether functions call each other in a circle, so that the depth that was given mattered.
    pub(crate) has_circle: bool,
}

/// Stack that the deepest chain of calls from `roots` takes.
///
/// Within a circle of calls, `recursion_depth` calls may be nested: its widest step counts that often.
pub(crate) fn stack_bytes(
    functions: &[FrameNeeds],
    roots: &[u32],
    targets: impl Fn(Callee) -> Vec<u32>,
    recursion_depth: u32,
) -> StackNeed {
    let mut functions = functions.to_vec();
    let mut edges: Vec<Vec<(u32, u64)>> = Vec::new();
    // Each type that is called indirectly is one more node, without a frame, between the callers
    // and the table: else there would be an edge for each pair of them.
    let mut nodes: BTreeMap<Callee, u32> = BTreeMap::new();
    for index in 0..functions.len() {
        let mut calls = Vec::new();
        for call in std::mem::take(&mut functions[index].calls) {
            let callee = match call.callee {
                Callee::Defined(callee) => callee,
                indirect => {
                    let next = (functions.len() + nodes.len()) as u32;
                    *nodes.entry(indirect).or_insert(next)
                }
            };
            calls.push((callee, u64::from(call.base) * 4 + CALL_BYTES));
        }
        edges.push(calls);
    }
    let mut types: Vec<(u32, Callee)> = nodes.into_iter().map(|(ty, node)| (node, ty)).collect();
    types.sort_unstable();
    for (_, callee) in types {
        functions.push(FrameNeeds::default());
        edges.push(targets(callee).into_iter().map(|callee| (callee, 0)).collect());
    }
    let mut search = Search {
        functions: &functions,
        edges: &edges,
        recursion_depth: u64::from(recursion_depth),
        order: vec![0; functions.len()],
        lowest: vec![0; functions.len()],
        needs: vec![None; functions.len()],
        open: Vec::new(),
        next_order: 1,
        has_circle: false,
    };
    let mut deepest = 0;
    for root in roots {
        search.visit_from(*root);
        deepest = deepest.max(search.needs[*root as usize].unwrap_or(0) + CALL_BYTES);
    }
    StackNeed { bytes: deepest, has_circle: search.has_circle }
}

/// Tarjan's search for circles, which leaves callees before callers.
struct Search<'a> {
    functions: &'a [FrameNeeds],
    edges: &'a [Vec<(u32, u64)>],
    recursion_depth: u64,
    order: Vec<u32>,
    lowest: Vec<u32>,
    needs: Vec<Option<u64>>,
    open: Vec<u32>,
    next_order: u32,
    has_circle: bool,
}

impl Search<'_> {
    /// Visits depth first, with a stack of its own: call chains of modules may be long.
    fn visit_from(&mut self, root: u32) {
        if self.order[root as usize] != 0 {
            return;
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
                        self.close(here as u32);
                    }
                }
            }
        }
    }

    fn enter(&mut self, function: u32) {
        self.order[function as usize] = self.next_order;
        self.lowest[function as usize] = self.next_order;
        self.next_order += 1;
        self.open.push(function);
    }

    /// Settles the needs of a circle, or of one function that is in none.
    fn close(&mut self, first: u32) {
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
        self.has_circle |= step_bytes.is_some();
        let needs = leaf_bytes + step_bytes.unwrap_or(0) * self.recursion_depth;
        for member in members {
            self.needs[member as usize] = Some(needs);
        }
    }
}

#[cfg(test)]
mod tests;
