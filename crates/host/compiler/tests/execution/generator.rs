//! Random programs that compute something: deep expressions, nested control, calls, memory.
//!
//! wasm-smith reaches odd corners but rarely gets far; these run to their end most of the time. The
//! same seed gives the same program.
use std::fmt::Write;

/// A small generator of numbers; the seed names the program.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % bound
    }

    fn pick<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.below(choices.len() as u64) as usize]
    }
}

const BINARY: [&str; 15] = [
    "add", "sub", "mul", "and", "or", "xor", "shl", "shr_s", "shr_u", "rotl", "rotr", "div_s",
    "div_u", "rem_s", "rem_u",
];
const COMPARE: [&str; 10] =
    ["eq", "ne", "lt_s", "lt_u", "gt_s", "gt_u", "le_s", "le_u", "ge_s", "ge_u"];

struct Generator {
    random: Random,
    text: String,
    /// Type of each local of the function, parameters first.
    locals: Vec<&'static str>,
    /// Counters of open loops: nothing else may change them.
    counters: Vec<usize>,
    /// Functions that may be called, with the type of their result.
    callable: Vec<&'static str>,
    /// Open blocks, innermost last: whether a branch may go there.
    labels: u32,
}

/// Types of the parameters of every function.
const PARAMS: [&str; 3] = ["i32", "i64", "i32"];

/// The text of a module: memory `memory`, functions `f0`, `f1`, … of three parameters.
pub fn program(seed: u64) -> String {
    let mut generator = Generator {
        random: Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1),
        text: String::new(),
        locals: Vec::new(),
        counters: Vec::new(),
        callable: Vec::new(),
        labels: 0,
    };
    // Some frames have more slots than an instruction can name.
    let extra_locals = if seed.is_multiple_of(5) { 230 } else { 0 };
    generator.module(extra_locals);
    generator.text
}

impl Generator {
    fn module(&mut self, extra_locals: u64) {
        self.text.push_str("(module (memory (export \"memory\") 1 2)\n");
        self.text.push_str("(type $t (func (param i32 i64 i32) (result i32)))\n");
        self.text.push_str("(global $g0 (mut i32) (i32.const 77))\n");
        self.text.push_str("(global $g1 (mut i64) (i64.const -5))\n");
        self.text.push_str("(data (i32.const 3) \"some bytes to begin with\")\n");
        let count = 2 + self.random.below(4);
        for index in 0..count {
            let result = self.random.pick(&["i32", "i64"]);
            let result = if result == "i32" { "i32" } else { "i64" };
            self.function(index, result, extra_locals);
            self.callable.push(result);
        }
        let elements: Vec<String> = (0..count).map(|index| format!("$f{index}")).collect();
        let _ = writeln!(
            self.text,
            "(table {count} funcref) (elem (i32.const 0) {})",
            elements.join(" ")
        );
        self.text.push(')');
    }

    fn function(&mut self, index: u64, result: &'static str, extra_locals: u64) {
        self.locals = PARAMS.to_vec();
        self.counters.clear();
        let count = 1 + self.random.below(6) + extra_locals;
        for _ in 0..count {
            let ty = if self.random.below(3) == 0 { "i64" } else { "i32" };
            self.locals.push(ty);
        }
        let _ = write!(self.text, "(func $f{index} (export \"f{index}\")");
        let _ = write!(self.text, " (param i32 i64 i32) (result {result}) (local");
        for ty in &self.locals[PARAMS.len()..] {
            let _ = write!(self.text, " {ty}");
        }
        // Room for the counters of loops, a zero, and an index: what they hold is not told by a constant.
        self.text.push_str(" i32 i32 i32 i32 i32)\n");
        let (zero, index) = (self.zero(), self.zero() + 1);
        let _ = writeln!(
            self.text,
            "(local.set {zero} (i32.and (local.get 0) (i32.const 0)))
            (local.set {index} (i32.and (local.get 2) (i32.const 0x1fff)))
            (if (i32.eqz (i32.or (local.get 0) (i32.const 1))) (then (unreachable)))"
        );
        let statements = 3 + self.random.below(8);
        for _ in 0..statements {
            self.statement(3);
        }
        self.expression(result, 4);
        self.text.push_str(")\n");
    }

    /// The local behind the counters, which is 0.
    fn zero(&self) -> usize {
        self.locals.len() + 3
    }

    fn local(&mut self, ty: &str) -> Option<usize> {
        let fitting: Vec<usize> =
            (0..self.locals.len()).filter(|index| self.locals[*index] == ty).collect();
        if fitting.is_empty() {
            return None;
        }
        Some(fitting[self.random.below(fitting.len() as u64) as usize])
    }

    fn statement(&mut self, depth: u32) {
        match self.random.below(if depth == 0 { 6 } else { 11 }) {
            0..=2 => {
                let ty = if self.random.below(3) == 0 { "i64" } else { "i32" };
                match self.local(ty) {
                    Some(local) => {
                        let _ = write!(self.text, "(local.set {local} ");
                        self.expression(ty, 4);
                        self.text.push_str(")\n");
                    }
                    None => self.text.push_str("(nop)\n"),
                }
            }
            3 => {
                let ty = if self.random.below(2) == 0 { ("$g0", "i32") } else { ("$g1", "i64") };
                let _ = write!(self.text, "(global.set {} ", ty.0);
                self.expression(ty.1, 3);
                self.text.push_str(")\n");
            }
            4 | 5 => self.store(),
            6 | 7 => {
                self.text.push_str("(if ");
                self.expression("i32", 3);
                self.text.push_str(" (then\n");
                self.labels += 1;
                self.statements(depth);
                if self.random.below(2) == 0 {
                    self.text.push_str(") (else\n");
                    self.statements(depth);
                }
                self.labels -= 1;
                self.text.push_str("))\n");
            }
            8 => {
                self.text.push_str("(block\n");
                self.labels += 1;
                self.statements(depth);
                let target = self.random.below(u64::from(self.labels));
                let _ = write!(self.text, "(br_if {target} ");
                self.expression("i32", 3);
                self.text.push_str(")\n");
                self.statements(depth);
                self.labels -= 1;
                self.text.push_str(")\n");
            }
            9 if self.counters.len() < 4 => self.counted_loop(depth),
            _ => self.table(depth),
        }
    }

    fn statements(&mut self, depth: u32) {
        for _ in 0..1 + self.random.below(3) {
            self.statement(depth - 1);
        }
    }

    /// A loop that ends: its counter is one of the four that statements do not touch.
    fn counted_loop(&mut self, depth: u32) {
        let counter = self.locals.len() + self.counters.len();
        self.counters.push(counter);
        let rounds = 1 + self.random.below(5);
        let (begin, step, condition) = self.counting(rounds, counter);
        let _ = writeln!(self.text, "(local.set {counter} (i32.const {begin})) (loop");
        // A branch to the loop would go round without counting: only the blocks inside are targets.
        let labels = std::mem::replace(&mut self.labels, 0);
        self.statements(depth);
        self.labels = labels;
        let _ = writeln!(self.text, "{step} (br_if 0 {condition}))");
        self.counters.pop();
    }

    /// Where a counter begins, what goes before the condition to go on, and that condition: down or
    /// up, against constants of all sizes and locals, with and without other work in between.
    fn counting(&mut self, rounds: u64, counter: usize) -> (i64, String, String) {
        let get = format!("(local.get {counter})");
        let down = format!("(local.tee {counter} (i32.sub {get} (i32.const 1)))");
        let up = format!("(local.tee {counter} (i32.add {get} (i32.const 4)))");
        let rounds = rounds as i64;
        let far = 1000 + 4 * rounds;
        let near = 100 + 4 * rounds;
        let zero = format!("(local.get {})", self.zero());
        let other = "(global.set $g0 (i32.const 5))";
        let kept_up = format!("(local.set {counter} (i32.add {get} (i32.const 4))){other}");
        let kept_down = format!("(local.set {counter} (i32.sub {get} (i32.const 1))){other}");
        let none = String::new();
        match self.random.below(16) {
            0 => (rounds, none, down),
            1 => (rounds, none, format!("(i32.gt_s {down} (i32.const 0))")),
            2 => (rounds, none, format!("(i32.lt_u (i32.const 0) {down})")),
            3 => (1000, none, format!("(i32.ne {up} (i32.const {far}))")),
            4 => (1000, none, format!("(i32.lt_u {up} (i32.const {far}))")),
            5 => (100, none, format!("(i32.ne {up} (i32.const {near}))")),
            6 => (-4 * rounds, none, format!("(i32.lt_s {up} {zero})")),
            7 => (-4 * rounds, none, format!("(i32.ne {up} {zero})")),
            8 => (-4 * rounds, kept_up, format!("(i32.lt_s {get} {zero})")),
            9 => (-4 * rounds, kept_up, format!("(i32.ne {get} {zero})")),
            10 => (100, kept_up, format!("(i32.ne {get} (i32.const {near}))")),
            11 => (-4 * rounds, kept_up, get),
            12 => (rounds, none, format!("(i32.lt_u {zero} {down})")),
            13 => (rounds, kept_down, format!("(i32.lt_u {zero} {get})")),
            14 => {
                let begin = 4096 - 4 * rounds;
                (begin, none, format!("(i32.eqz (i32.shr_u {up} (i32.const 12)))"))
            }
            _ => (rounds, none, format!("(i32.gt_s {down} {zero})")),
        }
    }

    fn table(&mut self, depth: u32) {
        self.text.push_str("(block (block (block (br_table 0 1 2 1 ");
        self.expression("i32", 2);
        self.text.push_str("))\n");
        for _ in 0..2 {
            self.labels += 1;
            self.statement(depth.saturating_sub(1));
            self.labels -= 1;
            self.text.push_str(")\n");
        }
    }

    fn address(&mut self) {
        // Most addresses exist; some are found out by the engine.
        match self.random.below(60) {
            0 => self.expression("i32", 2),
            1..=10 => self.below(0x7fff),
            11..=13 => {
                let _ = write!(self.text, "(local.get {})", self.zero() + 1);
            }
            14 | 15 => {
                let (zero, index) = (self.zero(), self.zero() + 1);
                let _ = write!(self.text, "(i32.add (local.get {index}) (local.get {zero}))");
            }
            16..=20 => {
                let (index, constant) = (self.zero() + 1, self.random.below(0x3fff));
                let _ = write!(self.text, "(i32.add (local.get {index}) (i32.const {constant}))");
            }
            21..=35 => {
                self.text.push_str("(i32.add ");
                self.below(0x3fff);
                let _ = write!(self.text, " (i32.const {}))", self.random.below(0x3fff));
            }
            36..=50 => {
                let _ = write!(self.text, "(i32.add (local.get {}) ", self.zero() + 1);
                self.below(0x3fff);
                self.text.push(')');
            }
            _ => {
                let _ = write!(self.text, "(i32.const {})", self.random.below(0x7fff));
            }
        }
    }

    /// A value that is at most `mask`: of an expression or of a local that keeps it.
    fn below(&mut self, mask: u32) {
        let local = self.local("i32").filter(|_| self.random.below(2) == 0);
        let _ = match local {
            Some(local) => write!(self.text, "(local.tee {local} (i32.and "),
            None => write!(self.text, "(i32.and "),
        };
        self.expression("i32", 2);
        let _ = write!(self.text, " (i32.const {mask}))");
        if local.is_some() {
            self.text.push(')');
        }
    }

    /// Offsets are short, long, and most often none.
    fn offset(&mut self) -> u32 {
        [0, 0, 0, 4, 200, 300, 20_000][self.random.below(7) as usize]
    }

    fn store(&mut self) {
        let (ty, operator) = match self.random.below(7) {
            0 => ("i32", "i32.store8"),
            1 => ("i32", "i32.store16"),
            2 | 3 => ("i32", "i32.store"),
            4 => ("i64", "i64.store32"),
            5 => ("i64", "i64.store8"),
            _ => ("i64", "i64.store"),
        };
        let offset = self.offset();
        let _ = write!(self.text, "({operator} offset={offset} ");
        self.address();
        self.text.push(' ');
        self.expression(ty, 3);
        self.text.push_str(")\n");
    }

    fn constant(&mut self, ty: &str) {
        let value = match self.random.below(5) {
            0 => self.random.below(4) as i64,
            1 => self.random.below(256) as i64 - 128,
            2 => 1 << self.random.below(31),
            3 => -1,
            _ => self.random.below(u64::MAX) as i64,
        };
        let value = if ty == "i32" { i64::from(value as i32) } else { value };
        let _ = write!(self.text, "({ty}.const {value})");
    }

    fn expression(&mut self, ty: &'static str, depth: u32) {
        let other = if ty == "i32" { "i64" } else { "i32" };
        let choice = self.random.below(if depth == 0 { 3 } else { 16 });
        match choice {
            0 if self.random.below(3) == 0 => {
                let global = if ty == "i32" { "$g0" } else { "$g1" };
                let _ = write!(self.text, "(global.get {global})");
            }
            0 => self.constant(ty),
            1 | 2 => match self.local(ty) {
                Some(local) => {
                    let _ = write!(self.text, "(local.get {local})");
                }
                None => self.constant(ty),
            },
            3..=6 => {
                // Divisions trap often, so they are rare.
                let bound = if self.random.below(8) == 0 { BINARY.len() } else { 11 };
                let operator = BINARY[self.random.below(bound as u64) as usize];
                let _ = write!(self.text, "({ty}.{operator} ");
                self.expression(ty, depth - 1);
                self.text.push(' ');
                self.expression(ty, depth - 1);
                self.text.push(')');
            }
            7 => {
                let operators = ["clz", "ctz", "popcnt", "extend8_s", "extend16_s"];
                let operator = self.random.pick(&operators);
                let _ = write!(self.text, "({ty}.{operator} ");
                self.expression(ty, depth - 1);
                self.text.push(')');
            }
            8 | 9 if ty == "i32" => {
                let of = if self.random.below(3) == 0 { "i64" } else { "i32" };
                if self.random.below(5) == 0 {
                    let _ = write!(self.text, "({of}.eqz ");
                    self.expression(of, depth - 1);
                } else {
                    let operator = self.random.pick(&COMPARE);
                    let _ = write!(self.text, "({of}.{operator} ");
                    self.expression(of, depth - 1);
                    self.text.push(' ');
                    match self.random.below(3) {
                        0 => self.constant(of),
                        _ => self.expression(of, depth - 1),
                    }
                }
                self.text.push(')');
            }
            8..=10 => {
                let operators = ["i64.extend_i32_s", "i64.extend_i32_u"];
                let operator =
                    if ty == "i64" { self.random.pick(&operators) } else { "i32.wrap_i64" };
                let _ = write!(self.text, "({operator} ");
                self.expression(other, depth - 1);
                self.text.push(')');
            }
            11 => self.load(ty),
            12 => self.select(ty, depth),
            13 => match self.local(ty) {
                Some(local) => {
                    let _ = write!(self.text, "(local.tee {local} ");
                    self.expression(ty, depth - 1);
                    self.text.push(')');
                }
                None => self.constant(ty),
            },
            14 => self.call(ty, depth),
            _ => self.block(ty, depth),
        }
    }

    fn select(&mut self, ty: &'static str, depth: u32) {
        self.text.push_str("(select ");
        self.expression(ty, depth - 1);
        self.text.push(' ');
        self.expression(ty, depth - 1);
        self.text.push(' ');
        self.expression("i32", depth - 1);
        self.text.push(')');
    }

    fn load(&mut self, ty: &'static str) {
        let operators: &[&str] = if ty == "i32" {
            &["i32.load", "i32.load8_s", "i32.load8_u", "i32.load16_s", "i32.load16_u"]
        } else {
            &["i64.load", "i64.load8_s", "i64.load16_u", "i64.load32_s", "i64.load32_u"]
        };
        let operator = self.random.pick(operators);
        let offset = self.offset();
        let _ = write!(self.text, "({operator} offset={offset} ");
        self.address();
        self.text.push(')');
    }

    fn call(&mut self, ty: &'static str, depth: u32) {
        let callee = (0..self.callable.len()).rev().find(|index| self.callable[*index] == ty);
        let Some(callee) = callee else { return self.constant(ty) };
        if ty == "i32" && self.random.below(3) == 0 {
            self.text.push_str("(call_indirect (type $t) ");
            self.arguments(depth);
            let _ = write!(self.text, " (i32.const {callee}))");
        } else {
            let _ = write!(self.text, "(call $f{callee} ");
            self.arguments(depth);
            self.text.push(')');
        }
    }

    fn arguments(&mut self, depth: u32) {
        for ty in PARAMS {
            self.expression(ty, depth - 1);
            self.text.push(' ');
        }
    }

    /// A block or conditional with a result, which a branch may carry out of it.
    fn block(&mut self, ty: &'static str, depth: u32) {
        if self.random.below(2) == 0 {
            let _ = write!(self.text, "(if (result {ty}) ");
            self.expression("i32", depth - 1);
            self.text.push_str(" (then ");
            self.expression(ty, depth - 1);
            self.text.push_str(") (else ");
            self.expression(ty, depth - 1);
            self.text.push_str("))");
        } else {
            let _ = write!(self.text, "(block (result {ty}) (drop (br_if 0 ");
            self.expression(ty, depth - 1);
            self.text.push(' ');
            self.expression("i32", depth - 1);
            self.text.push_str(")) ");
            self.expression(ty, depth - 1);
            self.text.push(')');
        }
    }
}
