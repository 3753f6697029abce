//! Power cuts: random operations on tiny segments, cut before, inside and after each byte of each
//! program and inside each erase; after it, a cold start or going on with the same instance.

use crate::limits::{KEYS, VALUE_BYTES_MAX};
use crate::log::{Error, Key, Log};
use crate::ram::{RamFlash, Tear};

const SEGMENT: u32 = 512;
const KEYS_USED: u8 = 8;

type Flash = RamFlash<512>;
type Journal = Log<SEGMENT>;
type Values = [Option<Vec<u8>>; KEYS_USED as usize];

/// A small generator of repeatable choices (xorshift).
pub struct Choices(u64);

impl Choices {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) % bound
    }
}

#[derive(Clone, Debug)]
enum Op {
    Store(u8, Vec<u8>),
    Remove(u8),
}

fn choose(choices: &mut Choices) -> Op {
    let key = choices.below(u64::from(KEYS_USED)) as u8;
    if choices.below(6) == 0 {
        return Op::Remove(key);
    }
    // Mostly short; sometimes longer than one piece, so that a record takes two programs.
    let bytes = if choices.below(8) == 0 { 60 + choices.below(20) } else { 1 + choices.below(32) };
    let value = match choices.below(5) {
        0 => vec![0xFF; bytes as usize],
        1 => vec![0; bytes as usize],
        _ => (0..bytes).map(|_| choices.below(256) as u8).collect(),
    };
    Op::Store(key, value)
}

fn perform(log: &mut Journal, flash: &mut Flash, op: &Op) -> Result<(), Error> {
    match op {
        Op::Store(key, value) => log.store(flash, Key::new(*key), value),
        Op::Remove(key) => log.remove(flash, Key::new(*key)),
    }
}

fn record(values: &mut Values, op: &Op) {
    match op {
        Op::Store(key, value) => values[usize::from(*key)] = Some(value.clone()),
        Op::Remove(key) => values[usize::from(*key)] = None,
    }
}

fn key_of(op: &Op) -> usize {
    match op {
        Op::Store(key, _) | Op::Remove(key) => usize::from(*key),
    }
}

/// Everything the log shows, or why it shows nothing.
fn read_all(log: &mut Journal, flash: &mut Flash) -> Result<Values, String> {
    let mut values = Values::default();
    for key in 0..KEYS as u8 {
        let mut target = [0; VALUE_BYTES_MAX];
        let found = log
            .fetch(flash, Key::new(key), &mut target)
            .map_err(|error| format!("key {key}: {error:?}"))?;
        match (values.get_mut(usize::from(key)), found) {
            (Some(value), found) => *value = found.map(|bytes| target[..bytes].to_vec()),
            (None, Some(_)) => return Err(format!("key {key} was never stored")),
            (None, None) => {}
        }
    }
    Ok(values)
}

fn mount(flash: &mut Flash) -> Result<Journal, String> {
    Journal::mount(flash).map_err(|error| format!("mount: {error:?}"))
}

/// Runs the sequence of `seed`, cutting at every `stride`-th step. Answers the number of cuts.
pub fn run(seed: u64, stride: u64) -> Result<u64, String> {
    let mut choices = Choices::new(seed + 1);
    let mut flash = Flash::new(2 * SEGMENT as usize);
    let mut values = Values::default();
    let mut cuts = 0;
    for number in 0..24 {
        let op = choose(&mut choices);
        let mut log = mount(&mut flash)?;
        let before = flash.clone();
        match perform(&mut log, &mut flash, &op) {
            Ok(()) => {}
            Err(Error::Full) => continue,
            Err(error) => return Err(format!("op {number}: {error:?}")),
        }
        let steps = flash.steps() - before.steps();
        let mut after = values.clone();
        record(&mut after, &op);
        let first = choices.below(stride);
        for step in (first..steps).step_by(stride as usize) {
            let mut case = Case { flash: before.clone(), values: &values, op: &op };
            case.cut(step, &mut choices)
                .map_err(|failure| format!("op {number} {op:?} cut at {step}: {failure}"))?;
            cuts += 1;
        }
        values = after;
        if read_all(&mut log, &mut flash)? != values {
            return Err(format!("op {number}: not what was stored"));
        }
    }
    if flash.programmed_twice() {
        return Err("a byte was programmed twice".into());
    }
    Ok(cuts)
}

/// One operation that is cut, and what must hold afterwards.
struct Case<'a> {
    flash: Flash,
    values: &'a Values,
    op: &'a Op,
}

impl Case<'_> {
    fn cut(&mut self, step: u64, choices: &mut Choices) -> Result<(), String> {
        let tear = [Tear::Ordered, Tear::ScatteredProgram, Tear::ScatteredErase]
            [choices.below(3) as usize];
        let flash = &mut self.flash;
        let mut log = mount(flash)?;
        flash.cut_after(step, tear, choices.below(u64::MAX));
        if perform(&mut log, flash, self.op) != Err(Error::Flash) {
            return Err("the cut was not reported".into());
        }
        flash.power_on();
        if choices.below(4) == 0 {
            self.cut_recovery(choices)?;
        }
        let flash = &mut self.flash;
        if choices.below(2) == 0 {
            log = mount(flash)?;
        }
        let shown = read_all(&mut log, flash)?;
        self.check_shown(&shown)?;
        self.go_on(log, shown, choices)
    }

    /// The recovery itself is cut, up to twice.
    fn cut_recovery(&mut self, choices: &mut Choices) -> Result<(), String> {
        for _ in 0..2 {
            self.flash.cut_after(choices.below(700), Tear::Ordered, choices.below(u64::MAX));
            match Journal::mount(&mut self.flash) {
                Ok(_) | Err(Error::Flash) => {}
                Err(error) => return Err(format!("recovery: {error:?}")),
            }
            self.flash.power_on();
        }
        Ok(())
    }

    /// The key of the interrupted operation may be old or new, every other key is as it was.
    fn check_shown(&self, shown: &Values) -> Result<(), String> {
        let mut after = self.values.clone();
        record(&mut after, self.op);
        let touched = key_of(self.op);
        for key in 0..shown.len() {
            let is_old = shown[key] == self.values[key];
            let is_new = key == touched && shown[key] == after[key];
            if !is_old && !is_new {
                return Err(format!("key {key} shows {:?}", shown[key]));
            }
        }
        Ok(())
    }

    /// A value shown once stays, through 0, 1, 2 or many more stores and a second cold start.
    fn go_on(
        &mut self,
        mut log: Journal,
        mut shown: Values,
        choices: &mut Choices,
    ) -> Result<(), String> {
        let flash = &mut self.flash;
        let more = [0, 1, 2, 40][choices.below(4) as usize];
        for _ in 0..more {
            let op = choose(choices);
            match perform(&mut log, flash, &op) {
                Ok(()) => record(&mut shown, &op),
                Err(Error::Full) => {}
                Err(error) => return Err(format!("later store: {error:?}")),
            }
        }
        if read_all(&mut log, flash)? != shown {
            return Err("a value changed later".into());
        }
        let mut cold = mount(flash)?;
        if read_all(&mut cold, flash)? != shown {
            return Err("a value changed at the second cold start".into());
        }
        if flash.programmed_twice() {
            return Err("a byte was programmed twice".into());
        }
        Ok(())
    }
}
