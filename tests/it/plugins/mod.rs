//! The plugin host (rows X54 to X57, R31): components that keep the contract, and those that do their worst.
//!
//! [`guest`] makes components of WAT; `home` is a folder with plugins and a host. Then `loading` (what is refused, and why), `hostile` (what a call may
//! cost), `calls` (what is asked and answered), `exchange` (reload), `vectors`.

mod calls;
mod exchange;
pub mod guest;
mod home;
mod hostile;
mod loading;
mod vectors;
