//! Executes programs on the host and prints what was executed: opcodes, pairs, and annotated code.

use anyhow::Result;

use crate::payload::Program;

/// Profiles each program.
#[cfg(not(feature = "profile"))]
pub fn run(_: &[String]) -> Result<()> {
    let _ = Program::prepare;
    anyhow::bail!("built without the feature `profile`")
}

/// Profiles each program.
#[cfg(feature = "profile")]
pub fn run(words: &[String]) -> Result<()> {
    for word in words {
        counted::program(&Program::read(word)?)?;
    }
    Ok(())
}

#[cfg(feature = "profile")]
mod counted {
    //! What needs the counters.

    use std::sync::atomic::AtomicBool;

    use anyhow::{Context, Result, bail};
    use wasmbed_engine::profile::{OFFSETS, OPCODES, count, pair, reset};
    use wasmbed_engine::{Args, ColdOpcode, Host, HostOutcome, Instance, Opcode, Outcome};
    use wasmbed_image::Image;

    use crate::payload::Program;

    /// Pairs that are printed.
    const PAIRS_MAX: usize = 60;

    struct NoHost;

    impl Host for NoHost {
        fn call(&mut self, _: u16, _: Args<'_>, _: &mut [u8]) -> HostOutcome {
            HostOutcome::Trap
        }
    }

    pub fn program(program: &Program) -> Result<()> {
        let (prepared, function) = program.prepare()?;
        let image = &prepared.image;
        let mut arena = vec![0; prepared.needs.arena_bytes as usize];
        let Ok(mut instance) = Instance::load(image, &mut arena) else { bail!("does not load") };
        reset();
        instance.invoke(image, &mut arena, function, &program.arguments);
        let flag = AtomicBool::new(false);
        let outcome = instance.run(image, &mut arena, &mut NoHost, &mut &flag);
        if outcome != Outcome::Finished {
            bail!("{}: {outcome:?}", program.name);
        }
        let code = Image::parse(image).ok().context("no image")?;
        opcodes(program, code.code(), instance.result() as u32);
        pairs();
        annotated(image)
    }

    fn name(opcode: usize) -> String {
        let byte = opcode as u8;
        match opcode {
            0..256 => Opcode::decode(byte).map_or("?".to_owned(), |opcode| format!("{opcode:?}")),
            _ => ColdOpcode::decode(byte).map_or("?".to_owned(), |cold| format!("Cold.{cold:?}")),
        }
    }

    fn opcodes(program: &Program, code: &[u8], result: u32) {
        let mut counts = vec![0; OPCODES];
        for (offset, byte) in code.iter().enumerate().take(OFFSETS) {
            let is_cold = *byte == Opcode::Cold as u8;
            let second = code.get(offset + 1).copied().unwrap_or(0);
            let opcode = if is_cold { 256 + usize::from(second) } else { usize::from(*byte) };
            if let Some(counter) = counts.get_mut(opcode) {
                *counter += count(offset);
            }
        }
        let total: u64 = counts.iter().sum();
        println!("== {}: result {result}, {total} instructions of the engine", program.name);
        let mut rows: Vec<(usize, u64)> =
            counts.into_iter().enumerate().filter(|(_, count)| *count > 0).collect();
        rows.sort_by_key(|(opcode, count)| (u64::MAX - count, *opcode));
        let mut sum = 0;
        for (opcode, count) in rows {
            sum += count;
            let share = |part: u64| part as f64 * 100.0 / total as f64;
            println!("{count:>10} {:>6.2} % {:>6.2} %  {}", share(count), share(sum), name(opcode));
        }
    }

    fn pairs() {
        let mut rows: Vec<(u64, usize, usize)> = (0..OPCODES * OPCODES)
            .map(|index| (pair(index / OPCODES, index % OPCODES), index / OPCODES, index % OPCODES))
            .filter(|(count, ..)| *count > 0)
            .collect();
        rows.sort_by_key(|(count, first, second)| (u64::MAX - count, *first, *second));
        println!("-- pairs");
        for (count, first, second) in rows.into_iter().take(PAIRS_MAX) {
            println!("{count:>10}  {} + {}", name(first), name(second));
        }
    }

    /// The listing of the image, each instruction with how often it was executed.
    fn annotated(image: &[u8]) -> Result<()> {
        let text =
            wasmbed_compiler::inspect(image).map_err(|error| anyhow::anyhow!("{error:?}"))?;
        println!("-- code");
        for line in text.lines() {
            let offset = line.strip_prefix("  0x").and_then(|rest| rest.get(..4));
            let offset = offset.and_then(|digits| usize::from_str_radix(digits, 16).ok());
            match offset.map(count) {
                Some(count) => println!("{count:>10} {line}"),
                None => println!("{:>10} {line}", ""),
            }
        }
        Ok(())
    }
}
