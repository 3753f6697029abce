//! The command line, as kubectl's users expect it.

use std::io::Write;
use std::net::{SocketAddr, SocketAddrV4};
use std::path::PathBuf;

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};

/// WebAssembly applications on microcontrollers, operated through the Kubernetes API.
#[derive(Parser)]
#[command(name = "wasmbed", version, max_term_width = 100)]
pub struct Arguments {
    #[command(flatten)]
    pub scope: Scope,
    #[command(subcommand)]
    pub command: Command,
}

/// Which API server, and which part of it.
#[derive(Args, Clone)]
pub struct Scope {
    /// Kubeconfig file; else $KUBECONFIG, else the one `wasmbed up` wrote, else ~/.kube/config.
    #[arg(long, global = true, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig.
    #[arg(long, global = true, value_name = "NAME")]
    pub context: Option<String>,
    /// Namespace; else the context's own.
    #[arg(short, long, global = true, value_name = "NAME")]
    pub namespace: Option<String>,
}

#[derive(Subcommand)]
pub enum Command {
    /// Show one or many resources.
    Get(Get),
    /// Show one resource in full, with its events.
    Describe(Describe),
    /// Create or change resources from files.
    Apply(Apply),
    /// Make resources from what is given on the command line.
    Create(Create),
    /// Delete resources.
    Delete(Delete),
    /// Wait until resources are in a state.
    Wait(Wait),
    /// Show what the guests of a device wrote.
    Logs(Logs),
    /// Show what the guests of a device sent.
    Messages(Messages),
    /// Send a message to the guests of a device that receive its topic.
    Send(Send),
    /// Restart an application once, on every device that runs it.
    Restart(Target),
    /// Reboot a device once.
    Reboot(Target),
    /// Ask a device to answer.
    Ping(Target),
    /// Show the counters of a device's last heartbeat.
    Counters(Target),
    /// Plug in the cable or serial line of a VirtualDevice, and make it good or bad.
    Connect(Connect),
    /// Pull out the cable or serial line of a VirtualDevice.
    Disconnect(Follow),
    /// Give a VirtualDevice power, cut it, or both in turn.
    Power(Power),
    /// Press the reset button of a VirtualDevice once.
    Reset(Follow),
    /// Show what a VirtualDevice wrote on its console.
    Console(ConsoleLog),
    /// Connect a real board on a serial device of this machine to a gateway.
    Link(Link),
    /// Start a project for a guest.
    New(New),
    /// Build a guest, and say what it needs and which boards it fits.
    Build(Build),
    /// Run guests on this machine, by the same runtime as on boards.
    Run(Run),
    /// Look into WebAssembly modules and prepared images.
    Image(Image),
    /// Let a device have sessions, or deny them to it.
    Device(DeviceGroup),
    /// Run the whole platform on this machine.
    Up(Up),
    /// Run one role of the platform.
    Serve(Serve),
    /// Write what a device must know before it may talk into its flash.
    Provision(Provision),
    /// List, issue and rotate keys and certificates.
    Certs(Certs),
    /// Look at everything a platform needs, and say what to do about what is wrong.
    Doctor(Doctor),
    /// Print a completion script for a shell.
    Completion(Completion),
    /// Show the versions of this program and of the API server.
    Version(Version),
}

#[derive(Args)]
pub struct Get {
    /// TYPE, TYPE NAME…, TYPE/NAME…, or TYPE,TYPE.
    #[arg(required = true, value_name = "TYPE[/NAME]")]
    pub what: Vec<String>,
    /// Form of the output: wide, json, yaml, name, jsonpath=TEMPLATE.
    #[arg(short, long, value_name = "FORMAT")]
    pub output: Option<String>,
    /// Only resources with these labels.
    #[arg(short = 'l', long, value_name = "SELECTOR")]
    pub selector: Option<String>,
    /// Only resources with these fields.
    #[arg(long, value_name = "SELECTOR")]
    pub field_selector: Option<String>,
    /// In all namespaces.
    #[arg(short = 'A', long)]
    pub all_namespaces: bool,
    /// After the list, show changes as they come.
    #[arg(short, long)]
    pub watch: bool,
    /// Leave out the head of the table.
    #[arg(long)]
    pub no_headers: bool,
    /// Add a column with the labels.
    #[arg(long)]
    pub show_labels: bool,
}

#[derive(Args)]
pub struct Describe {
    /// TYPE NAME or TYPE/NAME.
    #[arg(required = true, value_name = "TYPE[/NAME]")]
    pub what: Vec<String>,
}

#[derive(Args)]
pub struct Apply {
    /// File, folder, or - for standard input; may be given more than once.
    #[arg(short, long = "filename", required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Check on the server and store nothing.
    #[arg(long, value_enum, value_name = "WHERE")]
    pub dry_run: Option<DryRun>,
    /// Take over fields that another manager owns.
    #[arg(long)]
    pub force_conflicts: bool,
}

#[derive(Args)]
pub struct Create {
    #[command(subcommand)]
    pub what: CreateWhat,
}

#[derive(Subcommand)]
pub enum CreateWhat {
    /// An Application, and a ConfigMap that holds its module.
    #[command(visible_alias = "app")]
    Application(CreateApplication),
}

#[derive(Args)]
pub struct CreateApplication {
    /// Name of both.
    pub name: String,
    /// WebAssembly module.
    #[arg(long, value_name = "FILE")]
    pub module: PathBuf,
    /// Labels of the devices that run it; without them, all devices of the namespace.
    #[arg(short = 'l', long, value_name = "KEY=VALUE")]
    pub selector: Option<String>,
    /// What the guest may do beyond computing; may be given more than once.
    #[arg(long = "capability", value_name = "NAME")]
    pub capabilities: Vec<String>,
    /// WebAssembly operators between a start and the trap that ends the guest.
    #[arg(long, value_name = "OPERATORS")]
    pub fuel: Option<i64>,
    /// Always, OnFailure or Never.
    #[arg(long, value_name = "POLICY")]
    pub restart_policy: Option<String>,
    /// Print the objects as yaml or json instead of applying them.
    #[arg(short, long, value_name = "FORMAT")]
    pub output: Option<String>,
}

/// Where a dry run is checked.
#[derive(Clone, Copy, ValueEnum)]
pub enum DryRun {
    /// On the server.
    Server,
}

#[derive(Args)]
pub struct Delete {
    /// TYPE NAME… or TYPE/NAME….
    #[arg(value_name = "TYPE[/NAME]")]
    pub what: Vec<String>,
    /// Delete what these files describe.
    #[arg(short, long = "filename", value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Return at once instead of when the resources are gone.
    #[arg(long)]
    pub no_wait: bool,
    /// How long to wait.
    #[arg(long, default_value = "60s", value_name = "DURATION")]
    pub timeout: String,
    /// Do not complain about what does not exist.
    #[arg(long)]
    pub ignore_not_found: bool,
}

#[derive(Args)]
pub struct Wait {
    /// TYPE NAME… or TYPE/NAME….
    #[arg(required = true, value_name = "TYPE[/NAME]")]
    pub what: Vec<String>,
    /// condition=NAME[=VALUE], delete, create, or jsonpath={.path}=VALUE.
    #[arg(long = "for", required = true, value_name = "STATE")]
    pub state: String,
    /// How long to wait.
    #[arg(long, default_value = "30s", value_name = "DURATION")]
    pub timeout: String,
}

#[derive(Args)]
pub struct Logs {
    #[command(flatten)]
    pub target: Target,
    /// Only lines of this application.
    #[arg(short, long, value_name = "NAME")]
    pub application: Option<String>,
    /// Go on as lines come.
    #[arg(short, long)]
    pub follow: bool,
    /// Only the last lines.
    #[arg(long, value_name = "LINES")]
    pub tail: Option<u32>,
}

#[derive(Args)]
pub struct Messages {
    #[command(flatten)]
    pub target: Target,
    /// Only messages of this application.
    #[arg(short, long, value_name = "NAME")]
    pub application: Option<String>,
    /// Only messages of this topic.
    #[arg(long, value_name = "TOPIC")]
    pub topic: Option<String>,
    /// Go on as messages come.
    #[arg(short, long)]
    pub follow: bool,
    /// Only the last messages.
    #[arg(long, value_name = "MESSAGES")]
    pub tail: Option<u32>,
    /// Only messages with this number or a higher one.
    #[arg(long, value_name = "NUMBER")]
    pub since_seq: Option<u64>,
    /// Form of the output: json, one object a line.
    #[arg(short, long, value_name = "FORMAT")]
    pub output: Option<String>,
}

#[derive(Args)]
pub struct Send {
    /// Device, as NAME or TYPE/NAME; a VirtualDevice stands for its Device.
    #[arg(value_name = "[TYPE/]NAME")]
    pub device: String,
    /// What it is about: at most 32 bytes.
    pub topic: String,
    /// The message, as text.
    #[arg(required_unless_present = "file", conflicts_with = "file")]
    pub payload: Option<String>,
    /// File with the message, or - for standard input: at most 256 bytes.
    #[arg(short, long, value_name = "FILE")]
    pub file: Option<PathBuf>,
}

#[derive(Args)]
pub struct Target {
    /// NAME, TYPE/NAME or TYPE NAME.
    #[arg(required = true, num_args = 1..=2, value_name = "[TYPE/]NAME")]
    pub what: Vec<String>,
}

impl Target {
    /// The object in the form TYPE/NAME, or NAME.
    pub fn word(&self) -> String {
        self.what.join("/")
    }
}

/// A VirtualDevice, and how long it may take to follow.
#[derive(Args)]
pub struct Follow {
    #[command(flatten)]
    pub target: Target,
    /// How long to wait until the board has followed.
    #[arg(long, default_value = "60s", value_name = "DURATION")]
    pub timeout: String,
}

/// How bad a line is, in the words of `tc netem`. What is not named is perfect.
#[derive(Args)]
pub struct Connect {
    #[command(flatten)]
    pub follow: Follow,
    /// Share that is lost: of frames on a cable, of bytes on a serial line.
    #[arg(long, value_name = "PERCENT")]
    pub loss: Option<String>,
    /// Share that arrives twice.
    #[arg(long, value_name = "PERCENT")]
    pub duplicate: Option<String>,
    /// Share that arrives with one bit changed.
    #[arg(long, value_name = "PERCENT")]
    pub corrupt: Option<String>,
    /// Time that everything is under way, on each way, such as 50ms.
    #[arg(long, value_name = "DURATION")]
    pub delay: Option<String>,
    /// By how much that is longer or shorter at most, such as 10ms.
    #[arg(long, value_name = "DURATION", requires = "delay")]
    pub jitter: Option<String>,
    /// Let nothing pass on a way, and tell nobody.
    #[arg(long, value_enum, value_name = "WAY")]
    pub partition: Option<Partition>,
    /// What decides what exactly is harmed; else it follows from the object.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(i64).range(0..=9_007_199_254_740_991))]
    pub seed: Option<i64>,
}

/// Ways on which nothing passes.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Partition {
    /// Nothing comes from the device.
    Up,
    /// Nothing reaches the device.
    Down,
    /// Nothing passes at all.
    Both,
}

#[derive(Args)]
pub struct Power {
    #[command(subcommand)]
    pub command: PowerCommand,
}

#[derive(Subcommand)]
pub enum PowerCommand {
    /// Let the board run.
    On(Follow),
    /// Cut the power at once: the firmware is not asked.
    Off(Follow),
    /// Cut the power, and give it again.
    Cycle(Follow),
}

#[derive(Args)]
pub struct ConsoleLog {
    #[command(flatten)]
    pub target: Target,
    /// Go on as lines come.
    #[arg(short, long)]
    pub follow: bool,
    /// Only the last lines.
    #[arg(long, value_name = "LINES")]
    pub tail: Option<usize>,
}

#[derive(Args)]
pub struct Link {
    /// Serial device of the board's uplink, such as /dev/ttyUSB0; waited for while it is not there.
    #[arg(long, value_name = "DEVICE")]
    pub serial: PathBuf,
    /// The gateway.
    #[arg(long, value_name = "HOST:PORT")]
    pub gateway: String,
    /// Bits a second, of all serial devices given here.
    #[arg(long, default_value_t = 115_200, value_name = "NUMBER")]
    pub baud: u32,
    /// Where the board's console goes: a file, or - for standard output.
    #[arg(long, default_value = "-", value_name = "FILE")]
    pub console: PathBuf,
    /// Serial device of the board's flash line, served from the file given with --flash.
    #[arg(long, value_name = "DEVICE", requires = "flash", requires = "board")]
    pub flash_serial: Option<PathBuf>,
    /// File of the flash, as `wasmbed provision` writes it; made, erased, if it does not exist.
    #[arg(long, value_name = "FILE", requires = "flash_serial")]
    pub flash: Option<PathBuf>,
    /// Board that the flash belongs to.
    #[arg(long, value_name = "NAME", requires = "flash_serial")]
    pub board: Option<String>,
    /// Serial device of the board's entropy line, fed from this machine's random source.
    #[arg(long, value_name = "DEVICE")]
    pub entropy_serial: Option<PathBuf>,
    /// Write all that passes the uplink to this file, as pcap.
    #[arg(long, value_name = "FILE")]
    pub capture: Option<PathBuf>,
}

#[derive(Args)]
pub struct New {
    /// Folder of the project; its last part is the project's name.
    #[arg(value_name = "NAME")]
    pub path: PathBuf,
    /// What it begins with.
    #[arg(short, long, value_enum, default_value = "rust", value_name = "TEMPLATE")]
    pub template: Template,
}

/// What a project begins with.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Template {
    /// Rust without the standard library: the smallest guests, for every board.
    Rust,
    /// An ordinary Rust program with `fn main`, for boards with 128 KB of RAM for guests.
    RustStd,
    /// C without a library, for every board.
    C,
}

#[derive(Args)]
pub struct Build {
    /// Folder of the project.
    #[arg(default_value = ".", value_name = "FOLDER")]
    pub folder: PathBuf,
    /// Where the module goes; else beside the project's manifest, under the project's name.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Stack of a C guest; Rust's stands in the project's .cargo/config.toml.
    #[arg(long, default_value_t = 1024, value_name = "BYTES")]
    pub stack: u32,
}

#[derive(Args)]
pub struct Run {
    /// Modules, or folders of projects, which are built first; the project here if none is given.
    #[arg(value_name = "FILE|FOLDER")]
    pub guests: Vec<PathBuf>,
    /// Run here, without a device. Devices run what `wasmbed apply` gives them.
    #[arg(long)]
    pub local: bool,
    /// What guests may do, as an Application would grant it: log, led:0, telemetry:room/. Without
    /// any, what the app.yaml beside a module grants.
    #[arg(short, long = "grant", value_name = "GRANT")]
    pub grants: Vec<String>,
    /// Board whose RAM and pins there are.
    #[arg(long, default_value = "mps2-an385", value_name = "NAME")]
    pub board: String,
    /// When the run is over, such as 10s; else when all guests have ended, or at Ctrl-C.
    #[arg(long = "for", value_name = "DURATION")]
    pub run_for: Option<String>,
    /// WebAssembly operators after which a guest traps.
    #[arg(long, value_name = "OPERATORS")]
    pub fuel: Option<u64>,
    /// How often a circle of calls may go round before it traps; else as often as 4 KB of stack allow.
    #[arg(long, value_name = "ROUNDS")]
    pub recursion_depth: Option<u32>,
    /// Argument of the guests; may be given more than once.
    #[arg(long = "arg", value_name = "TEXT")]
    pub args: Vec<String>,
    /// Environment variable of the guests; may be given more than once.
    #[arg(long = "env", value_name = "NAME=VALUE")]
    pub env: Vec<String>,
    /// File that keeps what guests store; else it is gone with the run.
    #[arg(long, value_name = "FILE")]
    pub flash: Option<PathBuf>,
    /// A sensor on the I2C bus.
    #[arg(long = "sensor", value_name = "tmp105@ADDRESS=DEGREES")]
    pub sensors: Vec<String>,
    /// Press a button so long after the start.
    #[arg(long = "press", value_name = "BUTTON@TIME")]
    pub presses: Vec<String>,
    /// Give a message so long after the start, as if from the cloud.
    #[arg(long = "message", value_name = "TOPIC=PAYLOAD@TIME")]
    pub messages: Vec<String>,
    /// Bytes that come in over serial line 0 so long after the start.
    #[arg(long = "uart", value_name = "TEXT@TIME")]
    pub typed: Vec<String>,
}

#[derive(Args)]
pub struct Image {
    #[command(subcommand)]
    pub command: ImageCommand,
}

#[derive(Subcommand)]
pub enum ImageCommand {
    /// Show sizes, imports and the capabilities they need, exports, and which boards it fits.
    Inspect {
        /// A WebAssembly module or a prepared image.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Show the code too, with the module's function names and offsets.
        #[arg(short, long)]
        disassemble: bool,
        /// How often a circle of calls may go round before it traps; 0: as often as 4 KB of stack allow.
        #[arg(long, default_value_t = 0, value_name = "ROUNDS")]
        recursion_depth: u32,
        /// Form of the output: json.
        #[arg(short, long, value_name = "FORMAT")]
        output: Option<String>,
    },
}

#[derive(Args)]
pub struct DeviceGroup {
    #[command(subcommand)]
    pub command: DeviceCommand,
}

#[derive(Subcommand)]
pub enum DeviceCommand {
    /// Let the device have sessions: approves one that waits, or takes a denial back.
    Enable(Target),
    /// End the device's session within a second, and deny it others. Its key stays known.
    Disable(Target),
}

#[derive(Args)]
pub struct Completion {
    /// Shell to complete for.
    pub shell: clap_complete::Shell,
}

impl Completion {
    /// Writes the script to standard output.
    pub fn print(&self) -> std::io::Result<()> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Arguments::command(), "wasmbed", &mut script);
        std::io::stdout().write_all(&script)
    }
}

#[derive(Args)]
pub struct Version {
    /// Form of the output: json.
    #[arg(short, long, value_name = "FORMAT")]
    pub output: Option<String>,
    /// Only this program's version; ask no server.
    #[arg(long)]
    pub client: bool,
}

/// What `up` and every role share.
#[derive(Args, Clone)]
pub struct Settings {
    /// Folder of everything that is kept; else the user's state folder.
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Folder with the firmware of each board.
    #[arg(long, env = "WASMBED_BOARDS", value_name = "DIR")]
    pub boards: Option<PathBuf>,
    /// Write all that passes a virtual cable or serial line to `wire.pcap` beside the board's flash.
    #[arg(long)]
    pub capture: bool,
    /// Name of the Gateway object.
    #[arg(long, default_value = "gateway", value_name = "NAME")]
    pub gateway: String,
    /// Where devices connect; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0", value_name = "ADDRESS")]
    pub gateway_address: SocketAddr,
    /// Where the API server connects for live data.
    #[arg(long, default_value = "127.0.0.1:0", value_name = "ADDRESS")]
    pub live_address: SocketAddr,
    /// Where probes and Prometheus connect.
    #[arg(long, default_value = "127.0.0.1:0", value_name = "ADDRESS")]
    pub health_address: SocketAddr,
}

#[derive(Args)]
pub struct Up {
    #[command(flatten)]
    pub settings: Settings,
    /// Where the embedded API server listens; port 0 takes a free one. Not with --kubeconfig.
    #[arg(long, default_value = "127.0.0.1:0", value_name = "ADDRESS")]
    pub api_address: SocketAddr,
}

#[derive(Args)]
pub struct Serve {
    /// The role.
    #[arg(value_enum)]
    pub role: Role,
    #[command(flatten)]
    pub settings: Settings,
    /// Where the embedded API server listens.
    #[arg(long, default_value = "127.0.0.1:0", value_name = "ADDRESS")]
    pub api_address: SocketAddr,
}

/// One service of the platform.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Role {
    /// The embedded API server.
    Apiserver,
    /// Where devices connect.
    Gateway,
    /// Prepares, signs and adds up.
    Controllers,
    /// Boots VirtualDevices.
    Qemu,
}

/// A Gateway and its namespace.
#[derive(Args, Clone)]
pub struct GatewayName {
    /// Name of the Gateway.
    #[arg(long, default_value = "gateway", value_name = "NAME")]
    pub gateway: String,
    /// Its namespace.
    #[arg(long = "gateway-namespace", default_value = "default", value_name = "NAME")]
    pub namespace: String,
}

#[derive(Args)]
pub struct Provision {
    /// File of the flash; made if it does not exist.
    #[arg(long, value_name = "FILE")]
    pub flash: PathBuf,
    /// Board that the flash belongs to.
    #[arg(long, value_name = "NAME")]
    pub board: String,
    /// Address and port of the gateway, as the device reaches it.
    #[arg(long, value_name = "IPV4:PORT")]
    pub address: SocketAddrV4,
    #[command(flatten)]
    pub gateway: GatewayName,
    /// File with the enrolment token, or - for standard input.
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// The device's own address on a network without DHCP, and its router.
    #[arg(long, value_name = "IPV4/BITS[,ROUTER]")]
    pub station: Option<String>,
    /// Folder with the keys of the fleet; else the user's state folder.
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
}

#[derive(Args)]
pub struct Certs {
    /// Folder with the keys of the fleet; else the user's state folder.
    #[arg(long, global = true, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    #[command(subcommand)]
    pub command: CertsCommand,
}

#[derive(Subcommand)]
pub enum CertsCommand {
    /// Show all keys and certificates, without the private parts.
    List {
        /// Form of the output: json.
        #[arg(short, long, value_name = "FORMAT")]
        output: Option<String>,
    },
    /// Make a gateway's certificate, if it has none that is good.
    Issue(GatewayName),
    /// Make a key and its certificate anew.
    Rotate {
        /// Which.
        #[arg(value_enum)]
        what: Rotatable,
        #[command(flatten)]
        gateway: GatewayName,
    },
}

/// What can be made anew.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Rotatable {
    /// The certificate that devices see.
    Gateway,
    /// The certificate that the API server sees.
    LiveServer,
    /// The certificate that the API server shows.
    FrontProxy,
    /// The key that devices pin for gateways.
    FleetCa,
    /// The key that devices pin for images.
    ImageSigner,
}

#[derive(Args)]
pub struct Doctor {
    /// Form of the output: json.
    #[arg(short, long, value_name = "FORMAT")]
    pub output: Option<String>,
    /// Folder with the firmware of each board.
    #[arg(long, env = "WASMBED_BOARDS", value_name = "DIR")]
    pub boards: Option<PathBuf>,
}
