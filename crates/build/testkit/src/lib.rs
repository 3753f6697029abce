//! Simulated clock, network, gateway and hardware: a whole device with real TLS and real images in
//! one thread, the same at each run of a seed. For tests only; a broken set-up panics.

mod applications;
mod cable;
mod choices;
pub mod desk;
mod gateway;
mod heard;
pub mod modules;
mod platform;
mod world;

pub use applications::{Application, Vendor, grants_of, image_of};
pub use cable::Cable;
pub use choices::Choices;
pub use gateway::{Gateway, Reply};
pub use heard::{Beat, Heard};
pub use platform::SimulatedPlatform;
pub use world::{GUESTS, World};
