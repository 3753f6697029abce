//! Typed facts about one board, read from its tree.
//!
//! What no driver of ours understands is an error here, at the node that asks for it.

use crate::binding::{number, texts};
use crate::error::Error;
use crate::tree::{Cell, Node, Piece, Property, Tree};

mod consistency;

/// One board.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Board {
    /// The first `compatible` of the root, without its vendor: `mps2-an385`.
    pub name: String,
    /// `model` of the root.
    pub display_name: String,
    /// Vendor and name of the core: `arm,cortex-m3`.
    pub core: String,
    /// Rust target that the core runs.
    pub target: &'static str,
    /// Which drivers the firmware links.
    pub chip: Chip,
    /// What has to be done before the clocks run as the board file says, if anything.
    pub clocks: Option<Clocks>,
    /// Frequency of the core.
    pub clock_hz: u32,
    /// Memory of the program.
    pub code: Region,
    /// Memory of variables, stacks and guests.
    pub ram: Region,
    /// Registers of the SysTick timer.
    pub systick: u32,
    /// Registers of a timer that counts for ever at the clock of the core, where there is one.
    pub counter: Option<u32>,
    /// What resets a firmware that is stuck, where there is a driver for it.
    pub watchdog: Option<Watchdog>,
    /// Which memory protection the core has.
    pub protection: Protection,
    /// Number of interrupt lines.
    pub interrupt_count: u16,
    /// How many upper bits of a priority byte exist.
    pub priority_bits: u8,
    /// The port that boot and fault messages go to.
    pub console: Uart,
    /// The source of random bytes, where the board names one.
    pub entropy: Option<Uart>,
    /// The flash of journal and images.
    pub storage: Storage,
    /// The way to the gateway.
    pub uplink: Uplink,
    /// Room for guests and stacks.
    pub guests: Guests,
    /// Hardware that guests may use.
    pub guest_hardware: GuestHardware,
    /// How QEMU emulates this board.
    pub emulation: Emulation,
    /// Label and base of every enabled peripheral, for set-up that belongs to no role.
    pub peripherals: Vec<(String, u32)>,
}

/// A chip family that has drivers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Chip {
    /// `chip-mps2`.
    Mps2,
    /// `chip-stm32`.
    Stm32,
}

/// A way to start the clocks that has a driver.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Clocks {
    /// `st,stm32f1-rcc`.
    Stm32f1,
    /// `st,stm32f4-rcc`.
    Stm32f4,
}

/// A watchdog of the chip.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Watchdog {
    /// Its driver.
    pub driver: WatchdogDriver,
    /// First register.
    pub base: u32,
    /// Frequency that it counts at.
    pub clock_hz: u32,
}

/// A driver for a watchdog.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum WatchdogDriver {
    /// `arm,cmsdk-watchdog`.
    Cmsdk,
    /// `st,stm32-watchdog`.
    Stm32,
}

/// Generation of the memory protection unit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Protection {
    /// ARMv7-M: regions of a power of two.
    V7,
    /// Armv8-M: regions of any length, and limits for the stacks.
    V8,
}

/// A range of addresses.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Region {
    /// First address.
    pub origin: u32,
    /// Length in bytes.
    pub bytes: u32,
}

/// A driver for a serial port.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Driver {
    /// `arm,cmsdk-uart`.
    CmsdkUart,
    /// `st,stm32-usart`.
    Stm32Usart,
}

/// One interrupt line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Interrupt {
    /// Number in the interrupt controller.
    pub number: u16,
    /// Urgency; 0 is served first.
    pub priority: u8,
}

/// A serial port.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Uart {
    /// Path of its node.
    pub path: String,
    /// Its driver.
    pub driver: Driver,
    /// First register.
    pub base: u32,
    /// Lines, in the order of the binding.
    pub interrupts: Vec<Interrupt>,
    /// Frequency that its divider starts from.
    pub clock_hz: u32,
    /// Bits per second.
    pub speed: u32,
}

/// The NOR flash behind a serial port.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Storage {
    /// The port.
    pub uart: Uart,
    /// Whole size.
    pub bytes: u32,
    /// Unit of an erase.
    pub erase_block_bytes: u32,
    /// Most data bytes of one request.
    pub request_bytes_max: u32,
}

/// An Ethernet controller.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Ethernet {
    /// Path of its node.
    pub path: String,
    /// First register.
    pub base: u32,
    /// Lines, in the order of the binding.
    pub interrupts: Vec<Interrupt>,
}

/// The way to the gateway.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Uplink {
    /// TCP/IP over Ethernet.
    Ethernet(Ethernet),
    /// Frames over a serial port.
    Serial(Uart),
}

/// Room for guests and stacks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Guests {
    /// Guests at a time.
    pub count_max: u8,
    /// Bytes that all of them share.
    pub arena_bytes: u32,
    /// Stack of the loop.
    pub stack_bytes: u32,
    /// Stack of interrupts and faults.
    pub interrupt_stack_bytes: u32,
}

/// Hardware that guests may use, as far as the board has it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct GuestHardware {
    /// Lamps, one bit each.
    pub leds: Option<Pins>,
    /// Buttons, one bit each.
    pub buttons: Option<Pins>,
    /// A two-wire bus.
    pub i2c: Option<I2c>,
    /// A serial port that no role of the firmware uses.
    pub uart: Option<Uart>,
}

/// Pins that share one register, from bit 0.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Pins {
    /// The register.
    pub base: u32,
    /// How many there are.
    pub count: u8,
}

/// A two-wire bus.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct I2c {
    /// First register.
    pub base: u32,
    /// Bits per second.
    pub speed: u32,
}

/// What a port is for, in the eyes of whoever wires an emulated board.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Role {
    /// Console text.
    Console,
    /// Random bytes.
    Entropy,
    /// Flash requests.
    Flash,
    /// Frames to the gateway, console included.
    Uplink,
    /// Whatever guests say and hear.
    Guest,
    /// Nothing.
    Unused,
}

/// One `-serial` option.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Port {
    /// Path of the port's node.
    pub path: String,
    /// Its role.
    pub role: Role,
}

/// What QEMU is told.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Emulation {
    /// The program.
    pub program: String,
    /// Value of `-M`.
    pub machine: String,
    /// Serial options in order, up to the last used one.
    pub ports: Vec<Port>,
    /// Value of `model=`.
    pub nic_model: Option<String>,
}

/// Bytes below the stack of interrupts that nobody may touch: what a memory protection unit knows at
/// least, and a whole page of an emulator where there is room, because it is slow with parts of one.
pub(crate) const fn guard_bytes(ram: Region) -> u32 {
    if ram.bytes < 0x1_0000 { 32 } else { 1024 }
}

/// Bytes at the end of the RAM that no section and no stack uses: there the reason of a reset
/// outlives it. Chosen: what the record needs, and stacks want multiples of 8.
pub(crate) const RESET_RECORD_BYTES: u32 = 32;

/// Cores that have a Rust target, and whether it was tried here.
const TARGETS: [(&str, &str); 4] = [
    ("arm,cortex-m3", "thumbv7m-none-eabi"),
    ("arm,cortex-m4f", "thumbv7em-none-eabihf"),
    ("arm,cortex-m7f", "thumbv7em-none-eabihf"),
    ("arm,cortex-m33f", "thumbv8m.main-none-eabihf"),
];

/// Reads the facts out of a checked tree.
pub fn interpret(tree: &Tree) -> Result<Board, Error> {
    let root = &tree.root;
    let reader = Reader { root };
    let first = reader.texts(root, "compatible")?.remove(0);
    let name = first.split(',').next_back().unwrap_or(&first).to_string();
    let cpu = reader.cpu()?;
    let core = reader.texts(cpu, "compatible")?.remove(0);
    let target = TARGETS.iter().find(|(known, _)| *known == core).map(|(_, target)| *target);
    let target = target.ok_or_else(|| cpu.error(format!("no Rust target for {core}")))?;

    let console = reader.uart("wasmbed,console")?;
    let entropy = match reader.chosen()?.property("wasmbed,entropy") {
        Some(_) => Some(reader.port_of("wasmbed,entropy", "wasmbed,serial-entropy")?.1),
        None => None,
    };
    let storage = reader.storage()?;
    let uplink = reader.uplink()?;
    let guest_hardware = reader.guest_hardware()?;
    let chip = match console.driver {
        Driver::CmsdkUart => Chip::Mps2,
        Driver::Stm32Usart => Chip::Stm32,
    };
    let nvic = reader.interrupt_controller()?;
    let systick = reader.first_of(&["arm,armv7m-systick", "arm,armv8m-systick"])?;
    let is_v8 = reader.compatible("arm,v8m-nvic").is_ok();
    let board = Board {
        name,
        display_name: reader.texts(root, "model")?.remove(0),
        core,
        target,
        chip,
        clocks: reader.clocks(),
        clock_hz: reader.clock_hz(cpu)?,
        code: reader.memory("wasmbed,code")?,
        ram: reader.memory("wasmbed,ram")?,
        systick: reader.region(systick)?.origin,
        counter: reader.counter(cpu)?,
        watchdog: reader.watchdog()?,
        protection: if is_v8 { Protection::V8 } else { Protection::V7 },
        interrupt_count: reader.number(nvic, "arm,num-irqs")? as u16,
        priority_bits: reader.number(nvic, "arm,num-irq-priority-bits")? as u8,
        emulation: {
            let guest_uart = guest_hardware.uart.as_ref();
            reader.emulation(&console, entropy.as_ref(), &storage, &uplink, guest_uart)?
        },
        console,
        entropy,
        storage,
        uplink,
        guests: reader.guests()?,
        guest_hardware,
        peripherals: reader.peripherals(),
    };
    consistency::check(&board, &reader)?;
    Ok(board)
}

struct Reader<'tree> {
    root: &'tree Node,
}

impl<'tree> Reader<'tree> {
    fn node(&self, path: &str) -> Result<&'tree Node, Error> {
        self.root.find(path).ok_or_else(|| self.root.error(format!("no node {path}")))
    }

    fn cpu(&self) -> Result<&'tree Node, Error> {
        let first = self.node("/cpus")?.children().next();
        first.ok_or_else(|| self.root.error("no processor below /cpus"))
    }

    fn chosen(&self) -> Result<&'tree Node, Error> {
        self.node("/chosen")
    }

    fn property(&self, node: &'tree Node, name: &str) -> Result<&'tree Property, Error> {
        node.property(name).ok_or_else(|| node.error(format!("property {name} is missing")))
    }

    fn number(&self, node: &'tree Node, name: &str) -> Result<u32, Error> {
        let property = self.property(node, name)?;
        number(property)
            .and_then(|number| u32::try_from(number).ok())
            .ok_or_else(|| Error::new(&property.place, format!("{name} needs one number")))
    }

    fn texts(&self, node: &'tree Node, name: &str) -> Result<Vec<String>, Error> {
        let property = self.property(node, name)?;
        let texts = texts(property);
        if texts.is_empty() {
            return Err(Error::new(&property.place, format!("{name} needs text")));
        }
        Ok(texts)
    }

    /// The first enabled node of a kind.
    fn compatible(&self, kind: &str) -> Result<&'tree Node, Error> {
        fn search<'tree>(node: &'tree Node, kind: &str) -> Option<&'tree Node> {
            if is_kind(node, kind) && is_enabled(node) {
                return Some(node);
            }
            node.children().find_map(|child| search(child, kind))
        }
        search(self.root, kind).ok_or_else(|| self.root.error(format!("no node is a {kind}")))
    }

    /// The first enabled node of the first kind that is there.
    fn first_of(&self, kinds: &[&str]) -> Result<&'tree Node, Error> {
        let mut found = kinds.iter().map(|kind| self.compatible(kind));
        let missing = || self.root.error(format!("no node is one of {}", kinds.join(", ")));
        found.find_map(Result::ok).ok_or_else(missing)
    }

    fn interrupt_controller(&self) -> Result<&'tree Node, Error> {
        self.first_of(&["arm,v7m-nvic", "arm,v8m-nvic"])
    }

    fn target(&self, key: &str) -> Result<(&'tree Node, &'tree Property, String), Error> {
        let property = self.property(self.chosen()?, key)?;
        let Some(Piece::Path(_, Some(path))) = property.pieces.first() else {
            return Err(Error::new(&property.place, format!("{key} needs a reference")));
        };
        let node = self.node(path)?;
        if !is_enabled(node) {
            let message = format!("{key} is {path}, whose status is not okay");
            return Err(Error::new(&property.place, message).advise(enable(node)));
        }
        Ok((node, property, path.clone()))
    }

    fn region(&self, node: &'tree Node) -> Result<Region, Error> {
        let bytes = self.property(node, "reg")?.bytes();
        let word = |index: usize| {
            let raw = bytes.get(index * 4..index * 4 + 4).and_then(|raw| raw.try_into().ok());
            raw.map(u32::from_be_bytes).ok_or_else(|| node.error("reg needs address and length"))
        };
        Ok(Region { origin: word(0)?, bytes: word(1)? })
    }

    fn memory(&self, key: &str) -> Result<Region, Error> {
        let (node, property, _) = self.target(key)?;
        if !is_kind(node, "mmio-sram") && !is_kind(node, "soc-nv-flash") {
            return Err(Error::new(&property.place, format!("{key} is no memory")));
        }
        self.region(node)
    }

    fn clock_hz(&self, node: &'tree Node) -> Result<u32, Error> {
        let clocks = self.property(node, "clocks")?;
        let Some(Piece::Cells { cells, .. }) = clocks.pieces.first() else {
            return Err(Error::new(&clocks.place, "clocks needs a reference"));
        };
        let Some(Cell::Handle(reference, _)) = cells.first() else {
            return Err(Error::new(&clocks.place, "clocks needs a reference"));
        };
        self.number(self.node_of(&reference.target)?, "clock-frequency")
    }

    fn node_of(&self, target: &str) -> Result<&'tree Node, Error> {
        self.root.find(target).ok_or_else(|| self.root.error(format!("no node {target}")))
    }

    fn clocks(&self) -> Option<Clocks> {
        let known = [("st,stm32f1-rcc", Clocks::Stm32f1), ("st,stm32f4-rcc", Clocks::Stm32f4)];
        known.into_iter().find(|(kind, _)| self.compatible(kind).is_ok()).map(|(_, clocks)| clocks)
    }

    fn counter(&self, cpu: &'tree Node) -> Result<Option<u32>, Error> {
        if self.chosen()?.property("wasmbed,counter").is_none() {
            return Ok(None);
        }
        let (node, property, path) = self.target("wasmbed,counter")?;
        if !is_kind(node, "arm,cmsdk-timer") {
            let message = format!("wasmbed,counter is {path}, which has no timer driver");
            return Err(Error::new(&property.place, message));
        }
        if self.clock_hz(node)? != self.clock_hz(cpu)? {
            let message = format!("wasmbed,counter is {path}, whose clock is not that of the core");
            return Err(Error::new(&property.place, message));
        }
        Ok(Some(self.region(node)?.origin))
    }

    fn watchdog(&self) -> Result<Option<Watchdog>, Error> {
        if self.chosen()?.property("wasmbed,watchdog").is_none() {
            return Ok(None);
        }
        let (node, property, path) = self.target("wasmbed,watchdog")?;
        let driver = if is_kind(node, "arm,cmsdk-watchdog") {
            WatchdogDriver::Cmsdk
        } else if is_kind(node, "st,stm32-watchdog") {
            WatchdogDriver::Stm32
        } else {
            let message = format!("wasmbed,watchdog is {path}, which has no watchdog driver");
            let advice = "name a arm,cmsdk-watchdog or a st,stm32-watchdog, or leave it out";
            return Err(Error::new(&property.place, message).advise(advice));
        };
        let base = self.region(node)?.origin;
        Ok(Some(Watchdog { driver, base, clock_hz: self.clock_hz(node)? }))
    }

    fn interrupts(&self, node: &'tree Node) -> Result<Vec<Interrupt>, Error> {
        let property = self.property(node, "interrupts")?;
        let words: Vec<u32> = property
            .bytes()
            .chunks_exact(4)
            .map(|raw| u32::from_be_bytes([raw[0], raw[1], raw[2], raw[3]]))
            .collect();
        let nvic = self.interrupt_controller()?;
        let levels = 1u32 << self.number(nvic, "arm,num-irq-priority-bits")?;
        let lines = self.number(nvic, "arm,num-irqs")?;
        let wrong = |what: &str, number: u32, count: u32| {
            let message = format!("{what} {number} of {count} does not exist");
            let advice = format!("use one of 0 to {}", count - 1);
            Err(Error::new(&property.place, message).advise(advice))
        };
        let (pairs, _) = words.as_chunks::<2>();
        pairs
            .iter()
            .map(|&[number, priority]| {
                if number >= lines {
                    return wrong("interrupt", number, lines);
                }
                if priority >= levels {
                    return wrong("priority", priority, levels);
                }
                Ok(Interrupt { number: number as u16, priority: priority as u8 })
            })
            .collect()
    }

    fn uart_at(&self, node: &'tree Node, path: &str, why: &Property) -> Result<Uart, Error> {
        let driver = if is_kind(node, "arm,cmsdk-uart") {
            Driver::CmsdkUart
        } else if is_kind(node, "st,stm32-usart") {
            Driver::Stm32Usart
        } else {
            let message = format!("{} is {path}, which has no serial driver", why.name);
            let advice = "name a port that is a arm,cmsdk-uart or a st,stm32-usart";
            return Err(Error::new(&why.place, message).advise(advice));
        };
        Ok(Uart {
            path: path.to_string(),
            driver,
            base: self.region(node)?.origin,
            interrupts: self.interrupts(node)?,
            clock_hz: self.clock_hz(node)?,
            speed: self.number(node, "current-speed")?,
        })
    }

    fn uart(&self, key: &str) -> Result<Uart, Error> {
        let (node, property, path) = self.target(key)?;
        self.uart_at(node, &path, property)
    }

    /// The serial port that is the parent of the node in a role.
    fn port_of(&self, key: &str, kind: &str) -> Result<(&'tree Node, Uart), Error> {
        let (node, property, path) = self.target(key)?;
        if !is_kind(node, kind) {
            return Err(Error::new(
                &property.place,
                format!("{key} is {path}, which is no {kind}"),
            ));
        }
        let parent = path.rsplit_once('/').map_or("/", |(parent, _)| parent).to_string();
        let port = self.node(&parent)?;
        if !is_enabled(port) {
            let message = format!("{key} is behind {parent}, whose status is not okay");
            return Err(Error::new(&property.place, message).advise(enable(port)));
        }
        Ok((node, self.uart_at(port, &parent, property)?))
    }

    fn storage(&self) -> Result<Storage, Error> {
        let (node, uart) = self.port_of("wasmbed,flash", "wasmbed,serial-flash")?;
        Ok(Storage {
            uart,
            bytes: self.number(node, "size")?,
            erase_block_bytes: self.number(node, "erase-block-size")?,
            request_bytes_max: self.number(node, "request-size")?,
        })
    }

    fn uplink(&self) -> Result<Uplink, Error> {
        let (node, property, path) = self.target("wasmbed,uplink")?;
        if is_kind(node, "smsc,lan9118") {
            let base = self.region(node)?.origin;
            return Ok(Uplink::Ethernet(Ethernet {
                path,
                base,
                interrupts: self.interrupts(node)?,
            }));
        }
        Ok(Uplink::Serial(self.uart_at(node, &path, property)?))
    }

    fn guests(&self) -> Result<Guests, Error> {
        let node = self.compatible("wasmbed,guests")?;
        Ok(Guests {
            count_max: self.number(node, "count")? as u8,
            arena_bytes: self.number(node, "arena-size")?,
            stack_bytes: self.number(node, "stack-size")?,
            interrupt_stack_bytes: self.number(node, "interrupt-stack-size")?,
        })
    }

    fn guest_hardware(&self) -> Result<GuestHardware, Error> {
        let has = |key: &str| self.chosen().is_ok_and(|chosen| chosen.property(key).is_some());
        Ok(GuestHardware {
            leds: has("wasmbed,leds").then(|| self.pins("wasmbed,leds")).transpose()?,
            buttons: has("wasmbed,buttons").then(|| self.pins("wasmbed,buttons")).transpose()?,
            i2c: has("wasmbed,i2c").then(|| self.i2c()).transpose()?,
            uart: has("wasmbed,guest-uart").then(|| self.uart("wasmbed,guest-uart")).transpose()?,
        })
    }

    fn pins(&self, key: &str) -> Result<Pins, Error> {
        let node = self.driven(key, "arm,mps2-fpgaio-gpio")?;
        Ok(Pins { base: self.region(node)?.origin, count: self.number(node, "ngpios")? as u8 })
    }

    fn i2c(&self) -> Result<I2c, Error> {
        let node = self.driven("wasmbed,i2c", "arm,versatile-i2c")?;
        let speed = self.number(node, "clock-frequency")?;
        Ok(I2c { base: self.region(node)?.origin, speed })
    }

    /// The node in a role, which must be of the one kind that has a driver.
    fn driven(&self, key: &str, kind: &str) -> Result<&'tree Node, Error> {
        let (node, property, path) = self.target(key)?;
        if is_kind(node, kind) {
            return Ok(node);
        }
        let message = format!("{key} is {path}, which has no driver; it must be a {kind}");
        Err(Error::new(&property.place, message)
            .advise(format!("name another node, or leave {key} out")))
    }

    fn emulation(
        &self,
        console: &Uart,
        entropy: Option<&Uart>,
        storage: &Storage,
        uplink: &Uplink,
        guest_uart: Option<&Uart>,
    ) -> Result<Emulation, Error> {
        let node = self.compatible("qemu,machine")?;
        let serials = self.property(node, "serials")?;
        let role_of = |path: &str| match uplink {
            Uplink::Serial(uart) if uart.path == path => Role::Uplink,
            _ if console.path == path => Role::Console,
            _ if entropy.is_some_and(|uart| uart.path == path) => Role::Entropy,
            _ if storage.uart.path == path => Role::Flash,
            _ if guest_uart.is_some_and(|uart| uart.path == path) => Role::Guest,
            _ => Role::Unused,
        };
        let cells = serials.pieces.iter().flat_map(|piece| match piece {
            Piece::Cells { cells, .. } => cells.as_slice(),
            _ => &[],
        });
        let mut ports = Vec::new();
        for cell in cells {
            let Cell::Handle(reference, _) = cell else { continue };
            let path = self.root.path_of(&reference.target).unwrap_or_default();
            ports.push(Port { role: role_of(&path), path });
        }
        for uart in [Some(console), entropy, Some(&storage.uart), guest_uart].into_iter().flatten()
        {
            if !ports.iter().any(|port| port.path == uart.path) {
                let message = format!("serials lacks {}, which has a role", uart.path);
                let advice = "QEMU's order of ports is in hw/arm of its sources; add the port";
                return Err(Error::new(&serials.place, message).advise(advice));
            }
        }
        let used = ports.iter().rposition(|port| port.role != Role::Unused).map_or(0, |i| i + 1);
        ports.truncate(used);
        let nic_model = match (uplink, node.property("nic-model")) {
            (Uplink::Ethernet(_), Some(model)) => texts(model).pop(),
            (Uplink::Ethernet(_), None) => {
                return Err(node.error("property nic-model is missing, and the uplink is Ethernet"));
            }
            (Uplink::Serial(_), _) => None,
        };
        Ok(Emulation {
            program: self.texts(node, "program")?.remove(0),
            machine: self.texts(node, "machine")?.remove(0),
            ports,
            nic_model,
        })
    }

    fn peripherals(&self) -> Vec<(String, u32)> {
        let soc = self.root.child("soc").into_iter().flat_map(Node::children);
        soc.filter(|node| is_enabled(node))
            .filter_map(|node| Some((node.labels.first()?.clone(), self.region(node).ok()?.origin)))
            .collect()
    }
}

fn is_kind(node: &Node, kind: &str) -> bool {
    node.property("compatible").is_some_and(|property| texts(property).iter().any(|t| t == kind))
}

/// How a node is switched on.
fn enable(node: &Node) -> String {
    let name = node.labels.first().map_or_else(|| node.name.clone(), |label| format!("&{label}"));
    format!("add {name} {{ status = \"okay\"; }};")
}

fn is_enabled(node: &Node) -> bool {
    node.property("status").is_none_or(|status| texts(status) == ["okay"])
}
