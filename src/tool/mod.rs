//! One file for each `-vpython-tool`. A tool gets the environment that the command line asks for,
//! and does one thing with it.

pub mod additions;
mod audit;
pub mod check;
pub mod documents;
mod elf;
pub mod exec;
pub mod explain;
pub mod export;
pub mod fetch;
mod include;
pub mod install;
mod interpreter_copy;
pub mod list;
pub mod local_venv;
pub mod lock;
pub mod pack;
pub mod pack_manifest;
pub mod prune;
pub mod relocate;
pub mod unpack;
pub mod upgrade;
pub mod verify;
