//! Compiling what a program imports, while its environment is built.
//!
//! On import, python compiles one source after the other. The first launch of a program compiles them on all
//! processors, from when their wheels are unpacked, while others are still being downloaded. It guesses which
//! they are: those of the modules that the program imports, and that these import. Python would write the
//! same byte code, compared with time and size of the source; it writes what the guess has missed. The byte
//! code is on disk before the environment has its name, and other launches that wait for the environment
//! find it there too.

use std::mem;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use rayon::prelude::*;
use tracing::{debug, info_span};

use super::compiler::Compiler;
use super::modules::{Module, Modules};
use super::program::{Program, read};
use super::server::Form;
use super::wheel::{directory_in, path_of_code};
use crate::build::unpacked::UnpackedWheel;
use crate::build::venv::DIRECTORY_MODE;
use crate::fs;
use crate::interpreter::Facts;
use crate::process::{Process, threads};
use crate::report::progress;

/// The size of all sources, in bytes, from which other processes are faster than python itself.
const WORTHWHILE: u64 = 256 << 10;
/// The number of modules that are searched at once.
const MODULES: usize = 16;
/// The place of the source's modification time in byte code (PEP 552), in seconds.
const TIME: std::ops::Range<usize> = 8..12;
/// The time for which a launch waits, at most, until everything is compiled.
const LONGEST: Duration = Duration::from_secs(3);

/// Compiles what a program imports, on threads of its own, as many as there are processors.
pub struct Imports {
    /// The version of python that the byte code is for.
    version: String,
    compiler: Compiler,
    state: Mutex<State>,
    /// Wakes the threads.
    changed: Condvar,
}

struct State {
    modules: Modules,
    /// Whether a wheel has no byte code in the store. Otherwise the environment gets that.
    is_needed: bool,
    /// Whether the interpreter cannot compile now.
    has_failed: bool,
    /// The number of threads that were started, and of those that work.
    threads: usize,
    busy: usize,
    /// The time after which no more work begins.
    end: Option<Instant>,
    /// Whether the threads are to end.
    is_closed: bool,
    compiled: Vec<Compiled>,
}

/// A file of byte code.
struct Compiled {
    /// The source, relative to site-packages.
    source: String,
    /// The file, relative to site-packages.
    path: String,
    code: Vec<u8>,
}

/// The work of a thread.
enum Job {
    /// To search modules for imports.
    Search(Vec<Module>),
    /// To compile sources in this directory.
    Compile(PathBuf, Vec<String>),
}

impl Imports {
    /// Does some work, and compiles what the wheels that it hands over have of a program's imports. Compiles
    /// nothing with only one processor, or if the program imports nothing.
    ///
    /// # Errors
    /// Those of `work`.
    pub fn during<T>(
        program: Program,
        interpreter: &Facts,
        process: &Process,
        work: impl FnOnce(Option<&Self>) -> Result<T>,
    ) -> Result<T> {
        let processors = rayon::current_num_threads();
        let version = interpreter.byte_code_version();
        let Some(version) = version.filter(|_| processors > 1) else {
            return work(None);
        };
        let modules = Modules::of(program);
        if modules.is_empty() {
            return work(None);
        }
        let imports = Self {
            version,
            compiler: Compiler::new(
                interpreter.executable.clone(),
                process.environment.clone(),
                Form::Timed,
            ),
            state: Mutex::new(State {
                modules,
                is_needed: false,
                has_failed: false,
                threads: 0,
                busy: 0,
                end: None,
                is_closed: false,
                compiled: Vec::new(),
            }),
            changed: Condvar::new(),
        };
        std::thread::scope(|scope| {
            for _ in 0..processors {
                let started = threads::spawn_scoped(scope, || imports.run());
                imports.state().threads += usize::from(started.is_some());
            }
            let end = End(&imports);
            work(Some(end.0))
        })
    }

    /// Hands over a wheel that is unpacked.
    pub(in crate::build) fn add(&self, wheel: &UnpackedWheel) {
        let is_compiled = fs::exists(&directory_in(wheel, &self.version));
        let mut state = self.state();
        state.is_needed |= !is_compiled;
        state.modules.add(wheel);
        if state.has_job() {
            drop(state);
            self.changed.notify_all();
        }
    }

    /// Waits until everything is compiled, and adds it to an environment that no other process knows of
    /// yet. If it does not fit on the disk, nothing is added: python goes on without, too.
    ///
    /// # Errors
    /// A part of the byte code cannot be removed again.
    pub(in crate::build) fn add_to(&self, environment: &Path, interpreter: &Facts) -> Result<()> {
        let mut state = self.state();
        let _compiling = state.can_compile().then(|| {
            progress::phase("compiling");
            info_span!("compile the imports").entered()
        });
        state.end = Some(Instant::now() + LONGEST);
        let is_working = |state: &mut State| state.is_working();
        let state = self.changed.wait_while(state, is_working);
        let mut state = state.unwrap_or_else(PoisonError::into_inner);
        let mut compiled = mem::take(&mut state.compiled);
        compiled.retain(|compiled| state.modules.is_unique(&compiled.source));
        drop(state);
        debug!(
            sources = compiled.len(),
            "compiled what the program imports"
        );
        let site = environment.join(&interpreter.site_packages);
        compiled.retain(|compiled| compiled.has_place(&site));
        let written = compiled
            .par_iter_mut()
            .try_for_each(|compiled| compiled.write(&site));
        if let Err(error) = written {
            debug!("adds no byte code of imports: {error:#}");
            let mut paths = compiled.iter().map(|compiled| site.join(&compiled.path));
            paths.try_for_each(|path| fs::remove_file(&path))?;
        }
        Ok(())
    }

    /// Does jobs until the threads are to end.
    fn run(&self) {
        while let Some(job) = self.next() {
            let busy = Busy(self);
            match job {
                Job::Search(modules) => {
                    let imports = modules.iter().flat_map(|module| {
                        let text = read(&module.source).unwrap_or_default();
                        module.imports(&text)
                    });
                    let names: Vec<String> = imports.collect();
                    self.state().modules.look_up(names);
                }
                Job::Compile(directory, sources) => {
                    let compiled = self.compile(&directory, &sources);
                    self.state().compiled.extend(compiled);
                }
            }
            drop(busy);
        }
    }

    /// Waits for a job. Returns none if the threads are to end.
    fn next(&self) -> Option<Job> {
        let has_none = |state: &mut State| !state.is_closed && !state.has_job();
        let state = self.changed.wait_while(self.state(), has_none);
        let mut state = state.unwrap_or_else(PoisonError::into_inner);
        if state.is_closed {
            return None;
        }
        state.busy += 1;
        let found = &mut state.modules.found;
        Some(if found.is_empty() {
            let (directory, sources) = state.modules.take_sources();
            Job::Compile(directory, sources)
        } else {
            let start = found.len().saturating_sub(MODULES);
            Job::Search(found.split_off(start))
        })
    }

    /// Compiles sources in a directory, up to the first that crashes the interpreter or takes too long.
    /// After another error, nothing more is compiled.
    fn compile(&self, directory: &Path, sources: &[String]) -> Vec<Compiled> {
        let mut found = Vec::new();
        let names: Vec<&str> = sources.iter().map(String::as_str).collect();
        let done = self.compiler.run(directory, &names, &mut |compiled| {
            found.extend(path_of_code(compiled).map(|path| Compiled {
                source: compiled.name.to_owned(),
                path,
                code: compiled.code.to_vec(),
            }));
            ensure!(!self.state().is_late(), "it takes too long");
            Ok(())
        });
        if let Err(error) = done {
            debug!("compiles no more imports: {error:#}");
            self.state().has_failed = true;
        }
        found
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Checks whether a thread can work now.
    fn has_job(&self) -> bool {
        let can_compile = self.can_compile() && self.modules.has_sources();
        (can_compile || !self.modules.found.is_empty()) && !self.is_late()
    }

    /// Checks whether what is found is to be compiled.
    fn can_compile(&self) -> bool {
        self.is_needed && !self.has_failed && self.modules.size >= WORTHWHILE
    }

    /// Checks whether a thread works, or soon will.
    fn is_working(&self) -> bool {
        self.busy > 0 || self.threads > 0 && self.has_job()
    }

    fn is_late(&self) -> bool {
        self.end.is_some_and(|end| Instant::now() > end)
    }
}

impl Compiled {
    /// Checks whether no wheel has a file at this place, or one in place of its directory.
    fn has_place(&self, site: &Path) -> bool {
        let path = site.join(&self.path);
        !fs::exists(&path) && !path.parent().is_some_and(fs::is_file)
    }

    /// Writes the byte code next to its source, if that is there.
    fn write(&mut self, site: &Path) -> Result<()> {
        let Some(source) = fs::metadata(&site.join(&self.source))? else {
            return Ok(());
        };
        // Python compares the lowest four bytes.
        let time = source.mtime().to_le_bytes();
        if let Some(place) = self.code.get_mut(TIME) {
            place.copy_from_slice(&time[..TIME.len()]);
        }
        let path = site.join(&self.path);
        fs::create_dir_all(path.parent().unwrap_or(site), DIRECTORY_MODE)?;
        fs::write_new(&path, &self.code, 0o444)
    }
}

/// A thread that works.
struct Busy<'a>(&'a Imports);

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.state().busy -= 1;
        self.0.changed.notify_all();
    }
}

/// Lets the threads end, also after an error or a panic.
struct End<'a>(&'a Imports);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.compiler.stop();
        self.0.state().is_closed = true;
        self.0.changed.notify_all();
    }
}
