//! `-vpython-tool unpack`: an archive of `pack` becomes an environment.

mod extract;

pub use extract::extract;
