//! Integer expressions, as in C, on 64 bits without sign.

use crate::error::{Error, Place};
use crate::lexer::Lexer;
use crate::limits;

/// Operators by how tightly they bind, loosest first; longer ones before their prefixes.
const LEVELS: [&[&str]; 10] = [
    &["||"],
    &["&&"],
    &["|"],
    &["^"],
    &["&"],
    &["==", "!="],
    &["<=", ">=", "<", ">"],
    &["<<", ">>"],
    &["+", "-"],
    &["*", "/", "%"],
];

/// Parses one expression; a cell holds either a literal or one of these in parentheses.
pub fn expression(lexer: &mut Lexer, depth: usize) -> Result<u64, Error> {
    if depth > limits::NESTING_MAX {
        return Err(lexer.error("expression is nested too deep"));
    }
    let condition = binary(lexer, 0, depth)?;
    lexer.skip()?;
    if !lexer.accept("?") {
        return Ok(condition);
    }
    let yes = expression(lexer, depth + 1)?;
    lexer.skip()?;
    if !lexer.accept(":") {
        return Err(lexer.error("expected : of ?"));
    }
    let no = expression(lexer, depth + 1)?;
    Ok(if condition != 0 { yes } else { no })
}

fn binary(lexer: &mut Lexer, level: usize, depth: usize) -> Result<u64, Error> {
    let Some(operators) = LEVELS.get(level) else { return unary(lexer, depth) };
    let mut left = binary(lexer, level + 1, depth)?;
    loop {
        lexer.skip()?;
        let place = lexer.place();
        let Some(operator) = operators.iter().copied().find(|word| stands(lexer, word)) else {
            return Ok(left);
        };
        lexer.accept(operator);
        let right = binary(lexer, level + 1, depth)?;
        left = apply(operator, left, right, &place)?;
    }
}

/// True if `operator` comes next and is not the beginning of a longer one.
fn stands(lexer: &Lexer, operator: &str) -> bool {
    let doubled = matches!(operator, "|" | "&" | "<" | ">") && {
        let after = lexer.peek_at(1);
        after == operator.chars().next() || (after == Some('=') && "<>".contains(operator))
    };
    lexer.starts_with(operator) && !doubled
}

fn apply(operator: &str, left: u64, right: u64, place: &Place) -> Result<u64, Error> {
    let shift = u32::try_from(right).ok().filter(|bits| *bits < 64);
    Ok(match operator {
        "||" => u64::from(left != 0 || right != 0),
        "&&" => u64::from(left != 0 && right != 0),
        "|" => left | right,
        "^" => left ^ right,
        "&" => left & right,
        "==" => u64::from(left == right),
        "!=" => u64::from(left != right),
        "<=" => u64::from(left <= right),
        ">=" => u64::from(left >= right),
        "<" => u64::from(left < right),
        ">" => u64::from(left > right),
        "<<" => shift.map_or(0, |bits| left << bits),
        ">>" => shift.map_or(0, |bits| left >> bits),
        "+" => left.wrapping_add(right),
        "-" => left.wrapping_sub(right),
        "*" => left.wrapping_mul(right),
        "/" => left.checked_div(right).ok_or_else(|| Error::new(place, "division by zero"))?,
        _ => left.checked_rem(right).ok_or_else(|| Error::new(place, "division by zero"))?,
    })
}

fn unary(lexer: &mut Lexer, depth: usize) -> Result<u64, Error> {
    if depth > limits::NESTING_MAX {
        return Err(lexer.error("expression is nested too deep"));
    }
    lexer.skip()?;
    match lexer.peek() {
        Some('-') => {
            lexer.bump();
            Ok(unary(lexer, depth + 1)?.wrapping_neg())
        }
        Some('~') => {
            lexer.bump();
            Ok(!unary(lexer, depth + 1)?)
        }
        Some('!') => {
            lexer.bump();
            Ok(u64::from(unary(lexer, depth + 1)? == 0))
        }
        Some('(') => {
            lexer.bump();
            let value = expression(lexer, depth + 1)?;
            lexer.skip()?;
            if !lexer.accept(")") {
                return Err(lexer.error("expected )"));
            }
            Ok(value)
        }
        _ => primary(lexer, depth),
    }
}

/// A literal, a character, or a name given by `#define`.
pub fn primary(lexer: &mut Lexer, depth: usize) -> Result<u64, Error> {
    let place = lexer.place();
    match lexer.peek() {
        Some('\'') => character(lexer),
        Some(first) if first.is_ascii_digit() => {
            let text = lexer.take_while(|c| c.is_ascii_alphanumeric());
            literal(&text).ok_or_else(|| Error::new(&place, format!("{text} is not a number")))
        }
        Some(first) if first.is_ascii_alphabetic() || first == '_' => {
            let name = lexer.take_while(|c| c.is_ascii_alphanumeric() || c == '_');
            let Some((text, at)) = lexer.defines.get(&name).cloned() else {
                return Err(Error::new(&place, format!("{name} is not defined")));
            };
            let mut inner = Lexer::over(&text, &at);
            std::mem::swap(&mut inner.defines, &mut lexer.defines);
            inner.expansions = lexer.expansions + 1;
            if inner.expansions > limits::EXPANSIONS_MAX {
                return Err(Error::new(&place, format!("{name} stands for too much")));
            }
            // A name that stands for itself ends at the nesting bound.
            let value = expression(&mut inner, depth + 1)?;
            inner.skip()?;
            std::mem::swap(&mut inner.defines, &mut lexer.defines);
            lexer.expansions = inner.expansions;
            match inner.peek() {
                None => Ok(value),
                Some(_) => Err(Error::new(&at, format!("{name} is not an integer expression"))),
            }
        }
        _ => Err(Error::new(&place, "expected a number")),
    }
}

/// Reads decimal, octal and hexadecimal literals with the suffixes of C.
pub fn literal(text: &str) -> Option<u64> {
    let lower = text.to_ascii_lowercase();
    let number = lower.trim_end_matches(['u', 'l']);
    if lower.len() - number.len() > 3 {
        return None;
    }
    match number.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None if number.len() > 1 && number.starts_with('0') => u64::from_str_radix(number, 8).ok(),
        None => number.parse().ok(),
    }
}

fn character(lexer: &mut Lexer) -> Result<u64, Error> {
    let place = lexer.place();
    lexer.bump();
    let value = match lexer.bump() {
        Some('\\') => escape(lexer)?,
        Some(plain) if plain.is_ascii() && plain != '\'' && plain != '\n' => plain as u8,
        _ => return Err(Error::new(&place, "bad character literal")),
    };
    if !lexer.accept("'") {
        return Err(Error::new(&place, "character literal does not end"));
    }
    Ok(u64::from(value))
}

/// Reads what follows a backslash in a string or character.
pub fn escape(lexer: &mut Lexer) -> Result<u8, Error> {
    let place = lexer.place();
    let Some(first) = lexer.bump() else { return Err(Error::new(&place, "text does not end")) };
    Ok(match first {
        'a' => 7,
        'b' => 8,
        't' => 9,
        'n' => 10,
        'v' => 11,
        'f' => 12,
        'r' => 13,
        '0'..='7' => {
            let mut value = u32::from(first) - u32::from('0');
            for _ in 0..2 {
                let Some(digit) = lexer.peek().and_then(|c| c.to_digit(8)) else { break };
                value = value * 8 + digit;
                lexer.bump();
            }
            u8::try_from(value).map_err(|_| Error::new(&place, "octal escape over 0377"))?
        }
        'x' => {
            let digits: String = (0..2)
                .map_while(|ahead| lexer.peek_at(ahead).filter(char::is_ascii_hexdigit))
                .collect();
            for _ in digits.chars() {
                lexer.bump();
            }
            u8::from_str_radix(&digits, 16).map_err(|_| Error::new(&place, "bad \\x escape"))?
        }
        other if other.is_ascii() => other as u8,
        _ => return Err(Error::new(&place, "bad escape")),
    })
}
