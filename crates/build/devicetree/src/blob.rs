//! The flattened tree, version 17, byte for byte as `dtc -I dts -O dtb` writes it.
//!
//! # Source
//! Devicetree Specification 0.4, chapter 5 "Flattened Devicetree (DTB) Format".

use crate::tree::{Node, Tree};

const MAGIC: u32 = 0xd00d_feed;
const VERSION: u32 = 17;
const COMPATIBLE_VERSION: u32 = 16;
const BEGIN_NODE: u32 = 1;
const END_NODE: u32 = 2;
const PROPERTY: u32 = 3;
const END: u32 = 9;
const HEADER_BYTES: usize = 40;

/// Writes header, reservations, structure and names.
pub fn flatten(tree: &Tree) -> Vec<u8> {
    let mut reservations = Vec::new();
    for (address, length) in tree.reservations.iter().chain(&[(0, 0)]) {
        reservations.extend_from_slice(&address.to_be_bytes());
        reservations.extend_from_slice(&length.to_be_bytes());
    }
    let mut structure = Vec::new();
    let mut names = Vec::new();
    write_node(&tree.root, &mut structure, &mut names);
    put(&mut structure, END);

    let structure_offset = HEADER_BYTES + reservations.len();
    let names_offset = structure_offset + structure.len();
    let header = [
        MAGIC,
        (names_offset + names.len()) as u32,
        structure_offset as u32,
        names_offset as u32,
        HEADER_BYTES as u32,
        VERSION,
        COMPATIBLE_VERSION,
        boot_cpu(&tree.root),
        names.len() as u32,
        structure.len() as u32,
    ];
    let mut blob = Vec::with_capacity(names_offset + names.len());
    for word in header {
        put(&mut blob, word);
    }
    blob.extend_from_slice(&reservations);
    blob.extend_from_slice(&structure);
    blob.extend_from_slice(&names);
    blob
}

/// The `reg` of the first processor, or 0.
fn boot_cpu(root: &Node) -> u32 {
    let first = root.child("cpus").and_then(|cpus| cpus.children().next());
    let reg = first.and_then(|cpu| cpu.property("reg")).map(|property| property.bytes());
    reg.and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_be_bytes)
}

fn write_node(node: &Node, structure: &mut Vec<u8>, names: &mut Vec<u8>) {
    put(structure, BEGIN_NODE);
    structure.extend_from_slice(node.name.as_bytes());
    structure.push(0);
    align(structure);
    for property in node.properties() {
        let bytes = property.bytes();
        put(structure, PROPERTY);
        put(structure, bytes.len() as u32);
        put(structure, name_offset(&property.name, names));
        structure.extend_from_slice(&bytes);
        align(structure);
    }
    for child in node.children() {
        write_node(child, structure, names);
    }
    put(structure, END_NODE);
}

/// Finds a name in the block of names, as the end of a longer one too, or appends it.
fn name_offset(name: &str, names: &mut Vec<u8>) -> u32 {
    let mut wanted = name.as_bytes().to_vec();
    wanted.push(0);
    let known = names.windows(wanted.len()).position(|window| window == wanted);
    known.unwrap_or_else(|| {
        names.extend_from_slice(&wanted);
        names.len() - wanted.len()
    }) as u32
}

fn put(blob: &mut Vec<u8>, word: u32) {
    blob.extend_from_slice(&word.to_be_bytes());
}

fn align(blob: &mut Vec<u8>) {
    blob.resize(blob.len().next_multiple_of(4), 0);
}
