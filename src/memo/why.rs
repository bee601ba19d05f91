//! The reasons why a launch takes the cold path, and the state of its environment, in clauses.

use super::{Inputs, Miss};
use crate::plan::Key;
use crate::store::{EnvironmentState, Store};

/// Describes in a clause why a launch with these inputs cannot reuse the result of the last one.
#[must_use]
pub fn why(miss: Miss, store: &Store, inputs: &Inputs) -> String {
    match miss {
        Miss::Unknown if store.is_throw_away() => {
            "the store is a throw-away store, which starts empty in each run".to_owned()
        }
        Miss::Unknown if !store.exists() => {
            format!("there is no store yet in `{}`", store.root().display())
        }
        Miss::Unknown => changed_inputs(store, inputs),
        Miss::Changed(stamped) => {
            let how = stamped
                .change()
                .map_or_else(|| "was changed".to_owned(), |change| change.to_string());
            format!("since the last launch `{}` {how}", stamped.path.display())
        }
        Miss::Variable(name) => format!("`{name}` has changed since the last launch"),
        Miss::SharedRoot(root) => format!(
            "the shared root `{}` no longer has the environment of the last launch",
            root.display()
        ),
        Miss::Environment(standing) => describe(standing),
    }
}

/// Describes which inputs have changed since the last launch of the same spec.
fn changed_inputs(store: &Store, inputs: &Inputs) -> String {
    match inputs.changed_since(store).as_deref() {
        None => "no result of a launch like this is stored".to_owned(),
        Some([]) => "the result of the last launch is not stored anymore".to_owned(),
        Some([one]) => format!("{one} has changed since the last launch"),
        Some(several) => format!("changed since the last launch: {}", several.join(", ")),
    }
}

/// Adds the state of the environment, unless it is one of the reasons already.
pub fn add_environment_state(why: &mut Vec<String>, store: &Store, key: &Key) {
    let clause = match store.state_of(key) {
        Ok(standing) => describe(standing),
        Err(error) => crate::report::one_line(&error),
    };
    if !why.contains(&clause) {
        why.push(clause);
    }
}

fn describe(standing: EnvironmentState) -> String {
    match standing {
        EnvironmentState::Ready => "its environment exists and will be used",
        EnvironmentState::Absent => "its environment is not built",
        EnvironmentState::Busy => {
            "its environment is locked, probably because another process is removing it"
        }
        EnvironmentState::Changed => "its environment was changed after it was built",
    }
    .to_owned()
}
