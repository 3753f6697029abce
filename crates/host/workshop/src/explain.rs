//! Explains a module or a prepared image: sizes, what it needs and on which boards that fits, what
//! it imports and which capabilities that takes, and its code.

use std::fmt::Write;
use std::path::Path;

use wasmbed_abi::{Capability, import_by_number};
use wasmbed_catalog::{Guests, Hardware};
use wasmbed_compiler::{Origin, Prepared, disassemble, prepare};
use wasmbed_image::{GrantList, Header, Image};
use wasmbed_runtime::limits::{
    GUEST_OVERHEAD_BYTES, IMAGE_BYTES_MAX, SMALL_CAPABILITIES, SMALL_GUESTS,
};

use crate::error::WorkshopError;
use crate::limits::FILE_BYTES_MAX;
use crate::manifest::GuestLimits;
use crate::names;

#[cfg(test)]
mod tests;

/// Alignment of the parts of a guest in a device's RAM.
const ALIGN_BYTES: u64 = 8;

/// What a file is, and what can be said about it.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// The prepared image.
    pub image: Vec<u8>,
    /// Capabilities that the imports need, by name, each once.
    pub capabilities: Vec<&'static str>,
    has_wasi: bool,
    /// Bytes of RAM that a device keeps of what was granted.
    grant_bytes: u64,
    text: String,
    module: Option<Origins>,
}

#[derive(Clone, Debug)]
struct Origins {
    bytes: usize,
    names: Vec<Option<String>>,
    source: Vec<(u32, u32)>,
}

/// Reads a file of at most the size that is looked at.
///
/// # Errors
/// [`WorkshopError`] if it cannot be read or is too long.
pub fn read(path: &Path) -> Result<Vec<u8>, WorkshopError> {
    let data = std::fs::metadata(path).map_err(WorkshopError::io("read", path))?;
    if data.len() > FILE_BYTES_MAX {
        let reason = format!("{} bytes, at most {FILE_BYTES_MAX} are read", data.len());
        return Err(WorkshopError::File { path: path.to_owned(), reason });
    }
    std::fs::read(path).map_err(WorkshopError::io("read", path))
}

/// Explains what `bytes` are; `path` is for messages only.
///
/// # Errors
/// [`WorkshopError`] if they are neither a module that can be prepared nor a sound image.
pub fn explain(
    path: &Path,
    bytes: &[u8],
    limits: &GuestLimits,
) -> Result<Explanation, WorkshopError> {
    if bytes.starts_with(b"\0asm") {
        return explain_module(bytes, limits);
    }
    if bytes.starts_with(b"WBIM") {
        return explain_image(bytes);
    }
    Err(WorkshopError::Unknown { path: path.to_owned() })
}

fn explain_module(module: &[u8], limits: &GuestLimits) -> Result<Explanation, WorkshopError> {
    let names = names::of_functions(module);
    let prepared = prepare(module, &limits.options())?;
    let mut explanation = explain_image(&prepared.image)?;
    let mut text = format!("{:<16}{} bytes of WebAssembly\n", "module", module.len());
    text += &explanation.text;
    text += &exports(&prepared, &names);
    explanation.text = text;
    explanation.module = Some(Origins { bytes: module.len(), names, source: prepared.source });
    Ok(explanation)
}

fn exports(prepared: &Prepared, names: &[Option<String>]) -> String {
    let mut text = String::new();
    for (index, export) in prepared.exports.iter().enumerate() {
        let title = if index == 0 { "exports" } else { "" };
        let name = names.get(export.function as usize).cloned().flatten();
        let name = name.filter(|name| *name != export.name);
        let name = name.map(|name| format!(" {name:?}")).unwrap_or_default();
        let _ = writeln!(text, "{title:<16}{} = function {}{name}", export.name, export.function);
    }
    text
}

fn explain_image(bytes: &[u8]) -> Result<Explanation, WorkshopError> {
    let image = Image::parse(bytes).map_err(WorkshopError::Image)?;
    let summary = wasmbed_compiler::summary(bytes).map_err(WorkshopError::Image)?;
    let imports: Vec<_> = (0..image.header.imports)
        .filter_map(|index| image.import(index).and_then(import_by_number))
        .collect();
    let mut capabilities: Vec<_> = imports.iter().filter_map(|import| import.capability).collect();
    capabilities.sort_by_key(|capability| *capability as u8);
    capabilities.dedup();
    let mut explanation = Explanation {
        image: bytes.to_vec(),
        capabilities: capabilities.into_iter().map(|capability| capability.name()).collect(),
        has_wasi: imports.iter().any(|import| import.module != wasmbed_abi::MODULE),
        grant_bytes: 0,
        text: summary,
        module: None,
    };
    // Until an Application says more: each of them, not narrowed.
    let least: Vec<String> = explanation.capabilities.iter().map(|name| least(name)).collect();
    explanation.grant(&least)?;
    Ok(explanation)
}

/// The shortest grant of a capability.
fn least(name: &str) -> String {
    match name {
        "storage" => "storage:1".to_owned(),
        name => name.to_owned(),
    }
}

/// What a device says that its guests may take together.
fn ram_bytes_max(guests: &Guests) -> u64 {
    let overhead = u32::from(guests.count_max) * GUEST_OVERHEAD_BYTES;
    guests.arena_bytes.saturating_sub(overhead).into()
}

/// How an image fits a board on which no other guest runs.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BoardFit {
    /// Name of the board.
    pub board: &'static str,
    /// Bytes of RAM that the guest takes in all.
    pub ram_bytes: u64,
    /// Bytes of RAM that guests have there.
    pub ram_bytes_max: u64,
    /// Bytes of the image.
    pub image_bytes: u64,
    /// Bytes of the longest image that is stored there.
    pub image_bytes_max: u64,
    /// Capabilities for which the board has no hardware: the calls answer so, nothing traps.
    pub lacks: Vec<&'static str>,
    /// What of the host interface the board's firmware leaves out, and so refuses.
    pub refused: Vec<&'static str>,
}

impl BoardFit {
    /// Whether it fits.
    pub fn fits(&self) -> bool {
        self.ram_bytes <= self.ram_bytes_max
            && self.image_bytes <= self.image_bytes_max
            && self.refused.is_empty()
    }
}

impl Explanation {
    /// Counts in what an Application grants, which a device keeps beside the guest.
    ///
    /// # Errors
    /// [`WorkshopError::Grant`] if one of the texts is no grant.
    pub fn grant(&mut self, texts: &[String]) -> Result<(), WorkshopError> {
        let list = GrantList::parse(texts.iter().map(String::as_str))
            .map_err(|error| WorkshopError::Grant(error.to_string()))?;
        self.grant_bytes = list.grants().arena_bytes().into();
        Ok(())
    }

    /// How the image fits each board, in the order of the catalog.
    pub fn fits(&self) -> Vec<BoardFit> {
        let Ok(header) = Header::decode(&self.image) else { return Vec::new() };
        let align = |bytes: u64| bytes.next_multiple_of(ALIGN_BYTES);
        let ram_bytes =
            align(header.image_bytes()) + align(header.arena_bytes()) + align(self.grant_bytes);
        let fit = |board: &wasmbed_catalog::Board| BoardFit {
            board: board.name,
            ram_bytes,
            ram_bytes_max: ram_bytes_max(&board.guests),
            image_bytes: header.image_bytes(),
            // A slot holds the manifest as well.
            image_bytes_max: board.guests.image_bytes_max.min(IMAGE_BYTES_MAX).into(),
            lacks: self.lacks(&board.hardware),
            refused: self.refused(&board.guests),
        };
        wasmbed_catalog::BOARDS.iter().map(fit).collect()
    }

    fn lacks(&self, hardware: &Hardware) -> Vec<&'static str> {
        let is_there = |name: &&str| match *name {
            "led" => hardware.leds > 0,
            "button" => hardware.buttons > 0,
            "i2c" => hardware.i2c_buses > 0,
            "uart" => hardware.uarts > 0,
            _ => true,
        };
        self.capabilities.iter().copied().filter(|name| !is_there(name)).collect()
    }

    /// The firmware of a board for few guests has not the whole host interface.
    fn refused(&self, guests: &Guests) -> Vec<&'static str> {
        if usize::from(guests.count_max) > SMALL_GUESTS {
            return Vec::new();
        }
        let is_there = |name: &&str| {
            let capability = Capability::by_name(name);
            capability.is_none_or(|capability| SMALL_CAPABILITIES & capability.bit() != 0)
        };
        let mut names: Vec<_> =
            self.capabilities.iter().copied().filter(|name| !is_there(name)).collect();
        if self.has_wasi {
            names.push("WASI");
        }
        names
    }

    /// Sizes, imports, capabilities, exports and boards, in lines of text.
    pub fn text(&self) -> String {
        self.text.clone() + &self.capability_text() + &self.fit_text()
    }

    /// The sizes that matter most, capabilities and boards, in lines of text.
    pub fn summary(&self) -> String {
        let Ok(header) = Header::decode(&self.image) else { return String::new() };
        let mut text = String::new();
        if let Some(module) = &self.module {
            let _ = writeln!(text, "{:<16}{} bytes of WebAssembly", "module", module.bytes);
        }
        let code_bytes = header.code_bytes;
        let _ = writeln!(text, "{:<16}{} bytes, code {code_bytes}", "image", header.image_bytes());
        let _ = writeln!(
            text,
            "{:<16}image, and {} bytes: stack {}, globals {}, memory {}",
            "RAM",
            header.arena_bytes(),
            header.stack_bytes,
            u32::from(header.global_words) * 4,
            header.memory_bytes_max,
        );
        text + &self.capability_text() + &self.fit_text()
    }

    fn capability_text(&self) -> String {
        let names = match self.capabilities.as_slice() {
            [] => "none".to_owned(),
            names => names.join(", "),
        };
        format!("{:<16}{names}\n", "capabilities")
    }

    /// The boards only, in lines of text.
    pub fn fit_text(&self) -> String {
        let mut text = String::new();
        for (index, fit) in self.fits().iter().enumerate() {
            let title = if index == 0 { "boards" } else { "" };
            let verdict = if fit.fits() { "fits" } else { "does not fit" };
            let remark = match (fit.refused.as_slice(), fit.lacks.as_slice()) {
                ([], []) => String::new(),
                ([], names) => format!("; the board has no {}", names.join(", ")),
                (names, _) => format!("; its firmware has no {}", names.join(", ")),
            };
            let _ = writeln!(
                text,
                "{title:<16}{:<18}{verdict}: {} of {} bytes of RAM, {} of {} of storage{remark}",
                fit.board, fit.ram_bytes, fit.ram_bytes_max, fit.image_bytes, fit.image_bytes_max
            );
        }
        text
    }

    /// The code as instructions, with the module's names and offsets where they are known.
    ///
    /// # Errors
    /// [`WorkshopError::Image`] if the image is not sound.
    pub fn disassembly(&self) -> Result<String, WorkshopError> {
        let origin = match &self.module {
            Some(module) => Origin { names: &module.names, source: &module.source },
            None => Origin::default(),
        };
        disassemble(&self.image, &origin).map_err(WorkshopError::Image)
    }

    /// Name of a function of the module, where it is known.
    pub fn function_name(&self, function: u32) -> Option<&str> {
        self.module.as_ref()?.names.get(function as usize)?.as_deref()
    }

    /// Offset in the module of the operator that made the code at `code_offset`, where it is known.
    pub fn source_offset(&self, code_offset: u32) -> Option<u32> {
        let source = &self.module.as_ref()?.source;
        let behind = source.partition_point(|(code, _)| *code <= code_offset);
        source.get(behind.checked_sub(1)?).map(|(_, wasm)| *wasm)
    }
}
