//! Characters of a board file and of what it includes, with their places.
//!
//! Blank space, comments, `/include/`, `#include` and `#define NAME number` are consumed here; the
//! parser sees none of them.

use crate::error::{Error, Place};
use crate::limits;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A stack of open files, read as one text.
pub struct Lexer {
    files: Vec<File>,
    includes: Vec<PathBuf>,
    /// Every file opened so far, in order, each once.
    pub sources: Vec<PathBuf>,
    /// Names given by `#define`, and the text they stand for.
    pub defines: BTreeMap<String, (String, Place)>,
    /// Uses of such names so far.
    pub expansions: u32,
    bytes_read: u64,
}

struct File {
    path: PathBuf,
    text: Vec<char>,
    offset: usize,
    line: u32,
    column: u32,
}

impl Lexer {
    /// Opens `path`; `includes` are searched after the folder of the including file.
    pub fn open(path: &Path, includes: &[PathBuf]) -> Result<Self, Error> {
        let mut lexer = Self {
            files: Vec::new(),
            includes: includes.to_vec(),
            sources: Vec::new(),
            defines: BTreeMap::new(),
            expansions: 0,
            bytes_read: 0,
        };
        lexer.push(path, &Place::start_of(path))?;
        Ok(lexer)
    }

    /// A text that is not in a file of its own: the body of a `#define`.
    pub fn over(text: &str, place: &Place) -> Self {
        let file = File {
            path: place.path.clone(),
            text: text.chars().collect(),
            offset: 0,
            line: place.line,
            column: place.column,
        };
        Self {
            files: vec![file],
            includes: Vec::new(),
            sources: Vec::new(),
            defines: BTreeMap::new(),
            expansions: 0,
            bytes_read: 0,
        }
    }

    fn push(&mut self, path: &Path, from: &Place) -> Result<(), Error> {
        if self.files.len() >= limits::INCLUDE_DEPTH_MAX {
            return Err(Error::new(from, "includes are nested too deep"));
        }
        let size = std::fs::metadata(path).map_or(0, |metadata| metadata.len());
        if size > limits::SOURCE_BYTES_MAX {
            return Err(Error::new(from, format!("{} is too large", path.display())));
        }
        self.bytes_read += size;
        if self.bytes_read > limits::SOURCES_BYTES_MAX {
            return Err(Error::new(from, "what is included is too large in all"));
        }
        let text = std::fs::read_to_string(path)
            .map_err(|error| Error::new(from, format!("read {}: {error}", path.display())))?;
        if !self.sources.iter().any(|known| known == path) {
            self.sources.push(path.to_path_buf());
        }
        self.files.push(File {
            path: path.to_path_buf(),
            text: text.chars().collect(),
            offset: 0,
            line: 1,
            column: 1,
        });
        Ok(())
    }

    /// The place of the next character.
    pub fn place(&self) -> Place {
        match self.files.last() {
            Some(file) => Place { path: file.path.clone(), line: file.line, column: file.column },
            None => Place { path: PathBuf::new(), line: 0, column: 0 },
        }
    }

    /// The next character of the current file, without consuming it.
    pub fn peek(&self) -> Option<char> {
        self.peek_at(0)
    }

    /// The character `ahead` places further.
    pub fn peek_at(&self, ahead: usize) -> Option<char> {
        self.files.last().and_then(|file| file.text.get(file.offset + ahead).copied())
    }

    /// True if the text goes on with `word`.
    pub fn starts_with(&self, word: &str) -> bool {
        word.chars().enumerate().all(|(index, expected)| self.peek_at(index) == Some(expected))
    }

    /// Consumes one character.
    pub fn bump(&mut self) -> Option<char> {
        let file = self.files.last_mut()?;
        let character = *file.text.get(file.offset)?;
        file.offset += 1;
        if character == '\n' {
            file.line += 1;
            file.column = 1;
        } else {
            file.column += 1;
        }
        Some(character)
    }

    /// Consumes `word` if the text goes on with it.
    pub fn accept(&mut self, word: &str) -> bool {
        let found = self.starts_with(word);
        if found {
            for _ in word.chars() {
                self.bump();
            }
        }
        found
    }

    /// Consumes characters as long as `belongs` holds.
    pub fn take_while(&mut self, belongs: impl Fn(char) -> bool) -> String {
        let mut text = String::new();
        while let Some(character) = self.peek().filter(|character| belongs(*character)) {
            text.push(character);
            self.bump();
        }
        text
    }

    /// A mistake at the next character.
    pub fn error(&self, message: impl Into<String>) -> Error {
        Error::new(&self.place(), message)
    }

    /// Moves to the next character that means something. `None` from [`Lexer::peek`] is then the
    /// end of everything.
    pub fn skip(&mut self) -> Result<(), Error> {
        loop {
            match self.peek() {
                None if self.files.len() > 1 => {
                    self.files.pop();
                }
                None => return Ok(()),
                Some(character) if character.is_whitespace() => {
                    self.bump();
                }
                Some('/') if self.accept("//") => {
                    self.take_while(|character| character != '\n');
                }
                Some('/') if self.starts_with("/*") => self.skip_comment()?,
                Some('/') if self.starts_with("/include/") => self.include("/include/")?,
                Some('#') if self.is_directive("#include") => self.include("#include")?,
                Some('#') if self.is_directive("#define") => self.define()?,
                Some(_) => return Ok(()),
            }
        }
    }

    fn is_directive(&self, word: &str) -> bool {
        let after = self.peek_at(word.len());
        self.starts_with(word) && after.is_some_and(|c| c.is_whitespace() || "<\"".contains(c))
    }

    fn skip_comment(&mut self) -> Result<(), Error> {
        let start = self.place();
        self.accept("/*");
        while !self.accept("*/") {
            if self.bump().is_none() {
                return Err(Error::new(&start, "comment does not end"));
            }
        }
        Ok(())
    }

    fn include(&mut self, word: &str) -> Result<(), Error> {
        self.accept(word);
        self.take_while(|character| character == ' ' || character == '\t');
        let place = self.place();
        let end = match self.bump() {
            Some('"') => '"',
            Some('<') if word == "#include" => '>',
            _ => return Err(Error::new(&place, format!("{word} needs a file name in quotes"))),
        };
        let name = self.take_while(|character| character != end && character != '\n');
        if self.bump() != Some(end) {
            return Err(Error::new(&place, "file name does not end"));
        }
        let beside = place.path.parent().map(Path::to_path_buf).unwrap_or_default();
        let found = std::iter::once(&beside)
            .chain(&self.includes)
            .map(|folder| folder.join(&name))
            .find(|path| path.is_file());
        match found {
            Some(path) => self.push(&path, &place),
            None => {
                let known: Vec<String> =
                    self.includes.iter().flat_map(|folder| names_in(folder)).collect();
                let message = format!("no file {name} beside this one or in dts/");
                let advice = format!("include one of {}", known.join(", "));
                Err(Error::new(&place, message).advise(advice))
            }
        }
    }

    fn define(&mut self) -> Result<(), Error> {
        self.accept("#define");
        self.take_while(|character| character == ' ' || character == '\t');
        let place = self.place();
        let name =
            self.take_while(|character| character.is_ascii_alphanumeric() || character == '_');
        if name.is_empty() {
            return Err(Error::new(&place, "#define needs a name"));
        }
        if self.peek() == Some('(') {
            return Err(Error::new(&place, "macros with arguments are not supported"));
        }
        self.take_while(|character| character == ' ' || character == '\t');
        let place = self.place();
        let mut text = String::new();
        while let Some(character) = self.peek().filter(|character| *character != '\n') {
            if self.starts_with("//") || self.starts_with("/*") {
                break;
            }
            text.push(character);
            self.bump();
        }
        self.defines.insert(name, (text.trim().to_string(), place));
        Ok(())
    }
}

/// Files of a folder that boards include, in order.
fn names_in(folder: &Path) -> Vec<String> {
    let list = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = list
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name.ends_with(".dtsi"))
        .collect();
    names.sort();
    names
}
