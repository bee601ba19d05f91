//! Why a launch has to decide anew, and what it will find then, in clauses.

use crate::invocation::Invocation;
use crate::plan::Key;
use crate::process::Process;
use crate::spec::SpecText;
use crate::store::{Inputs, MemoName, Miss, Standing, Store};

/// The key of the environment that the launch takes as the last one like it did; else why it
/// cannot.
pub fn recall(
    store: &Store,
    text: &SpecText,
    invocation: &Invocation,
    process: &Process,
) -> Result<Key, String> {
    if invocation.is_throw_away {
        return Err("the store is a throw-away one, which is new in each run".to_owned());
    }
    if !store.exists() {
        return Err(format!(
            "there is no store yet in `{}`",
            store.root().display()
        ));
    }
    // The entry's lock is given back at once.
    match store.recall(&MemoName::of_launch(text, invocation, process), process) {
        Ok((memo, _)) => Ok(memo.key),
        Err(miss) => Err(why(
            miss,
            store,
            &Inputs::of_launch(text, invocation, process),
        )),
    }
}

/// Why a launch of these inputs cannot go by the last one, in a clause.
#[must_use]
pub fn why(miss: Miss, store: &Store, inputs: &Inputs) -> String {
    match miss {
        Miss::Unknown => asked_otherwise(store, inputs),
        Miss::Changed(stamped) => {
            let how = stamped
                .change()
                .map_or_else(|| "was changed".to_owned(), |change| change.to_string());
            format!("since the last launch `{}` {how}", stamped.path.display())
        }
        Miss::Variable(name) => format!("`{name}` is not what it was at the last launch"),
        Miss::Environment(standing) => describe(standing),
    }
}

/// Which input is another than at the last launch of the same spec.
fn asked_otherwise(store: &Store, inputs: &Inputs) -> String {
    match store.changed_inputs(inputs).as_deref() {
        None => "no launch like this is remembered".to_owned(),
        Some([]) => "what the last launch came to is no longer remembered".to_owned(),
        Some([one]) => format!("{one} is not what it was at the last launch"),
        Some(several) => format!(
            "not what they were at the last launch: {}",
            several.join(", ")
        ),
    }
}

/// Adds what stands where the environment belongs, unless that was said.
pub fn add_standing(why: &mut Vec<String>, store: &Store, key: &Key) {
    let clause = match store.standing(key) {
        Ok(standing) => describe(standing),
        Err(error) => crate::report::one_line(&error),
    };
    if !why.contains(&clause) {
        why.push(clause);
    }
}

fn describe(standing: Standing) -> String {
    match standing {
        Standing::Ready => "its environment stands, and will be used",
        Standing::Absent => "its environment is not built",
        Standing::Busy => "its environment is locked, as it is while somebody removes it",
        Standing::Changed => "its environment was changed after it was built",
    }
    .to_owned()
}
