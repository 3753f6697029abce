//! Turns references into handles and paths, in the order in which `dtc` gives handles out.

use crate::error::Error;
use crate::parser::unknown;
use crate::tree::{Cell, Node, Piece, Property, Reference, Tree};
use std::collections::BTreeSet;

/// Resolves every reference and refuses labels and handles that are there twice.
pub fn resolve(tree: &mut Tree) -> Result<(), Error> {
    let mut seen = BTreeSet::new();
    unique_labels(&tree.root, &mut seen)?;
    let mut taken = BTreeSet::new();
    explicit_handles(&tree.root, &mut taken)?;
    let mut route = Vec::new();
    handles(tree, &mut route, &mut taken)?;
    let shape = tree.root.clone();
    paths(&mut tree.root, &shape)
}

fn unique_labels(node: &Node, seen: &mut BTreeSet<String>) -> Result<(), Error> {
    for label in &node.labels {
        if !seen.insert(label.clone()) {
            return Err(node.error(format!("label {label} names two nodes")));
        }
    }
    node.children().try_for_each(|child| unique_labels(child, seen))
}

fn explicit_handles(node: &Node, taken: &mut BTreeSet<u32>) -> Result<(), Error> {
    if let Some(handle) = handle_of(node)
        && !taken.insert(handle)
    {
        return Err(node.error(format!("handle {handle:#x} is there twice")));
    }
    node.children().try_for_each(|child| explicit_handles(child, taken))
}

fn handle_of(node: &Node) -> Option<u32> {
    let bytes = node.property("phandle")?.bytes();
    Some(u32::from_be_bytes(bytes.try_into().ok()?))
}

/// Visits nodes in order, and in each its cells in order: that is the order of the numbers.
fn handles(
    tree: &mut Tree,
    route: &mut Vec<usize>,
    taken: &mut BTreeSet<u32>,
) -> Result<(), Error> {
    // A node's own list grows when something refers to it, so the length is read anew each time.
    let mut index = 0;
    while index < at(&tree.root, route).properties.len() {
        let property = &at(&tree.root, route).properties[index];
        if !property.is_deleted {
            for reference in cell_references(property) {
                let handle = handle_for(&mut tree.root, &reference, taken)?;
                let property = &mut at_mut(&mut tree.root, route).properties[index];
                set_handle(property, &reference, handle);
            }
        }
        index += 1;
    }
    for child in 0..at(&tree.root, route).children.len() {
        if !at(&tree.root, route).children[child].is_deleted {
            route.push(child);
            handles(tree, route, taken)?;
            route.pop();
        }
    }
    Ok(())
}

fn at<'tree>(root: &'tree Node, route: &[usize]) -> &'tree Node {
    route.iter().fold(root, |node, index| &node.children[*index])
}

fn at_mut<'tree>(root: &'tree mut Node, route: &[usize]) -> &'tree mut Node {
    route.iter().fold(root, |node, index| &mut node.children[*index])
}

fn cell_references(property: &Property) -> Vec<Reference> {
    let cells = property.pieces.iter().flat_map(|piece| match piece {
        Piece::Cells { cells, .. } => cells.as_slice(),
        _ => &[],
    });
    cells
        .filter_map(|cell| match cell {
            Cell::Handle(reference, None) => Some(reference.clone()),
            _ => None,
        })
        .collect()
}

fn set_handle(property: &mut Property, wanted: &Reference, number: u32) {
    for piece in &mut property.pieces {
        let Piece::Cells { cells, .. } = piece else { continue };
        for cell in cells {
            if let Cell::Handle(reference, handle) = cell
                && reference == wanted
            {
                *handle = Some(number);
            }
        }
    }
}

/// The handle of a node, given now if it has none: the lowest free number, from 1.
fn handle_for(
    root: &mut Node,
    reference: &Reference,
    taken: &mut BTreeSet<u32>,
) -> Result<u32, Error> {
    let Some(node) = root.find_mut(&reference.target) else {
        return Err(unknown(root, reference));
    };
    if let Some(handle) = handle_of(node) {
        return Ok(handle);
    }
    let handle = (1..u32::MAX).find(|number| !taken.contains(number)).unwrap_or(u32::MAX);
    taken.insert(handle);
    node.properties.push(Property {
        name: "phandle".into(),
        pieces: vec![Piece::Cells { bits: 32, cells: vec![Cell::Number(u64::from(handle))] }],
        is_deleted: false,
        place: reference.place.clone(),
    });
    Ok(handle)
}

fn paths(node: &mut Node, shape: &Node) -> Result<(), Error> {
    for property in node.properties.iter_mut().filter(|property| !property.is_deleted) {
        for piece in &mut property.pieces {
            if let Piece::Path(reference, path) = piece {
                let found = shape.path_of(&reference.target);
                *path = Some(found.ok_or_else(|| unknown(shape, reference))?);
            }
        }
    }
    node.children
        .iter_mut()
        .filter(|child| !child.is_deleted)
        .try_for_each(|child| paths(child, shape))
}
