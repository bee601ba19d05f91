//! One run of vpython, in order. The warm road is short and comes first; the cold road is entered
//! only where it ends.

mod account;
mod install;
mod throw_away;

use std::convert::Infallible;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::time::Instant;

use anyhow::Result;
use tracing::info_span;

use crate::build::{self, Sharing};
use crate::exec::Handoff;
use crate::fs;
use crate::invocation::{self, Action, Check, Export, Invocation, LogLevel, Pack, Target, Tool};
use crate::plan::{self, Evidence, Key, Plan, interpreter};
use crate::process::{Process, variable};
use crate::report::{self, Failure, Kind, log, progress};
use crate::spec::{self, Spec, SpecText};
use crate::store::{Entry, Inputs, MemoName, Store};
use crate::tool;
use crate::tool::additions::Wanted;
use crate::tool::explain::Explanation;

/// The one text that `VPYTHON_BYPASS` acts on unless `vpython.conf` has another, which LUCI's users
/// have set where there is no bundled python.
const BYPASS: &str = "manually managed python not supported by chrome operations";

/// Does what the process was called for. Where that is to run python, this returns only if it
/// failed; else it returns the exit code.
///
/// # Errors
/// Whatever kept the program from being run; [`report::exit_code`] tells the exit code.
pub fn run(process: &Process) -> Result<i32> {
    let result = act(process);
    progress::end();
    result
}

fn act(process: &Process) -> Result<i32> {
    let invocation = Invocation::read(process)?;
    if is_bypassed(&invocation, process) {
        start_log(&invocation)?;
        return bypass(&invocation, process);
    }
    if process.setting(variable::PROBE).is_some() {
        return Err(Failure::new("vpython is not an interpreter")
            .kind(Kind::CannotExecute)
            .into());
    }
    if invocation.is_throw_away && throw_away::has_need(&invocation.action) {
        // The log may have a thread, which would be lost by the fork.
        return throw_away::run(invocation, process, follow);
    }
    follow(&invocation, process)
}

/// Does what a command line asks for.
fn follow(invocation: &Invocation, process: &Process) -> Result<i32> {
    start_log(invocation)?;
    match (&invocation.action, &invocation.target) {
        (Action::Version, _) => print(&format!("vpython {}\n", env!("CARGO_PKG_VERSION"))),
        (Action::Help, _) => help(invocation, process),
        (Action::ToolHelp(help), _) => print(help),
        (Action::Tool(tool), _) => run_tool(tool, invocation, process),
        (Action::Run, Target::Information) => {
            run_without_environment(invocation, process).map(never)
        }
        (Action::Run, _) => {
            run_python(&prepare(invocation, process)?, invocation, process).map(never)
        }
    }
}

/// An environment that stands, locked for use, and what its python is to be told.
struct Ready {
    entry: Entry,
    python_path: Vec<PathBuf>,
    /// Whether it was built just now.
    is_built: bool,
    /// What only a cold launch finds out, and only `install` says.
    remarks: Option<Vec<String>>,
}

/// Finds the environment that a command line asks for: as the last launch like it did, or from the
/// beginning.
fn prepare(invocation: &Invocation, process: &Process) -> Result<Ready> {
    let spec = info_span!("find the spec").in_scope(|| spec::find(invocation, process))?;
    if invocation.action == Action::Tool(Tool::Install) {
        invocation.warn(&spec::unnamed(&spec, "install", invocation, process));
    }
    let ready = prepare_for(&spec, invocation, process)?;
    if invocation.local_venv {
        keep_local_venv(&spec, &ready, invocation)?;
    }
    Ok(ready)
}

fn prepare_for(spec: &SpecText, invocation: &Invocation, process: &Process) -> Result<Ready> {
    let store = Store::open(invocation, process)?;
    let memo = MemoName::of_launch(spec, invocation, process);
    account::of_spec(spec);
    match info_span!("recall the last launch").in_scope(|| store.recall(&memo, process)) {
        Ok((mut known, entry)) => {
            account::of_hit(&entry.path);
            store.renew(&memo, &mut known);
            invocation.warn(spec.warnings.iter().chain(&known.warnings));
            let python_path = known.python_path.into_iter().map(|root| root.0).collect();
            Ok(Ready {
                entry,
                python_path,
                is_built: false,
                remarks: None,
            })
        }
        Err(miss) => {
            account::of_miss(|| {
                tool::explain::why_missed(
                    miss,
                    &store,
                    &Inputs::of_launch(spec, invocation, process),
                )
            });
            prepare_cold(spec, &store, &memo, invocation, process)
        }
    }
}

/// Has a link beside the spec lead to its environment.
fn keep_local_venv(spec: &SpecText, ready: &Ready, invocation: &Invocation) -> Result<()> {
    let Some(file) = spec.origin.file_on_disk() else {
        invocation
            .warn([&"there is no spec for `-vpython-local-venv` to put a link beside".to_owned()]);
        return Ok(());
    };
    tool::local_venv::keep(file, &ready.entry.path)
}

/// Decides what the spec comes to, builds what is missing, and notes both for the next launch.
fn prepare_cold(
    text: &SpecText,
    store: &Store,
    memo: &MemoName,
    invocation: &Invocation,
    process: &Process,
) -> Result<Ready> {
    if invocation.action == Action::Run
        && invocation.log_level >= Some(LogLevel::Info)
        && let Some(remark) = spec::unnamed(text, "install", invocation, process)
    {
        tracing::info!("{remark}");
    }
    let Decided {
        spec,
        plan,
        mut evidence,
    } = decide(text, store, invocation, process)?;
    let key = Key::of(&plan);
    let mut is_built = false;
    let begin = Instant::now();
    let entry = store.environment(&plan, &key, |staging| {
        is_built = true;
        let warnings = info_span!("build the environment")
            .in_scope(|| build::environment(&plan, store, staging))?;
        invocation.warn(&warnings);
        Ok(())
    })?;
    account::of_environment(&entry.path, is_built.then(|| begin.elapsed()));
    evidence.warnings.splice(0..0, spec.warnings);
    let remarks = Some(tool::install::remarks(&mut evidence, invocation));
    let kept = store.remember(memo, &key, &entry, evidence, &spec.python_path);
    if let Err(error) =
        kept.and_then(|()| store.keep_inputs(&Inputs::of_launch(text, invocation, process), &key))
    {
        tracing::debug!("cannot keep a memo of this launch: {error:#}");
    }
    if is_built && !invocation.is_throw_away {
        progress::phase("pruning the store");
        info_span!("prune by the way")
            .in_scope(|| tool::prune::by_the_way(store, invocation, process));
    }
    Ok(Ready {
        entry,
        python_path: spec.python_path,
        is_built,
        remarks,
    })
}

/// What a spec says, and what it comes to here.
struct Decided {
    spec: Spec,
    plan: Plan,
    evidence: Evidence,
}

fn decide(
    text: &SpecText,
    store: &Store,
    invocation: &Invocation,
    process: &Process,
) -> Result<Decided> {
    let spec = info_span!("parse the spec").in_scope(|| text.parse(process))?;
    // Before anything can fail: a misspelt key may be the reason.
    invocation.warn(text.warnings.iter().chain(&spec.warnings));
    store.prepare()?;
    let (plan, evidence) = plan::make(&spec, invocation, process, &store.memo_directory())?;
    account::of_plan(&plan, &spec, &evidence);
    invocation.warn(&evidence.warnings);
    Ok(Decided {
        spec,
        plan,
        evidence,
    })
}

/// Does with the environment what a tool is for. Each returns the exit code.
fn run_tool(tool: &Tool, invocation: &Invocation, process: &Process) -> Result<i32> {
    if tool.needs_script() {
        refuse_missing_script(&invocation.target, process)?;
    }
    match tool {
        Tool::Check(options) => check(options, invocation, process),
        Tool::Completions => tool::documents::completions(&invocation.words),
        Tool::Exec => run_script(&prepare(invocation, process)?, invocation, process).map(never),
        Tool::Explain(options) => {
            let explanation = Explanation::of_launch(invocation, process);
            invocation.warn(&explanation.warnings);
            invocation.warn(&warnings_of_wheels(&explanation, invocation, process));
            explanation.print(options)
        }
        Tool::Export(options) => export(options, invocation, process),
        Tool::Fetch(options) => tool::fetch::run(options, invocation, process),
        Tool::Install => install::run(invocation, process),
        Tool::List(options) => tool::list::run(options, invocation, process),
        Tool::Lock(options) => tool::lock::run(options, invocation, process),
        Tool::Man => tool::documents::man(&invocation.words, process),
        Tool::Pack(options) => pack(options, invocation, process),
        Tool::Prune(options) => tool::prune::run(options, invocation, process),
        Tool::Relocate(options) => {
            tool::relocate::run(options, &invocation.words, invocation, process)
        }
        Tool::Unpack(options) => tool::unpack::run(options, invocation, process),
        Tool::Upgrade(options) => tool::upgrade::run(options, invocation, process),
        Tool::Verify => {
            let (code, plan) = tool::verify::run(invocation, process)?;
            invocation.warn(
                plan.iter()
                    .flat_map(build::foreseen)
                    .collect::<Vec<_>>()
                    .iter(),
            );
            Ok(code)
        }
    }
}

/// What a build has said of the wheels of an environment, or will say as far as that can be told
/// before.
fn warnings_of_wheels(
    explanation: &Explanation,
    invocation: &Invocation,
    process: &Process,
) -> Vec<String> {
    match (explanation.environment(), Store::look(invocation, process)) {
        (Some(path), Ok(store)) if fs::exists(path) => build::warnings(path, &store),
        _ => explanation
            .plan()
            .map_or_else(Vec::new, |plan| build::foreseen(&plan)),
    }
}

/// A launch leaves it to python to say that there is no script; a tool would not notice.
fn refuse_missing_script(target: &Target, process: &Process) -> Result<()> {
    match target {
        Target::Script(path) if !fs::look_for(&process.absolute(path))? => {
            Err(Failure::new(format!("there is no script `{}`", path.display())).into())
        }
        _ => Ok(()),
    }
}

/// Makes the environment at a place of its own.
fn export(options: &Export, invocation: &Invocation, process: &Process) -> Result<i32> {
    let sharing = if options.copy {
        Sharing::Copied
    } else {
        Sharing::Linked
    };
    with_wanted(sharing, invocation, process, |wanted| {
        tool::export::run(options, wanted, process)
    })
}

/// Makes an archive or a package of the environment.
fn pack(options: &Pack, invocation: &Invocation, process: &Process) -> Result<i32> {
    // What is wrong with the order is told before anything is built.
    let order = tool::pack::Order::read(options, process)?;
    with_wanted(Sharing::Linked, invocation, process, |wanted| {
        tool::pack::run(&order, wanted, process)
    })
}

/// Decides on the environment that is to leave the store, and hands over how to build it.
fn with_wanted(
    sharing: Sharing,
    invocation: &Invocation,
    process: &Process,
    take: impl FnOnce(&Wanted) -> Result<i32>,
) -> Result<i32> {
    let store = Store::open(invocation, process)?;
    let Decided { spec, mut plan, .. } = decide(
        &spec::find(invocation, process)?,
        &store,
        invocation,
        process,
    )?;
    if matches!(
        &invocation.action,
        Action::Tool(Tool::Export(Export { with_pip: true, .. }))
    ) {
        plan::add_pip(&mut plan, &spec, invocation, &store.memo_directory())?;
    }
    let _kept = store.keep_wheels()?;
    take(&Wanted {
        plan: &plan,
        python_path: &spec.python_path,
        store: store.root(),
        build: &|staging| {
            invocation.warn(&build::standalone(
                &plan, &store, sharing, process, staging,
            )?);
            Ok(())
        },
        compile: &|directory| build::compile_directory(&plan.interpreter, directory, process),
    })
}

/// Holds environments against what they were made of; the one of the command line is built anew if
/// it was discarded.
fn check(options: &Check, invocation: &Invocation, process: &Process) -> Result<i32> {
    let outcome = tool::check::run(options, invocation, process, build::check)?;
    if outcome == tool::check::Outcome::Discarded && !options.all {
        tool::install::run(&prepare(invocation, process)?.entry.path)?;
    }
    Ok(outcome.exit_code())
}

/// Becomes the environment's python.
fn run_python(ready: &Ready, invocation: &Invocation, process: &Process) -> Result<Infallible> {
    let Ready {
        entry, python_path, ..
    } = ready;
    hand_off(
        entry,
        Handoff::into_environment(
            &entry.path,
            entry.python(),
            &invocation.words,
            python_path,
            process,
        )?,
    )
}

/// Becomes a script of the environment.
fn run_script(ready: &Ready, invocation: &Invocation, process: &Process) -> Result<Infallible> {
    let Ready {
        entry, python_path, ..
    } = ready;
    hand_off(
        entry,
        tool::exec::handoff(
            &entry.path,
            entry.python(),
            &invocation.words,
            python_path,
            process,
        )?,
    )
}

/// Becomes a program that runs in an environment, and keeps that for as long.
fn hand_off(entry: &Entry, handoff: Handoff) -> Result<Infallible> {
    entry.touch();
    handoff.exec()
}

/// `-h`: our help, then python's; nothing is built.
fn help(invocation: &Invocation, process: &Process) -> Result<i32> {
    print(&format!(
        "{}\nHelp of the interpreter:\n\n",
        invocation::help()
    ))?;
    let interpreter = choose_interpreter(invocation, process)?;
    Handoff::passthrough(interpreter, &["-h".into()], process)
        .exec()
        .map(never)
}

/// Python speaks of itself, or refuses the command line: for that the interpreter will do, without
/// an environment.
fn run_without_environment(invocation: &Invocation, process: &Process) -> Result<Infallible> {
    Handoff::passthrough(
        choose_interpreter(invocation, process)?,
        &invocation.words,
        process,
    )
    .exec()
}

/// The interpreter that the spec gets. Python speaks of itself also where the spec is broken, no
/// interpreter satisfies it, or there can be no store; then it is any interpreter.
fn choose_interpreter(invocation: &Invocation, process: &Process) -> Result<PathBuf> {
    let store = Store::open(invocation, process)
        .and_then(|store| store.prepare().map(|()| store))
        .ok();
    let memo = store.map(|store| store.memo_directory());
    let find = |spec: &Spec| {
        interpreter::find(
            invocation,
            spec,
            process,
            memo.as_deref(),
            &mut Evidence::default(),
        )
    };
    let spec = spec::find(invocation, process)
        .and_then(|text| text.parse(process))
        .unwrap_or_default();
    let facts = find(&spec).or_else(|error| find(&Spec::default()).map_err(|_| error))?;
    Ok(facts.executable)
}

/// Whether the caller wants no vpython. Another text than the one that is acted on is a mistake
/// worth a word.
fn is_bypassed(invocation: &Invocation, process: &Process) -> bool {
    let Some(value) = process.setting(variable::BYPASS) else {
        return false;
    };
    let text = invocation
        .conf
        .bypass
        .as_ref()
        .map_or(BYPASS, |text| &text.value);
    let is_exact = value == OsStr::new(text);
    if !is_exact {
        let value = value.to_string_lossy();
        report::warning(&format!(
            "`{}` is ignored: it is `{value}`, and would have to be `{text}`",
            variable::BYPASS
        ));
    }
    is_exact
}

/// Runs the next python on `PATH`, untouched. A tool does nothing then, as LUCI's did, so that a CI
/// step may stay where it is; but what explains a launch says so, and what runs a program runs it.
fn bypass(invocation: &Invocation, process: &Process) -> Result<i32> {
    match &invocation.action {
        Action::Tool(Tool::Explain(options)) => {
            return Explanation::of_bypass(invocation, process, next_python(process))
                .print(options);
        }
        Action::Tool(Tool::Exec) => return run_next(&invocation.words, process).map(never),
        Action::Tool(_) => return Ok(0),
        Action::ToolHelp(help) => return print(help),
        Action::Version => return print(&format!("vpython {}\n", env!("CARGO_PKG_VERSION"))),
        Action::Help => print(&invocation::help()).map(drop)?,
        Action::Run => {}
    }
    let python = next_python(process)?;
    let help = [OsStr::new("-h").to_owned()];
    let words = if invocation.action == Action::Help {
        &help[..]
    } else {
        &invocation.words
    };
    Handoff::passthrough(python, words, process)
        .exec()
        .map(never)
}

/// Becomes the program of this name on `PATH`, untouched: whoever runs tests by `exec` must not
/// take it for their success that nothing was run.
fn run_next(words: &[OsString], process: &Process) -> Result<Infallible> {
    let (name, arguments) = words.split_first().ok_or_else(tool::exec::without_name)?;
    let program = interpreter::next_on_path(name, process).ok_or_else(|| {
        let failure = Failure::new(format!("no program `{}` on `PATH`", name.to_string_lossy()));
        failure
            .because(format!("`{}` is set", variable::BYPASS))
            .kind(Kind::NotFound)
    })?;
    Handoff::passthrough(program, arguments, process).exec()
}

/// The python that is run where the caller wants no vpython.
fn next_python(process: &Process) -> Result<PathBuf> {
    interpreter::next_python_on_path(process).ok_or_else(|| {
        let failure = Failure::new("no python on `PATH` but vpython")
            .because(format!("`{}` is set", variable::BYPASS));
        failure.kind(Kind::NotFound).into()
    })
}

/// Writes to stdout, and gives the exit code of success.
fn print(text: &str) -> Result<i32> {
    report::print(text.as_bytes())?;
    Ok(0)
}

/// Starts the log, and says what is wrong with the settings that the command line was read with.
fn start_log(invocation: &Invocation) -> Result<()> {
    log::start(level(invocation.log_level), invocation.trace.as_deref())?;
    invocation.warn(&invocation.conf.warnings);
    Ok(())
}

/// What is logged beside errors and warnings.
fn level(level: Option<LogLevel>) -> Option<tracing::Level> {
    match level {
        Some(LogLevel::Info) => Some(tracing::Level::INFO),
        Some(LogLevel::Debug) => Some(tracing::Level::DEBUG),
        Some(LogLevel::Error | LogLevel::Warning) | None => None,
    }
}

/// What a function returns that does not return.
fn never(nothing: Infallible) -> i32 {
    match nothing {}
}
