//! Grammar of device tree sources, version 1.
//!
//! # Source
//! Devicetree Specification 0.4, chapter 6 "DTS Format"; `dtc` 1.6.1 where that is silent.

use crate::error::{Error, Place, nearest};
use crate::expression::{escape, expression, primary};
use crate::lexer::Lexer;
use crate::limits;
use crate::tree::{Cell, Node, Piece, Property, Reference, Tree};
use std::path::{Path, PathBuf};

/// Parses a file and what it includes; labels are not resolved yet.
pub fn parse(path: &Path, includes: &[PathBuf]) -> Result<Tree, Error> {
    let mut lexer = Lexer::open(path, includes)?;
    let mut tree = Tree { root: Node::default(), ..Tree::default() };
    let mut is_version_seen = false;
    let mut is_root_seen = false;
    loop {
        lexer.skip()?;
        if lexer.peek().is_none() {
            break;
        }
        if lexer.accept("/dts-v1/") {
            is_version_seen = true;
            expect(&mut lexer, ";")?;
            continue;
        }
        if !is_version_seen {
            return Err(lexer.error("expected /dts-v1/;"));
        }
        if lexer.accept("/memreserve/") {
            lexer.skip()?;
            let address = unit(&mut lexer)?;
            lexer.skip()?;
            let length = unit(&mut lexer)?;
            expect(&mut lexer, ";")?;
            tree.reservations.push((address, length));
            continue;
        }
        is_root_seen |= top_level(&mut lexer, &mut tree)?;
    }
    if !is_root_seen {
        return Err(Error::new(&Place::start_of(path), "no root node"));
    }
    tree.sources = lexer.sources;
    Ok(tree)
}

/// Parses `/ { };`, `&label { };` or `/delete-node/ &label;`. True if it was the root.
fn top_level(lexer: &mut Lexer, tree: &mut Tree) -> Result<bool, Error> {
    for unsupported in ["/plugin/", "/omit-if-no-ref/", "/incbin/"] {
        if lexer.starts_with(unsupported) {
            return Err(lexer.error(format!("{unsupported} is not supported")));
        }
    }
    if lexer.accept("/delete-node/") {
        lexer.skip()?;
        let reference = reference(lexer)?;
        expect(lexer, ";")?;
        match tree.root.find_mut(&reference.target) {
            Some(node) => node.delete(),
            None => return Err(unknown(&tree.root, &reference)),
        }
        return Ok(false);
    }
    let labels = labels(lexer)?;
    let place = lexer.place();
    if lexer.accept("/") {
        let node = body(lexer, String::new(), labels, place.clone(), 0)?;
        tree.root.place.get_or_insert(place);
        tree.root.merge(node);
        expect(lexer, ";")?;
        return Ok(true);
    }
    if lexer.peek() != Some('&') {
        return Err(lexer.error("expected / or a reference to a node"));
    }
    let reference = reference(lexer)?;
    let node = body(lexer, String::new(), labels, place, 0)?;
    expect(lexer, ";")?;
    match tree.root.find_mut(&reference.target) {
        Some(known) => known.merge(node),
        None => return Err(unknown(&tree.root, &reference)),
    }
    // Each part may be as deep as allowed, and be put at the deepest place of the others.
    if !tree.root.is_within_depth(limits::NESTING_MAX) {
        return Err(Error::new(&reference.place, "nodes are nested too deep"));
    }
    Ok(false)
}

/// A reference that leads nowhere in a tree.
pub fn unknown(root: &Node, reference: &Reference) -> Error {
    let error = Error::new(&reference.place, format!("no node is called {}", reference.target));
    let mut labels = Vec::new();
    root.collect_labels(&mut labels);
    match nearest(&reference.target, labels) {
        Some(label) => error.advise(format!("write &{label}, or define the label")),
        None => error.advise("define the label before a node, or include the file that does"),
    }
}

/// Parses `{ … }`.
fn body(
    lexer: &mut Lexer,
    name: String,
    labels: Vec<String>,
    place: Place,
    depth: usize,
) -> Result<Node, Error> {
    if depth > limits::NESTING_MAX {
        return Err(Error::new(&place, "nodes are nested too deep"));
    }
    expect(lexer, "{")?;
    let mut node = Node { name, labels, place: Some(place), ..Node::default() };
    loop {
        lexer.skip()?;
        if lexer.accept("}") {
            return Ok(node);
        }
        item(lexer, &mut node, depth)?;
    }
}

/// Parses one property, child or deletion inside of a node.
fn item(lexer: &mut Lexer, node: &mut Node, depth: usize) -> Result<(), Error> {
    let place = lexer.place();
    if lexer.accept("/delete-property/") {
        lexer.skip()?;
        let name = name(lexer)?;
        expect(lexer, ";")?;
        return add_property(node, Property { name, pieces: Vec::new(), is_deleted: true, place });
    }
    if lexer.accept("/delete-node/") {
        lexer.skip()?;
        let name = name(lexer)?;
        expect(lexer, ";")?;
        let deleted = Node { name, is_deleted: true, place: Some(place), ..Node::default() };
        node.children.push(deleted);
        return Ok(());
    }
    let labels = labels(lexer)?;
    let place = lexer.place();
    let name = name(lexer)?;
    lexer.skip()?;
    match lexer.peek() {
        Some('{') => {
            if node.children.iter().any(|child| !child.is_deleted && child.name == name) {
                return Err(Error::new(&place, format!("node {name} is here twice")));
            }
            let child = body(lexer, name, labels, place, depth + 1)?;
            expect(lexer, ";")?;
            node.children.push(child);
            Ok(())
        }
        Some(';') => {
            lexer.bump();
            add_property(node, Property { name, pieces: Vec::new(), is_deleted: false, place })
        }
        Some('=') => {
            lexer.bump();
            let pieces = value(lexer)?;
            expect(lexer, ";")?;
            add_property(node, Property { name, pieces, is_deleted: false, place })
        }
        _ => Err(lexer.error("expected = or ; or {")),
    }
}

fn add_property(node: &mut Node, property: Property) -> Result<(), Error> {
    if property.name.contains('@') {
        return Err(Error::new(&property.place, "a property name has no @"));
    }
    if !node.children.is_empty() {
        return Err(Error::new(&property.place, "properties must stand before child nodes"));
    }
    let is_known = node.properties.iter().any(|known| known.name == property.name);
    if is_known && !property.is_deleted {
        let message = format!("property {} is here twice", property.name);
        return Err(Error::new(&property.place, message));
    }
    node.properties.push(property);
    Ok(())
}

/// Parses the comma-separated pieces after `=`.
fn value(lexer: &mut Lexer) -> Result<Vec<Piece>, Error> {
    let mut pieces = Vec::new();
    loop {
        lexer.skip()?;
        let place = lexer.place();
        pieces.push(match lexer.peek() {
            Some('"') => Piece::Text(text(lexer)?),
            Some('<') => cells(lexer, 32)?,
            Some('[') => bytes(lexer)?,
            Some('&') => Piece::Path(reference(lexer)?, None),
            Some('/') if lexer.accept("/bits/") => {
                lexer.skip()?;
                let bits = primary(lexer, 0)?;
                lexer.skip()?;
                match bits {
                    8 | 16 | 32 | 64 => cells(lexer, bits as u8)?,
                    _ => return Err(Error::new(&place, "/bits/ is 8, 16, 32 or 64")),
                }
            }
            _ => return Err(Error::new(&place, "expected a value")),
        });
        lexer.skip()?;
        if !lexer.accept(",") {
            return Ok(pieces);
        }
    }
}

fn text(lexer: &mut Lexer) -> Result<Vec<u8>, Error> {
    let start = lexer.place();
    lexer.bump();
    let mut bytes = Vec::new();
    loop {
        match lexer.bump() {
            Some('"') => return Ok(bytes),
            Some('\\') => bytes.push(escape(lexer)?),
            Some(character) => {
                bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            }
            None => return Err(Error::new(&start, "text does not end")),
        }
    }
}

fn cells(lexer: &mut Lexer, bits: u8) -> Result<Piece, Error> {
    if !lexer.accept("<") {
        return Err(lexer.error("expected <"));
    }
    let mut cells = Vec::new();
    loop {
        lexer.skip()?;
        let place = lexer.place();
        match lexer.peek() {
            Some('>') => {
                lexer.bump();
                return Ok(Piece::Cells { bits, cells });
            }
            Some('&') if bits == 32 => cells.push(Cell::Handle(reference(lexer)?, None)),
            Some('&') => return Err(Error::new(&place, "a reference needs cells of 32 bits")),
            Some('(') => cells.push(cell(parenthesised(lexer)?, bits, &place)?),
            Some(_) => cells.push(cell(primary(lexer, 0)?, bits, &place)?),
            None => return Err(Error::new(&place, "expected >")),
        }
    }
}

/// Parses `( expression )`; what follows the parenthesis is the next cell.
fn parenthesised(lexer: &mut Lexer) -> Result<u64, Error> {
    lexer.accept("(");
    let value = expression(lexer, 0)?;
    expect(lexer, ")")?;
    Ok(value)
}

/// Checks that a number fits its cell, as a number without sign or as a negative one.
fn cell(number: u64, bits: u8, place: &Place) -> Result<Cell, Error> {
    let mask = if bits == 64 { u64::MAX } else { (1 << bits) - 1 };
    if number > mask && (number | mask) != u64::MAX {
        return Err(Error::new(place, format!("{number:#x} does not fit {bits} bits")));
    }
    Ok(Cell::Number(number & mask))
}

fn bytes(lexer: &mut Lexer) -> Result<Piece, Error> {
    lexer.bump();
    let mut bytes = Vec::new();
    loop {
        lexer.skip()?;
        if lexer.accept("]") {
            return Ok(Piece::Bytes(bytes));
        }
        let digits: Vec<u32> =
            (0..2).filter_map(|ahead| lexer.peek_at(ahead)?.to_digit(16)).collect();
        match digits[..] {
            [high, low] => bytes.push((high * 16 + low) as u8),
            _ => return Err(lexer.error("expected two hexadecimal digits")),
        }
        lexer.bump();
        lexer.bump();
    }
}

/// Parses `&label` or `&{/path}`.
fn reference(lexer: &mut Lexer) -> Result<Reference, Error> {
    let place = lexer.place();
    if !lexer.accept("&") {
        return Err(lexer.error("expected a reference"));
    }
    let target = if lexer.accept("{") {
        let path = lexer.take_while(|c| is_name(c) || c == '/');
        expect(lexer, "}")?;
        if !path.starts_with('/') {
            return Err(Error::new(&place, "a path starts with /"));
        }
        path
    } else {
        lexer.take_while(is_label)
    };
    if target.is_empty() {
        return Err(Error::new(&place, "expected a label after &"));
    }
    Ok(Reference { target, place })
}

/// Parses any number of `label:`.
fn labels(lexer: &mut Lexer) -> Result<Vec<String>, Error> {
    let mut labels = Vec::new();
    loop {
        lexer.skip()?;
        let length = (0..).take_while(|ahead| lexer.peek_at(*ahead).is_some_and(is_label)).count();
        let starts = lexer.peek().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
        if !starts || lexer.peek_at(length) != Some(':') {
            return Ok(labels);
        }
        labels.push(lexer.take_while(is_label));
        lexer.bump();
    }
}

fn name(lexer: &mut Lexer) -> Result<String, Error> {
    let name = lexer.take_while(is_name);
    if name.is_empty() { Err(lexer.error("expected a name")) } else { Ok(name) }
}

fn is_name(character: char) -> bool {
    character.is_ascii_alphanumeric() || ",._+*#?@-".contains(character)
}

fn is_label(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_'
}

/// A number outside of cells, as `/memreserve/` has it.
fn unit(lexer: &mut Lexer) -> Result<u64, Error> {
    primary(lexer, 0)
}

fn expect(lexer: &mut Lexer, word: &str) -> Result<(), Error> {
    lexer.skip()?;
    if lexer.accept(word) { Ok(()) } else { Err(lexer.error(format!("expected {word}"))) }
}
