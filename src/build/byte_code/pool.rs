//! [`Pool`]: the processes of a compiler, as many as there are processors, shared by threads.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use anyhow::{Result, ensure};

use super::server::{Form, Server};

/// Processes of one interpreter, each of which is started when it is needed.
pub(super) struct Pool {
    interpreter: PathBuf,
    environment: Vec<(OsString, OsString)>,
    form: Form,
    servers: Mutex<Servers>,
    /// Wakes a thread that waits for a process.
    returned: Condvar,
}

#[derive(Default)]
struct Servers {
    idle: Vec<Server>,
    /// The number of those that compile.
    busy: usize,
    /// Whether nothing more is to be compiled.
    is_stopped: bool,
}

/// The right to use one process, until it is dropped.
pub(super) struct Slot<'a> {
    of: &'a Pool,
    server: Option<Server>,
}

impl Pool {
    /// Prepares a pool. Starts nothing.
    pub fn new(interpreter: PathBuf, environment: Vec<(OsString, OsString)>, form: Form) -> Self {
        Self {
            interpreter,
            environment,
            form,
            servers: Mutex::default(),
            returned: Condvar::new(),
        }
    }

    /// Waits for a process that is idle, or that may be started.
    ///
    /// # Errors
    /// The pool was stopped, also while this call waits.
    pub fn slot(&self) -> Result<Slot<'_>> {
        let limit = rayon::current_num_threads();
        let is_full = |servers: &mut Servers| servers.busy >= limit && !servers.is_stopped;
        let servers = self.returned.wait_while(self.servers(), is_full);
        let mut servers = servers.unwrap_or_else(PoisonError::into_inner);
        ensure!(!servers.is_stopped, "the byte code is not needed any more");
        servers.busy += 1;
        Ok(Slot {
            of: self,
            server: servers.idle.pop(),
        })
    }

    /// Gives out no more slots, and wakes all threads that wait for one.
    pub fn stop(&self) {
        self.servers().is_stopped = true;
        self.returned.notify_all();
    }

    fn servers(&self) -> MutexGuard<'_, Servers> {
        self.servers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot<'_> {
    /// Takes the process of the slot, which is started if no other one is idle.
    ///
    /// # Errors
    /// Those of [`Server::start`].
    pub fn server(&mut self) -> Result<Server> {
        match self.server.take() {
            Some(server) => Ok(server),
            None => Server::start(&self.of.interpreter, &self.of.environment, self.of.form),
        }
    }

    /// Keeps a process for another slot.
    pub fn keep(&mut self, mut server: Server) {
        server.is_used = true;
        self.server = Some(server);
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        let mut servers = self.of.servers();
        servers.busy -= 1;
        servers.idle.extend(self.server.take());
        drop(servers);
        self.of.returned.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    #[test]
    fn all_that_wait_for_a_slot_end_when_the_pool_is_stopped() {
        let pool = Pool::new(PathBuf::new(), Vec::new(), Form::Unchecked);
        let limit = rayon::current_num_threads();
        let taken: Vec<Slot> = (0..limit).map(|_| pool.slot().unwrap()).collect();
        let waiting = limit + 2;
        let (sender, ended) = mpsc::channel();
        std::thread::scope(|scope| {
            for _ in 0..waiting {
                let (pool, sender) = (&pool, sender.clone());
                scope.spawn(move || sender.send(pool.slot().is_err()));
            }
            let early = ended.recv_timeout(Duration::from_millis(100));
            pool.stop();
            let found: Vec<bool> = (0..waiting)
                .map_while(|_| ended.recv_timeout(Duration::from_secs(20)).ok())
                .collect();
            drop(taken);
            // A thread that still waits would keep the scope from its end.
            pool.returned.notify_all();
            assert!(early.is_err(), "all slots are taken");
            assert_eq!(found, vec![true; waiting]);
        });
    }
}
