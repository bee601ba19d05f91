//! vpython runs a Python program in exactly the environment that the program's spec describes.
//!
//! One run is a chain of values. Each stage produces the value of the same name from the previous
//! one:
//!
//! ```text
//!  argv, env, cwd ─▶ Invocation ─▶ Spec ─▶ Plan ─▶ Key ─▶ Entry ─▶ Handoff ─▶ (execve)
//! ```
//!
//! | module | contents |
//! |---|---|
//! | [`cli`] | the command line: version, help, bypass; a tool or a run of python |
//! | [`tool`] | one file for each `-vpython-tool` |
//! | [`portable`] | environments that leave the store: exported, packed, unpacked; relocating those of other tools |
//! | [`launch`] | one run, warm path first |
//! | [`exec`] | replacing the process with python |
//! | [`build`] | unpacking wheels with their scripts, linking environments; never on the warm path |
//! | [`packed`] | archives and images that `pack` has written, and their extraction |
//! | [`memo`] | what an earlier launch found, and whether it is still valid |
//! | [`store`] | environments and unpacked wheels, by key and digest; build locks, pruning |
//! | [`plan`] | the resolution on this machine: one interpreter, each wheel, the key |
//! | [`remote`] | package indexes and registries, by HTTP; used only where the user asks for that |
//! | [`wheel`] | file names, archives, metadata and RECORD of wheels |
//! | [`interpreter`] | finding interpreters, their facts and wheel tags |
//! | [`spec`] | the requirements, and the location where each is written |
//! | [`invocation`] | the command line: vpython's flags, python's arguments and the target |
//! | [`oci`] | image layouts on disk, and the documents and references of registries |
//! | [`process`], [`report`], [`fs`] | process inputs, output to the user, file system access |
//!
//! Each module may use the modules below it in the table and no others, except that [`exec`] does
//! not use [`build`]. `main` calls [`cli`]. A test enforces these dependencies.

#![allow(
    rustdoc::private_intra_doc_links,
    reason = "the documentation is built with private items"
)]

mod build;
mod cli;
mod exec;
mod fs;
mod interpreter;
mod invocation;
mod launch;
mod memo;
mod oci;
mod packed;
mod plan;
mod portable;
mod process;
mod remote;
mod report;
mod spec;
mod store;
mod tool;
mod wheel;

use std::ffi::OsString;

/// Runs a command line of this process, which starts with the name of the program. Returns its exit
/// code, unless the process becomes python.
#[must_use]
pub fn run(words: impl Iterator<Item = OsString>) -> i32 {
    let process = process::Process::capture(words);
    if let Some(name) = &process.name {
        report::set_program(name);
    }
    let code = cli::run(&process).unwrap_or_else(|error| {
        report::error(&error);
        report::exit_code(&error)
    });
    report::log::finish_trace();
    code
}

/// The internals that tests, benches and fuzz targets use. Not an interface: it changes without
/// notice.
#[doc(hidden)]
#[allow(
    missing_docs,
    reason = "each item has its documentation where it is defined"
)]
pub mod testing {
    pub mod build {
        pub use crate::build::{Compile, Fetched, environment, unpack};
    }
    pub mod fs {
        pub use crate::fs::{Digest, read_memo, read_own_json, seal, write_memo};
    }
    pub mod interpreter {
        pub use crate::interpreter::{Facts, Tags};
    }
    pub mod invocation {
        pub use crate::invocation::{Chosen, Invocation, Relocate};
    }
    pub mod memo {
        pub use crate::memo::{Memo, MemoName};
    }
    pub mod oci {
        pub use crate::oci::{Reference, RegistryReference, Version};
    }
    pub mod plan {
        pub use crate::plan::{
            Evidence, Key, Plan, PlannedWheel, choose_wheels, find_interpreter, make,
        };
    }
    pub mod portable {
        pub use crate::packed::extract;
        pub use crate::packed::manifest::PackManifest;
        pub use crate::packed::member::Member;
    }
    pub mod process {
        pub use crate::process::{Process, variable};
    }
    pub mod remote {
        pub use crate::remote::{
            Client, Content, ContentRange, Range, RemoteUrl, Request, Response, Settings,
        };
        pub mod index {
            pub use crate::remote::index::{
                Format, Index, IndexFile, IndexSettings, Listing, Options, Project, Transport,
                WheelMetadata, parse_page,
            };
        }
        pub mod registry {
            pub use crate::remote::registry::{
                BlobSource, BlobToPush, FoundManifest, Pushed, Registry, Sent,
            };
        }
    }
    pub mod report {
        pub use crate::report::{one_line, render};
    }
    pub mod spec {
        pub use crate::spec::{
            Origin, Packages, Platform, Spec, SpecKind, SpecText, Target, TargetPython, find,
        };
        pub mod upgrade {
            pub use crate::spec::upgrade::{Legacy, Planned};
        }
    }
    pub mod store {
        pub use crate::store::{Manifest, Store};
    }
    pub mod tool {
        pub use crate::tool::relocate;
    }
    pub mod wheel {
        pub use crate::wheel::requires_dist;
    }
}
