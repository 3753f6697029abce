//! Schemas of nodes, and the check of a tree against them.
//!
//! One TOML file for each `compatible` (or, for nodes that have none, each path) says which
//! properties a node may have, which it must have, and what they look like.

use crate::error::{Error, Place, nearest};
use crate::tree::{Cell, Node, Piece, Property, Tree};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// All schemas of a folder.
#[derive(Debug, Default)]
pub struct Bindings {
    by_compatible: BTreeMap<String, Binding>,
    by_path: BTreeMap<String, Binding>,
    sources: Vec<PathBuf>,
}

#[derive(Debug)]
struct Binding {
    /// The file it is from.
    source: PathBuf,
    properties: BTreeMap<String, Rule>,
    /// What children look like that have no `compatible`, where such are allowed.
    child: Option<Box<Binding>>,
}

#[derive(Debug)]
struct Rule {
    kind: Kind,
    is_required: bool,
    count: Option<usize>,
    min: u64,
    max: u64,
    values: Vec<String>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    Flag,
    Number,
    Text,
    Texts,
    Handles,
    Path,
    Reg,
    Interrupts,
    Pins,
}

/// What every node may have, whatever it is.
const UNIVERSAL: [(&str, Kind); 6] = [
    ("compatible", Kind::Texts),
    ("status", Kind::Text),
    ("phandle", Kind::Number),
    ("#address-cells", Kind::Number),
    ("#size-cells", Kind::Number),
    ("interrupt-parent", Kind::Handles),
];

impl Bindings {
    /// Reads every `.toml` file of `folder`.
    ///
    /// # Errors
    /// A file that cannot be read or is no schema.
    pub fn load(folder: &Path) -> Result<Self, Error> {
        let start = Place::start_of(folder);
        let list = std::fs::read_dir(folder)
            .map_err(|error| Error::new(&start, format!("read bindings: {error}")))?;
        let mut files: Vec<PathBuf> = list
            .filter_map(|entry| entry.ok().map(|entry| entry.path()))
            .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
            .collect();
        files.sort();
        let mut bindings = Self::default();
        for file in files {
            bindings.add(&file)?;
        }
        Ok(bindings)
    }

    /// The files that were read.
    pub fn sources(&self) -> &[PathBuf] {
        &self.sources
    }

    fn add(&mut self, file: &Path) -> Result<(), Error> {
        let wrong = |message: String| Error::new(&Place::start_of(file), message);
        let text = std::fs::read_to_string(file).map_err(|error| wrong(error.to_string()))?;
        let table: toml::Table = text.parse().map_err(|error| wrong(format!("{error}")))?;
        let binding = Binding::parse(file, &table)?;
        let text_of = |key: &str| table.get(key).and_then(toml::Value::as_str).map(String::from);
        match (text_of("compatible"), text_of("path")) {
            (Some(compatible), None) => self.by_compatible.insert(compatible, binding),
            (None, Some(path)) => self.by_path.insert(path, binding),
            _ => return Err(wrong("needs either compatible or path".into())),
        };
        self.sources.push(file.to_path_buf());
        Ok(())
    }

    /// Checks every node of `tree`.
    ///
    /// # Errors
    /// The first node or property that no schema allows, with its place.
    pub fn check(&self, tree: &Tree) -> Result<(), Error> {
        self.check_node(&tree.root, "/", &tree.root, (2, 1), None)
    }

    fn check_node(
        &self,
        node: &Node,
        path: &str,
        root: &Node,
        cells: (usize, usize),
        above: Option<&Binding>,
    ) -> Result<(), Error> {
        let binding = self.binding_of(node, path, above)?;
        for (name, rule) in &binding.properties {
            if rule.is_required && node.property(name).is_none() {
                let error = node.error(format!("property {name} is missing"));
                return Err(error.advise(match rule.kind.example() {
                    Some(example) => format!("add {name} = {example};"),
                    None => format!("add {name};"),
                }));
            }
        }
        for property in node.properties() {
            match binding.properties.get(&property.name) {
                Some(rule) => rule.check(property, node, root, cells)?,
                None => check_universal(property, binding)?,
            }
        }
        check_unit_address(node, cells.0)?;
        let inner = (
            cell_count(node, "#address-cells").unwrap_or(2),
            cell_count(node, "#size-cells").unwrap_or(1),
        );
        for child in node.children() {
            let below = format!("{}/{}", path.trim_end_matches('/'), child.name);
            self.check_node(child, &below, root, inner, Some(binding))?;
        }
        Ok(())
    }

    fn binding_of<'a>(
        &'a self,
        node: &Node,
        path: &str,
        above: Option<&'a Binding>,
    ) -> Result<&'a Binding, Error> {
        if let Some(binding) = self.by_path.get(path) {
            return Ok(binding);
        }
        let Some(compatible) = node.property("compatible") else {
            return above.and_then(|above| above.child.as_deref()).ok_or_else(|| {
                let error = node.error(format!("node {path} has no compatible"));
                error.advise(
                    "add compatible = \"VENDOR,PART\"; a file of dts/bindings says what it means",
                )
            });
        };
        let names = texts(compatible);
        names.iter().find_map(|name| self.by_compatible.get(name)).ok_or_else(|| {
            let message = format!("no binding for {}", names.join(", "));
            let first = names.first().map_or("", String::as_str);
            let advice = match nearest(first, self.by_compatible.keys().map(String::as_str)) {
                Some(known) => format!("write \"{known}\", or describe it in dts/bindings"),
                None => format!("describe it in dts/bindings/{first}.toml"),
            };
            Error::new(&compatible.place, message).advise(advice)
        })
    }
}

impl Binding {
    fn parse(file: &Path, table: &toml::Table) -> Result<Self, Error> {
        let wrong = |message: String| Error::new(&Place::start_of(file), message);
        let mut properties = BTreeMap::new();
        if let Some(rules) = table.get("properties").and_then(toml::Value::as_table) {
            for (name, rule) in rules {
                let rule = Rule::parse(rule)
                    .ok_or_else(|| wrong(format!("rule of {name} is not understood")))?;
                properties.insert(name.clone(), rule);
            }
        }
        let child = table.get("child").and_then(toml::Value::as_table);
        let child = child.map(|child| Self::parse(file, child)).transpose()?.map(Box::new);
        Ok(Self { source: file.to_path_buf(), properties, child })
    }
}

/// Holds the address in a node's name against its first register, as `dtc` does.
fn check_unit_address(node: &Node, address_cells: usize) -> Result<(), Error> {
    let unit = node.name.split_once('@').map(|(_, unit)| unit);
    let first = node.property("reg").map(|reg| (reg, reg.bytes()));
    let address = first.as_ref().and_then(|(_, bytes)| bytes.get(..address_cells * 4)).map(|raw| {
        let value = raw.iter().fold(0u64, |value, byte| value << 8 | u64::from(*byte));
        format!("{value:x}")
    });
    match (unit, address, first) {
        (Some(unit), Some(address), Some((reg, _))) if unit != address => {
            let message = format!("reg begins at {address}, but the node is called {}", node.name);
            let name = node.name.split('@').next().unwrap_or_default();
            Err(Error::new(&reg.place, message).advise(format!("call the node {name}@{address}")))
        }
        (None, Some(address), _) => {
            let message = format!("node {} has registers, and no address in its name", node.name);
            Err(node.error(message).advise(format!("call it {}@{address}", node.name)))
        }
        (Some(_), None, _) => {
            let message = format!("node {} has an address in its name, and no reg", node.name);
            Err(node.error(message).advise("add reg, or leave the address out of the name"))
        }
        _ => Ok(()),
    }
}

fn check_universal(property: &Property, binding: &Binding) -> Result<(), Error> {
    let Some((_, kind)) = UNIVERSAL.iter().find(|(name, _)| *name == property.name) else {
        let message = format!("property {} is not in the binding", property.name);
        let file = binding.source.file_name().unwrap_or_default().to_string_lossy();
        let known = binding.properties.keys().map(String::as_str);
        let advice = match nearest(&property.name, known) {
            Some(known) => format!("write {known}, or add the property to dts/bindings/{file}"),
            None => format!("remove it, or add it to dts/bindings/{file}"),
        };
        return Err(Error::new(&property.place, message).advise(advice));
    };
    let is_right = match kind {
        Kind::Text => texts(property).len() == 1,
        Kind::Texts => !texts(property).is_empty(),
        Kind::Handles => handle_count(property) == Some(1),
        _ => number(property).is_some(),
    };
    if !is_right {
        return Err(Error::new(&property.place, format!("{} has another type", property.name)));
    }
    let allowed = ["okay", "disabled"];
    if property.name == "status" && !texts(property).iter().all(|t| allowed.contains(&t.as_str())) {
        return Err(Error::new(&property.place, "status is okay or disabled"));
    }
    Ok(())
}

impl Kind {
    /// What a value looks like, for advice.
    fn example(self) -> Option<&'static str> {
        Some(match self {
            Self::Flag => return None,
            Self::Number => "<NUMBER>",
            Self::Text | Self::Texts => "\"TEXT\"",
            Self::Handles => "<&LABEL>",
            Self::Path => "&LABEL",
            Self::Reg => "<ADDRESS LENGTH>",
            Self::Interrupts => "<LINE PRIORITY>",
            Self::Pins => "<&PORT PIN POLARITY>",
        })
    }
}

impl Rule {
    fn parse(value: &toml::Value) -> Option<Self> {
        let table = value.as_table()?;
        let number = |key: &str| table.get(key).and_then(toml::Value::as_integer);
        let kind = match table.get("kind")?.as_str()? {
            "flag" => Kind::Flag,
            "number" => Kind::Number,
            "text" => Kind::Text,
            "texts" => Kind::Texts,
            "handles" => Kind::Handles,
            "path" => Kind::Path,
            "reg" => Kind::Reg,
            "interrupts" => Kind::Interrupts,
            "pins" => Kind::Pins,
            _ => return None,
        };
        let values = table.get("values").and_then(toml::Value::as_array);
        Some(Self {
            kind,
            is_required: table.get("required").and_then(toml::Value::as_bool).unwrap_or(false),
            count: number("count").and_then(|count| usize::try_from(count).ok()),
            min: number("min").and_then(|min| u64::try_from(min).ok()).unwrap_or(0),
            max: number("max").and_then(|max| u64::try_from(max).ok()).unwrap_or(u64::MAX),
            values: values
                .map(|list| list.iter().filter_map(|v| v.as_str().map(String::from)).collect())
                .unwrap_or_default(),
        })
    }

    fn check(
        &self,
        property: &Property,
        node: &Node,
        root: &Node,
        cells: (usize, usize),
    ) -> Result<(), Error> {
        let wrong =
            |what: String| Err(Error::new(&property.place, format!("{} {what}", property.name)));
        let cell_total = property.bytes().len() / 4;
        let group = cells.0 + cells.1;
        let count = match self.kind {
            Kind::Flag if property.pieces.is_empty() => return Ok(()),
            Kind::Flag => return wrong("takes no value".into()),
            Kind::Number => match number(property) {
                Some(number) if number < self.min || number > self.max => {
                    let (min, max) = (self.min, self.max);
                    return wrong(format!("is {number}, not within {min} and {max}"));
                }
                Some(_) => 1,
                None => return wrong("needs one number".into()),
            },
            Kind::Text | Kind::Texts => {
                let texts = texts(property);
                let allowed = |text: &String| self.values.is_empty() || self.values.contains(text);
                if let Some(other) = texts.iter().find(|text| !allowed(text)) {
                    return wrong(format!("is \"{other}\", not one of {}", self.values.join(", ")));
                }
                if texts.is_empty() || (self.kind == Kind::Text && texts.len() != 1) {
                    return wrong("needs text in quotes".into());
                }
                texts.len()
            }
            Kind::Path => match &property.pieces[..] {
                [Piece::Path(_, Some(_))] => 1,
                _ => return wrong("needs a reference such as &label".into()),
            },
            Kind::Handles => match handle_count(property) {
                Some(count) => count,
                None => return wrong("needs references such as <&label>".into()),
            },
            Kind::Pins => match pins(property) {
                Some(pins) => pins.len(),
                None => {
                    return wrong(
                        "needs a port, a pin and a polarity each, as <&gpioc 8 0>".into(),
                    );
                }
            },
            Kind::Reg if is_cells(property) && group > 0 && cell_total.is_multiple_of(group) => {
                cell_total / group
            }
            Kind::Reg => {
                return wrong(format!("needs groups of {group} cells: address, then length"));
            }
            Kind::Interrupts => {
                let group = interrupt_cells(node, root).unwrap_or(2);
                if !is_cells(property) || !cell_total.is_multiple_of(group) {
                    return wrong(format!("needs groups of {group} cells: number, then priority"));
                }
                cell_total / group
            }
        };
        match self.count {
            Some(expected) if expected != count => {
                wrong(format!("has {count} entries, not {expected}"))
            }
            _ => Ok(()),
        }
    }
}

fn interrupt_cells(node: &Node, root: &Node) -> Option<usize> {
    // Only one controller is supported, so the root names it for everyone.
    let parent = node.property("interrupt-parent").or(root.property("interrupt-parent"))?;
    let Some(Piece::Cells { cells, .. }) = parent.pieces.first() else { return None };
    let Some(Cell::Handle(reference, _)) = cells.first() else { return None };
    cell_count(root.find(&reference.target)?, "#interrupt-cells")
}

fn cell_count(node: &Node, name: &str) -> Option<usize> {
    number(node.property(name)?).and_then(|count| usize::try_from(count).ok())
}

fn is_cells(property: &Property) -> bool {
    !property.pieces.is_empty()
        && property.pieces.iter().all(|piece| matches!(piece, Piece::Cells { bits: 32, .. }))
}

/// The single number of a property.
pub fn number(property: &Property) -> Option<u64> {
    match &property.pieces[..] {
        [Piece::Cells { bits: 32, cells }] => match cells[..] {
            [Cell::Number(number)] => Some(number),
            _ => None,
        },
        _ => None,
    }
}

/// The texts of a property; none if it holds anything else.
pub fn texts(property: &Property) -> Vec<String> {
    let texts: Option<Vec<String>> = property
        .pieces
        .iter()
        .map(|piece| match piece {
            Piece::Text(text) => String::from_utf8(text.clone()).ok(),
            _ => None,
        })
        .collect();
    texts.unwrap_or_default()
}

fn handle_count(property: &Property) -> Option<usize> {
    let mut count = 0;
    for piece in &property.pieces {
        let Piece::Cells { bits: 32, cells } = piece else { return None };
        if !cells.iter().all(|cell| matches!(cell, Cell::Handle(_, Some(_)))) {
            return None;
        }
        count += cells.len();
    }
    (count > 0).then_some(count)
}

/// Ports, pins and polarities of a property, three cells each.
pub fn pins(property: &Property) -> Option<Vec<(&str, u64, u64)>> {
    let mut found = Vec::new();
    for piece in &property.pieces {
        let Piece::Cells { bits: 32, cells } = piece else { return None };
        let (groups, rest) = cells.as_chunks::<3>();
        if !rest.is_empty() {
            return None;
        }
        for group in groups {
            match group {
                [Cell::Handle(port, Some(_)), Cell::Number(pin), Cell::Number(polarity)] => {
                    found.push((port.target.as_str(), *pin, *polarity));
                }
                _ => return None,
            }
        }
    }
    (!found.is_empty()).then_some(found)
}
