//! The `wasmbed` binary: reads the command line and joins the parts. Decides nothing itself.

mod apply;
mod arguments;
mod build;
mod certs;
mod client;
mod console;
mod create;
mod delete;
mod describe;
mod doctor;
mod documents;
mod get;
mod image;
mod kinds;
mod link;
mod logs;
mod messages;
mod new;
mod operate;
mod output;
mod platform;
mod provision;
mod run;
mod table;
mod version;
mod virtual_device;
mod wait;

use std::process::ExitCode;

use clap::Parser;

use arguments::{Arguments, Command};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let result = match runtime {
        Ok(runtime) => runtime.block_on(run(arguments)),
        Err(error) => Err(error.into()),
    };
    match result {
        Ok(code) => code,
        Err(error) if output::reader_left(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}", output::error_text(&error));
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    // Two TLS back ends may be compiled in by dependencies; this one is ours.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let scope = arguments.scope;
    match arguments.command {
        Command::Get(get) => get::run(&scope, &get).await,
        Command::Describe(describe) => describe::run(&scope, &describe).await,
        Command::Apply(apply) => apply::run(&scope, &apply).await,
        Command::Create(create) => create::run(&scope, &create).await,
        Command::Delete(delete) => delete::run(&scope, &delete).await,
        Command::Wait(wait) => wait::run(&scope, &wait).await,
        Command::Logs(logs) => logs::run(&scope, &logs).await,
        Command::Messages(messages) => messages::run(&scope, &messages).await,
        Command::Send(send) => messages::send(&scope, &send).await,
        Command::Restart(target) => operate::restart(&scope, &target).await,
        Command::Reboot(target) => operate::reboot(&scope, &target).await,
        Command::Ping(target) => operate::ping(&scope, &target).await,
        Command::Counters(target) => operate::counters(&scope, &target).await,
        Command::Connect(connect) => virtual_device::connect(&scope, &connect).await,
        Command::Disconnect(follow) => virtual_device::disconnect(&scope, &follow).await,
        Command::Power(power) => virtual_device::power(&scope, &power).await,
        Command::Reset(follow) => virtual_device::reset(&scope, &follow).await,
        Command::Console(console) => console::run(&scope, &console).await,
        Command::Link(link) => link::run(&link).await,
        Command::New(new) => new::run(&new),
        Command::Build(build) => build::run(&build),
        Command::Run(run) => run::run(&run).await,
        Command::Image(image) => image::run(&image),
        Command::Device(group) => operate::device(&scope, &group).await,
        Command::Up(up) => platform::up::run(&scope, &up).await,
        Command::Serve(serve) => platform::serve::run(&scope, &serve).await,
        Command::Provision(provision) => provision::run(&provision),
        Command::Certs(certs) => certs::run(&certs),
        Command::Doctor(doctor) => doctor::run(&scope, &doctor).await,
        Command::Completion(completion) => {
            completion.print()?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Version(version) => version::run(&scope, &version).await,
    }
}
