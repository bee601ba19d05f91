//! Python interpreters: finding the one for a spec, the facts that each reports about itself, and
//! the wheel tags that follow from these.

mod binary;
mod candidate;
mod choice;
mod cross;
mod default;
mod facts;
mod find;
mod free_threading;
mod probe;
mod pyenv;
mod search_settings;
mod tags;
mod version;

pub use binary::{next_on_path, next_python_on_path};
pub use choice::{InterpreterChoice, Source, Taken};
pub use facts::{Abi, Facts, Libc, byte_code_version, library_name, title_of_version};
pub use find::find;
pub use search_settings::search_settings;
pub use tags::{Tag, Tags};

#[cfg(test)]
pub(crate) use facts::tests;
